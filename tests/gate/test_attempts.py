"""Many students of one teacher are many draws: each is decided at a smaller chance of luck."""

from dataclasses import replace

import pytest

from ddl_train.config import DistillConfig, PromoteConfig
from ddl_train.gate.distilled import decide_student, spend_on
from ddl_train.records import BASE, EvalReport, ItemResult

PROMOTE = PromoteConfig(num_resamples=500)


def report(adapter: str, is_right: list[bool]) -> EvalReport:
    items = tuple(
        ItemResult(
            probe_id=f"u{number}",
            suite="uptake",
            kind="forward",
            is_correct=right,
            margin=0.5 if right else -0.5,
            chance=0.2,
            cluster=f"insight {number // 6}",
        )
        for number, right in enumerate(is_right)
    )
    texts = {"held-out documents": (2.0, 3.0, 2.5) * 5}
    alike = {name: (0.0,) * len(losses) for name, losses in texts.items()}
    return EvalReport(adapter=adapter, cycle=0, items=items, losses=texts, divergences=alike)


def is_let_through(is_right: list[bool], attempt: int) -> bool:
    """Whether a student of a teacher that learned all of 600 answers is let through."""
    decision = decide_student(
        report("student", is_right),
        report("teacher", [True] * 600),
        report(BASE, [False] * 600),
        None,
        PROMOTE,
        DistillConfig(),
        attempt=attempt,
    )
    kept = [one for one in decision.reasons if "of the teacher's gain" in one]
    return [one.partition(":")[0] for one in kept] == ["ok"]


def test_all_attempts_together_spend_no_more_than_the_gate_may() -> None:
    alphas = [spend_on(attempt, PROMOTE)[0] for attempt in range(1, 2000)]
    assert alphas[:3] == pytest.approx([0.025, 0.05 / 6, 0.05 / 12])
    assert 0.0499 < sum(alphas) < 1 - PROMOTE.confidence


def test_what_the_first_student_may_just_keep_is_too_little_for_the_tenth() -> None:
    barely = [number % 13 > 0 for number in range(600)]  # 92.2 % of the gain
    assert is_let_through(barely, 1)
    assert not is_let_through(barely, 10)


def test_the_number_of_the_attempt_and_its_chance_are_kept() -> None:
    base, teacher = report(BASE, [False] * 600), report("teacher", [True] * 600)
    student = replace(teacher, adapter="student")
    decision = decide_student(student, teacher, base, None, PROMOTE, DistillConfig(), attempt=3)
    assert decision.numbers["attempt"] == 3
    assert decision.numbers["alpha"] == pytest.approx(0.05 / 12)
    assert any("this is number 3 of its teacher" in one for one in decision.reasons)
