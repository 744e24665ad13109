"""Yields: what a stratum has brought, in admitted ideas, then in those that are kept, per token."""

from pathlib import Path

import pytest

from ddl_train.config import WakeConfig
from ddl_train.memory.store import Memory
from ddl_train.memory.yields import Yields
from ddl_train.records import BASE, EvalReport, ItemResult, Usage
from ddl_train.storage.run import Run
from tests.memory.test_revisits import promote
from tests.storage.made import a_memory, a_run, a_verdict, idea

LEARNING = WakeConfig.model_validate({"sampler": {"learn": {}}})


def dream_half(memory: Memory, cycle: int, index: int, *, size: int = 8) -> list[int]:
    """A batch of which every second pair is admitted: their insights."""
    pairs = memory.next_batch(cycle, index, size, LEARNING, BASE, 3)
    verdicts = [a_verdict(p, idea(p) if n % 2 else None) for n, p in enumerate(pairs)]
    return [one.insight_id for one in memory.log_verdicts(cycle, index, verdicts)]


def test_tokens_are_those_of_dreaming_and_an_equal_part_of_judging(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        run.record_usage(0, "critic", Usage(num_prompt_tokens=400), 8, item="batch 0")
        dream_half(memory, 0, 0)
        yields = Yields(run.database)
        yields.update()
        (found,) = yields.of_samplers(0, 1.0).values()
        assert (found.pairs, found.reward, found.tokens) == (8, 4, 8 * 8 + 400)


def test_what_is_old_counts_less(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        dream_half(memory, 0, 0)
        yields = Yields(run.database)
        yields.update()
        (found,) = yields.of_samplers(3, 0.5).values()
        assert (found.pairs, found.reward) == (1.0, 0.5)


def report(run: Run, cycle: int, version: str, answered: dict[int, bool]) -> None:
    items = tuple(
        ItemResult(
            probe_id=f"uptake-{insight}",
            suite="uptake",
            kind="forward",
            is_correct=is_right,
            margin=0.0,
            chance=0.2,
            cluster=f"insight {insight}",
        )
        for insight, is_right in answered.items()
    )
    run.save_report(EvalReport(adapter=version, cycle=cycle, items=items))


def test_after_a_promoted_night_what_is_answered_counts(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 12)
        insights = dream_half(memory, 0, 0)
        yields = Yields(run.database)
        yields.update()
        version = promote(run, 0)
        report(run, 0, version, dict(zip(insights, [True, False, False, False], strict=True)))
        dream_half(memory, 1, 0)
        for counted in (yields, Yields(run.database)):  # going on, and begun anew
            counted.update()
            reward = sum(one.reward for one in counted.of_strata(1, 1.0).values())
            # One of four that were asked about; of the four others as large a share, as far as known.
            assert reward == pytest.approx(1 + 4 * (1 + 1) / (4 + 1))


def test_counts_are_the_same_read_at_once_and_as_they_come(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory, as_it_came = a_memory(run, 12), Yields(run.database)
        for index in range(4):
            dream_half(memory, 0, index)
            as_it_came.update()
        at_once = Yields(run.database)
        at_once.update()
        assert at_once.of_strata(0, 0.8) == as_it_came.of_strata(0, 0.8)
        assert all(at_once.judged(n) == as_it_came.judged(n) for n in range(1, 13))
