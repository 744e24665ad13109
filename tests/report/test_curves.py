"""What is drawn over the cycles is what was stored, with intervals that know their clusters."""

from dataclasses import replace
from pathlib import Path

import pytest

from ddl_train.records import BASE, Concept, ConceptPair, Proposal, Verdict
from ddl_train.report.curves import (
    MIN_IDEAS,
    Curve,
    divergence_curves,
    diversity,
    figure_curves,
    loss_curves,
    suite_curves,
    suite_title,
)
from ddl_train.report.status import read_status
from ddl_train.storage.run import Run
from tests.report.made import made_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def curves(run_dir: Path) -> dict[str, Curve]:
    with Run.read(run_dir) as run:
        cycles = read_status(run)["cycles"]
        return {one.name: one for one in [*suite_curves(run, cycles), *loss_curves(run, cycles)]}


def test_a_suite_has_a_point_for_each_night_and_for_the_base(curves: dict[str, Curve]) -> None:
    uptake = curves["uptake"]
    assert [(one.cycle, one.value, one.n) for one in uptake.candidate] == [(0, 1.0, 4), (1, 0.0, 4)]
    assert [one.value for one in uptake.base] == [0.0, 0.0]
    assert uptake.chance == pytest.approx(0.2)


def test_the_continuous_score_stands_beside_the_share(curves: dict[str, Curve]) -> None:
    assert curves["uptake"].margins == ((0, 0.5), (1, -0.5))


def test_all_right_is_no_certainty(curves: dict[str, Curve]) -> None:
    """Four answers about two insights are two pieces of evidence: Wilson of 2 in 2."""
    first = curves["uptake"].candidate[0]
    assert first.low == pytest.approx(0.342, abs=1e-3)
    assert first.high == pytest.approx(1.0)


def test_truth_is_shown_apart_for_what_was_dreamt(curves: dict[str, Curve]) -> None:
    assert "truth" not in curves
    assert [one.value for one in curves["truth (dreamt)"].candidate] == [1.0, 1.0]


def test_a_loss_is_compared_text_by_text_with_the_base(curves: dict[str, Curve]) -> None:
    loss = curves["held-out documents"]
    assert loss.is_difference
    assert [one.value for one in loss.candidate] == [pytest.approx(0.05)] * 2
    assert (loss.base, loss.candidate[0].n) == ((), 2)


def test_the_divergence_of_a_night_is_drawn_beside_its_loss(tmp_path: Path) -> None:
    with Run.open(made_run(tmp_path)) as run:
        apart = divergence_curves(run, read_status(run)["cycles"])
    assert [one.title for one in apart] == ["KL to the base, held-out documents"]
    assert [point.value for point in apart[0].candidate] == [pytest.approx(0.2)] * 2


def test_texts_that_were_not_the_same_are_not_compared(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        base = next(one for one in run.reports(0) if one.adapter == BASE)
        run.save_report(replace(base, losses={"held-out documents": (2.0,)}))
        loss = loss_curves(run, read_status(run)["cycles"])[0]
    assert [one.cycle for one in loss.candidate] == [1]


def test_a_night_that_was_not_measured_is_a_gap(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        run.database.execute("DELETE FROM reports WHERE cycle = 0 AND adapter != 'base'")
        uptake = suite_curves(run, read_status(run)["cycles"])[0]
    assert [one.cycle for one in uptake.candidate] == [1]
    assert [one.cycle for one in uptake.base] == [0, 1]


def test_figures_of_a_whole_suite_have_no_interval(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        base = next(one for one in run.reports(1) if one.adapter == BASE)
        nan = float("nan")
        run.save_report(replace(base, figures={"diversity/vendi_score": 7.5, "wake/x": nan}))
        found = figure_curves(run, read_status(run)["cycles"])
    assert [(one.title, one.unit) for one in found] == [("Vendi score", "number")]
    assert [(one.cycle, one.value, one.low) for one in found[0].base] == [(1, 7.5, 7.5)]


def test_a_suite_without_a_name_for_people_has_its_own() -> None:
    assert suite_title("my_suite") == "my suite"
    assert suite_title("false_memory") == "falsehoods believed"


def verdicts(*texts: str) -> list[Verdict]:
    a = Concept(concept_id=1, text="a", kind="document", source="a.md", position=0, sha256="1")
    b = replace(a, concept_id=2, text="b", sha256="2")
    pair = ConceptPair(pair_number=0, a=a, b=b, sampler="uniform", probability=0.1)
    return [
        Verdict(
            proposal=Proposal(
                pair=pair,
                text=text,
                reasoning="",
                conclusion=text,
                is_none=not text,
                adapter=BASE,
                num_prompt_tokens=1,
                num_completion_tokens=1,
            ),
            scores=None,
        )
        for text in texts
    ]


def test_diversity_counts_as_many_ideas_in_every_cycle() -> None:
    same = ["it is only this joke"] * (MIN_IDEAS + 5)
    different = [f"idea{n} says{n} that{n}" for n in range(MIN_IDEAS)]
    dull, rich = diversity({0: verdicts(*same), 1: verdicts(*different)})
    assert (dull.n, rich.n) == (MIN_IDEAS, MIN_IDEAS)
    assert (dull.distinct_1, rich.distinct_1) == (5 / (5 * MIN_IDEAS), 1.0)
    assert (dull.opening, dull.opening_share) == ("it is only", 1.0)
    assert rich.opening_share == 1 / MIN_IDEAS


def test_few_ideas_say_nothing_about_diversity() -> None:
    few = verdicts(*["an idea"] * (MIN_IDEAS - 1), *[""] * 50)
    assert diversity({0: few}) == []


def test_chinese_is_counted_by_characters() -> None:
    ideas = ["喝茶，降低铁的吸收"] * MIN_IDEAS
    (found,) = diversity({0: verdicts(*ideas)})
    assert found.distinct_1 == 8 / (8 * MIN_IDEAS)
    assert found.opening == "喝茶，降"
