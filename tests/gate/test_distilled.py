"""A student is let through when it has kept the gain and forgotten no more than a night may."""

from dataclasses import replace
from typing import Any

import pytest

from ddl_train.config import DistillConfig, PromoteConfig
from ddl_train.gate.distilled import decide_student
from ddl_train.records import BASE, EvalReport, ItemResult, Promotion

PROMOTE = PromoteConfig(num_resamples=500)
DISTILL = DistillConfig(min_items=500)
NUM_UPTAKE, NUM_TRUTH = 400, 200


def items(
    suite: str, num_items: int, num_right: int, *, is_dreamt: bool | None = None
) -> list[ItemResult]:
    return [
        ItemResult(
            probe_id=f"{suite}-{is_dreamt}-{number}",
            suite=suite,
            kind="forward",
            is_correct=number < num_right,
            margin=1.0 if number < num_right else -1.0,
            chance=0.2,
            cluster=f"{suite} {number // 2}",
            is_dreamt=is_dreamt,
        )
        for number in range(num_items)
    ]


def report(adapter: str, *, uptake: int, truth: int, retention: int = 190) -> EvalReport:
    return EvalReport(
        adapter=adapter,
        cycle=0,
        items=(
            *items("uptake", NUM_UPTAKE, uptake),
            *items("truth", NUM_TRUTH, truth, is_dreamt=True),
            *items("truth", 100, 40, is_dreamt=False),
            *items("retention", 200, retention),
        ),
        losses={"held-out documents": (2.0, 3.0, 2.5) * 5},
        divergences={"held-out documents": (0.0,) * 15},
    )


BASE_REPORT = report(BASE, uptake=80, truth=40)
TEACHER = report("teacher", uptake=320, truth=140)


def decide(
    student: EvalReport,
    *,
    base: EvalReport = BASE_REPORT,
    teacher: EvalReport = TEACHER,
    teacher_base: EvalReport | None = None,
    **changes: Any,
) -> Promotion:
    distill = DISTILL.model_copy(update=changes)
    return decide_student(student, teacher, base, teacher_base, PROMOTE, distill)


def refusals(decision: Promotion) -> list[str]:
    return [one for one in decision.reasons if one.startswith("refused")]


def test_a_student_that_answers_as_its_teacher_is_let_through() -> None:
    decision = decide(report("student", uptake=320, truth=140))
    assert decision.promoted, decision.reasons
    assert decision.numbers["kept"] == pytest.approx(1.0)
    assert decision.numbers["kept_items"] == NUM_UPTAKE + NUM_TRUTH


def test_the_bound_decides_and_not_the_estimate() -> None:
    """A little more than nine tenths is kept, but not so surely."""
    decision = decide(report("student", uptake=300, truth=132))
    assert decision.numbers["kept"] == pytest.approx(312 / 340)
    assert decision.numbers["kept_excess"] > 0 > decision.numbers["kept_excess_low"]
    assert [one.split(":")[1].split(" has ")[0] for one in refusals(decision)] == [" the student"]


def test_a_smaller_base_may_keep_less() -> None:
    less = report("student", uptake=300, truth=132)
    own = report(BASE, uptake=80, truth=40)
    assert decide(less, base=own, teacher_base=BASE_REPORT).promoted
    assert not decide(less).promoted


def test_a_smaller_base_is_held_against_itself_and_not_against_the_teacher() -> None:
    """What the small base never knew is not forgotten."""
    own = report(BASE, uptake=80, truth=40, retention=100)
    student = report("student", uptake=320, truth=140, retention=100)
    assert decide(student, base=own, teacher_base=BASE_REPORT).promoted
    assert not decide(replace(student)).promoted


def test_gains_are_over_the_base_of_each() -> None:
    own = report(BASE, uptake=200, truth=100)
    student = report("student", uptake=320, truth=140)
    decision = decide(student, base=own, teacher_base=BASE_REPORT)
    assert decision.numbers["student_gain"] == pytest.approx(160 / 600)
    assert decision.numbers["teacher_gain"] == pytest.approx(340 / 600)
    assert not decision.promoted


def test_too_few_items_refuse_and_say_how_to_get_more() -> None:
    decision = decide(report("student", uptake=320, truth=140), min_items=601)
    assert "have 600 items; at least 601 are needed" in refusals(decision)[0]
    assert "dream on more pairs" in refusals(decision)[0]
    assert len(refusals(decision)) == 1


def test_what_was_never_dreamt_counts_for_no_gain() -> None:
    decision = decide(report("student", uptake=320, truth=140))
    assert decision.numbers["kept_items"] == 600  # of 700 questions of uptake and truth


def test_forgetting_refuses_a_student_that_kept_everything() -> None:
    decision = decide(report("student", uptake=320, truth=140, retention=150))
    assert any("retention drop against the teacher" in one for one in refusals(decision))
    assert any("retention drop against the base" in one for one in refusals(decision))


def test_a_teacher_that_gained_nothing_has_no_students() -> None:
    idle = report("teacher", uptake=80, truth=40)
    decision = decide(report("student", uptake=90, truth=40), teacher=idle)
    assert any("the teacher itself has gained +0.000" in one for one in refusals(decision))


def test_other_items_than_the_teachers_refuse() -> None:
    student = report("student", uptake=320, truth=140)
    fewer = replace(TEACHER, items=TEACHER.items[1:])
    assert "same items" in refusals(decide(student, teacher=fewer))[0]
    own = report(BASE, uptake=80, truth=40)
    assert (
        "same items"
        in refusals(decide(student, base=own, teacher=fewer, teacher_base=BASE_REPORT))[0]
    )


def test_a_suite_that_could_not_be_measured_refuses() -> None:
    student = replace(report("student", uptake=320, truth=140), missing=("skill: no file",))
    assert refusals(decide(student)) == ["refused: not measured: skill: no file"]
