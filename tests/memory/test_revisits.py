"""Revisits: pairs that were refused come back after gaps that grow, and more after a promotion."""

from pathlib import Path

from ddl_train.config import WakeConfig
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Promotion
from ddl_train.storage.run import Run
from tests.storage.made import a_memory, a_run, a_verdict, install


def spaced(**sampler: object) -> WakeConfig:
    return WakeConfig.model_validate(
        {"revisit_share": 1.0, "sampler": {"revisit_gaps": [1, 2, 4]} | sampler}
    )


def dreamt(memory: Memory, cycle: int, adapter: str, config: WakeConfig, size: int = 3) -> int:
    """Dream in vain on a batch; how many of its pairs had come back."""
    index = memory.num_batches(cycle)
    pairs = memory.next_batch(cycle, index, size, config, adapter, 3)
    verdicts = [a_verdict(pair, None, adapter=adapter) for pair in pairs]
    memory.log_verdicts(cycle, index, verdicts)
    return sum(pair.is_revisit for pair in pairs)


def test_a_pair_comes_back_after_gaps_that_grow(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 3)
        assert dreamt(memory, 0, BASE, spaced()) == 0
        came = [dreamt(memory, cycle, f"adapter {cycle}", spaced()) for cycle in range(1, 12)]
        assert [cycle for cycle, number in enumerate(came, start=1) if number] == [1, 3, 7, 11]


def test_without_gaps_every_new_adapter_sees_what_was_refused(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 3)
        config = WakeConfig(revisit_share=1.0)
        dreamt(memory, 0, BASE, config)
        assert [dreamt(memory, cycle, f"adapter {cycle}", config) for cycle in (1, 2, 3)] == [3] * 3


def promote(run: Run, cycle: int) -> str:
    run.start_cycle(cycle)
    for stage in ("wake", "sleep", "evaluate"):
        run.finish_stage(cycle, stage)
    version = install(run, cycle=cycle)
    run.record_promotion(cycle, Promotion(candidate=version, promoted=True, reasons=("ok: all",)))
    return version


def test_more_come_back_after_a_promoted_night(tmp_path: Path) -> None:
    came = []
    for name, is_promoted in (("promoted", True), ("refused", False)):
        (tmp_path / name).mkdir()
        with a_run(tmp_path / name) as run:
            memory = a_memory(run, 12)
            config = spaced(revisit_boost=3.0).model_copy(update={"revisit_share": 0.2})
            dreamt(memory, 0, BASE, config, size=30)
            adapter = promote(run, 0) if is_promoted else "beef"
            came.append(dreamt(memory, 1, adapter, config, size=20))
    assert came == [12, 4]


def test_with_learning_those_that_promise_most_come_back_first(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 12)
        config = spaced(learn={"prior_pairs": 20})
        dreamt(memory, 0, BASE, config, size=30)
        again = memory.next_batch(1, 0, 5, config, "beef", 3)
        assert [pair.is_revisit for pair in again] == [True] * 5
        assert all(pair.stratum and 0 < pair.probability <= 1 for pair in again)
