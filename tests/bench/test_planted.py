"""Planted harm is as large as it says, and whole runs of null nights are drawn as they were."""

from dataclasses import replace

import pytest

from ddl_train.bench.planted import COLLAPSE, FORGETTING, NullNight, count_promoting_runs, plant
from ddl_train.config import PromoteConfig
from ddl_train.gate.harms import TEXT_HARMS
from ddl_train.promote import promote
from ddl_train.records import EvalReport
from tests.test_promote import BASE_REPORT, CURRENT, GOOD, items, report

CONFIG = PromoteConfig(num_resamples=500)


def dreaming(of: EvalReport) -> EvalReport:
    """The report with ideas about forty pairs, half of them like others."""
    ideas = [replace(one, margin=0.5) for one in items("diversity", 40, 30)]
    return replace(of, items=(*of.items, *ideas))


@pytest.mark.parametrize("harm", [*FORGETTING, *COLLAPSE])
@pytest.mark.parametrize("size", [1.5, 1.9])
def test_planted_harm_is_refused_by_the_rule_it_was_planted_for(harm: str, size: float) -> None:
    night, base = dreaming(GOOD), dreaming(BASE_REPORT)
    assert promote(night, base, base, [], CONFIG).promoted
    planted = plant(night, base, harm, size, CONFIG, seed=1)
    assert planted is not None
    refused = [
        one for one in promote(planted, base, base, [], CONFIG).reasons if one[:7] == "refused"
    ]
    assert len(refused) == 1
    assert TEXT_HARMS.get(harm, harm) in refused[0]


def test_planted_harm_changes_no_more_than_it_must() -> None:
    planted = plant(GOOD, BASE_REPORT, "retention", 1.5, CONFIG, seed=1)
    assert planted is not None
    changed = [(old, new) for old, new in zip(GOOD.items, planted.items, strict=True) if old != new]
    assert len(changed) == 8  # 7.5 % of 100 questions
    assert all(old.is_correct and not new.is_correct for old, new in changed)


def test_what_was_not_measured_cannot_be_harmed() -> None:
    assert plant(GOOD, BASE_REPORT, "diversity", 1.5, CONFIG, seed=1) is None


def night(adapter: str, uptake: int) -> EvalReport:
    return report(adapter, uptake=uptake)


def test_runs_of_nights_that_gain_nothing_promote_rarely_and_others_surely() -> None:
    # 6 of 20 insights are gained and as many lost
    after = [*items("uptake", 40, 12)[::-1]]
    shuffled = [
        replace(new, probe_id=old.probe_id, cluster=old.cluster)
        for new, old in zip(after, items("uptake", 40, 12), strict=True)
    ]
    null = NullNight(replace(CURRENT, items=tuple(shuffled)), CURRENT)
    assert count_promoting_runs([null], CONFIG, num_runs=60) <= 8
    real = NullNight(night("tonight", 38), CURRENT)
    assert count_promoting_runs([real], CONFIG, num_runs=10) == 10


def test_a_floor_above_the_gain_stops_every_run() -> None:
    real = NullNight(night("tonight", 38), CURRENT)
    high = CONFIG.model_copy(update={"min_gain": 0.9})
    assert count_promoting_runs([real], high, num_runs=5) == 0
