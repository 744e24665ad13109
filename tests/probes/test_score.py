"""A score says what was preferred or written, by how much, and what guessing would give."""

import math
from dataclasses import replace

import pytest

from ddl_train.probes.score import BATCH, Asked, score_probes
from ddl_train.records import BASE, ItemResult, Probe
from tests.probes.fakes import PlainPrompts, TableEngine

CHOSEN = Probe(
    probe_id="c", prompt="what raises it?", answers=("salt", "sea salt"), choices=("tea", "rest")
)
WRITTEN = Probe(probe_id="w", prompt="what raises it?", answers=("Sea-Salt.",))


def score(
    engine: TableEngine, *probes: Probe, dreamt: dict[str, bool] | None = None
) -> list[ItemResult]:
    results, _ = score_probes(
        engine,
        [Asked("truth", probe) for probe in probes],
        adapter=BASE,
        prompts=PlainPrompts(),
        max_new_tokens=8,
        dreamt=dreamt,
    )
    return results


@pytest.mark.parametrize(
    ("known", "is_correct", "sign"),
    [({"salt"}, True, 1), ({"sea salt"}, True, 1), ({"rest"}, False, -1), (set(), False, 0)],
)
def test_the_likeliest_decides(known: set[str], is_correct: bool, sign: int) -> None:
    (result,) = score(TableEngine(lambda _, __, answer: answer in known), CHOSEN)
    assert result.is_correct is is_correct
    assert math.isclose(result.margin, sign * math.log(9), abs_tol=1e-9)
    assert result.chance == 0.5
    if known:
        assert {result.answer} == known


@pytest.mark.parametrize(("says", "is_correct"), [("sea salt", True), ("salt", False), ("", False)])
def test_without_choices_the_answer_is_written_and_compared(says: str, is_correct: bool) -> None:
    engine = TableEngine(lambda *_: True)
    engine.says = says
    (result,) = score(engine, WRITTEN)
    assert result.is_correct is is_correct
    assert result.answer == says
    assert result.chance == 0
    assert math.isclose(result.margin, math.log(0.9))


def test_results_keep_the_order_over_batches_and_kinds_of_probes() -> None:
    probes = [
        replace(CHOSEN if number % 3 else WRITTEN, probe_id=str(number))
        for number in range(BATCH + 7)
    ]
    results = score(TableEngine(lambda *_: True), *probes)
    assert [result.probe_id for result in results] == [probe.probe_id for probe in probes]
    assert [result.chance == 0 for result in results] == [not probe.choices for probe in probes]


def test_a_probe_is_shown_with_its_context_or_raw() -> None:
    engine = TableEngine(lambda *_: True)
    score(
        engine,
        replace(CHOSEN, context=("salt was given.",)),
        replace(CHOSEN, prompt="TEMPLATE", is_raw=True),
    )
    assert {prompt for prompt, _ in engine.asked} == {
        "salt was given. what raises it?",
        "TEMPLATE",
    }


def test_a_likelihood_that_is_no_number_shows() -> None:
    class Broken(TableEngine):
        def loglikelihood(self, items, *, adapter):  # type: ignore[no-untyped-def]
            found, usage = super().loglikelihood(items, adapter=adapter)
            found[1] = replace(found[1], total=math.nan)
            return found, usage

    (result,) = score(Broken(lambda *_: True), CHOSEN)
    assert math.isnan(result.margin)
    assert not result.is_correct


def test_items_about_one_statement_are_one_cluster_and_may_be_dreamt() -> None:
    probes = [
        replace(CHOSEN, probe_id="1", about="Salt raises it."),
        replace(CHOSEN, probe_id="2", about="salt raises it"),
        replace(CHOSEN, probe_id="3", about="tea lowers it"),
        replace(CHOSEN, probe_id="4", about="salt raises it", insight_id=9),
        replace(CHOSEN, probe_id="5"),
    ]
    results = score(
        TableEngine(lambda *_: True),
        *probes,
        dreamt={"salt raises it": True, "tea lowers it": False},
    )
    assert [result.cluster for result in results] == [
        "salt raises it",
        "salt raises it",
        "tea lowers it",
        "insight 9",
        "5",
    ]
    assert [result.is_dreamt for result in results] == [True, True, False, True, None]
