"""The figures of an examination, and when they forbid a night."""

import math

import pytest

from ddl_train.probes.canaries import Canary
from ddl_train.probes.examination import Examination, Trial, merit, rate
from tests.fakes import a_pair, a_scores


def trial(kind: str, merit: float, *, guarded: bool = False, admitted: bool = False) -> Trial:
    refused = None if admitted else "coherence: 2.0 is below 6"
    return Trial(
        canary=Canary(kind=kind, pair=a_pair(), text=f"{kind} {merit}"),
        scores=a_scores(merit, merit, merit),
        refused_with_guards="appeal: speaks to the judge" if guarded else refused,
        refused_without_guards=refused,
    )


def good(num_kept: int, num_lost: int = 0) -> list[Trial]:
    kept = [trial("good", 8 + n / 100, admitted=True) for n in range(num_kept)]
    return kept + [trial("good", 3) for _ in range(num_lost)]


def exam(*trials: Trial) -> Examination:
    return Examination(trials=trials)


def failure(examination: Examination, **bounds: float) -> str | None:
    given = {"max_false_accepts": 0.1, "min_good_kept": 0.8} | bounds
    return examination.failure(
        max_false_accepts=given["max_false_accepts"],
        min_good_kept=given["min_good_kept"],
        min_trials=10,
    )


def test_merit_is_the_mean_of_the_axes_times_what_likelihoods_were_asked_for() -> None:
    assert merit(a_scores(9, 6, 3)) == 6
    assert merit(a_scores(9, 6, 3, support=0.5)) == 3
    assert merit(a_scores(9, 6, 3, support=0.5, rederived=0.1)) == pytest.approx(0.3)


def test_the_worst_kind_comes_first() -> None:
    kinds = exam(
        trial("shuffle", 2),
        trial("empty", 9, admitted=True),
        trial("empty", 2),
        trial("truism", 9, admitted=True, guarded=True),
    ).kinds()
    assert [kind.name for kind in kinds] == ["empty", "truism", "shuffle"]
    assert kinds[0].with_guards.value == 0.5
    assert (kinds[1].with_guards.count, kinds[1].without_guards.count) == (0, 1)


def test_intervals_are_exact() -> None:
    none = rate(0, 300)
    assert none.low == 0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 300))
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)


def test_guards_put_what_they_refuse_below_everything() -> None:
    examination = exam(*good(3), trial("verdict", 9.5, admitted=True, guarded=True))
    assert examination.auc(has_guards=False)[0] == 0.0
    assert examination.auc(has_guards=True)[0] == 1.0


def test_a_curve_without_attacks_is_not_known() -> None:
    assert math.isnan(exam(*good(3)).auc(has_guards=True)[0])


def test_a_sound_critic_does_not_stop_the_night() -> None:
    attacks = [trial("shuffle", 2 + n / 100) for n in range(20)]
    assert failure(exam(*good(20), *attacks)) is None


def test_a_night_does_not_start_on_a_critic_that_lets_canaries_in() -> None:
    attacks = [trial("shuffle", 2 + n / 100) for n in range(17)]
    attacks += [trial("truism", 8 + n / 100, admitted=True) for n in range(3)]
    reason = failure(exam(*good(20), *attacks))
    assert reason is not None
    assert "3 of 20 canaries" in reason
    assert "most of the kind truism" in reason
    assert "wake.min_coherence" in reason


def test_a_night_does_not_start_on_a_critic_that_refuses_what_it_admitted() -> None:
    reason = failure(exam(*good(15, 5)))
    assert reason is not None
    assert "keeps 15 of 20" in reason


def test_a_handful_of_trials_stops_nothing() -> None:
    assert failure(exam(*good(2, 5), *[trial("empty", 9, admitted=True)] * 5)) is None


def test_a_bound_of_none_stops_nothing() -> None:
    attacks = [trial("empty", 9, admitted=True)] * 20
    assert exam(*attacks).failure(max_false_accepts=None, min_good_kept=None, min_trials=10) is None
