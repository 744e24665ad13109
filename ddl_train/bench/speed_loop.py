"""The loop at speed: M8, what it costs beside the model's work; M10, dreams over one at a time.

M8: one whole cycle of a config, less its engine calls and `trainer.train()`; and the time in which
an adapter takes the place of another. M10: `wake` as a run calls it against the plainest loop
(`plain.py`), once in one batch of all pairs, which is what the machinery can do, and once in batches
of `wake.batch_size`, which is what a run does that wants its ideas in memory sooner.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from peft import get_peft_model

from ddl_train.bench.ceilings import measure_bandwidth, synchronize
from ddl_train.bench.figures import Figure, middle, race, ratio
from ddl_train.bench.plain import PlainGenerate, dream_plainly
from ddl_train.cycle import run_cycles
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.ingest import ingest
from ddl_train.records import BASE, ConceptPair, Progress
from ddl_train.session import Session
from ddl_train.training.trainer import lora_config
from ddl_train.wake import wake

ENGINE_CALLS = ("generate", "loglikelihood", "integer_distribution", "hidden_states", "text_loss")


def overhead(session: Session, progress: Progress) -> Figure:
    """M8: share of a cycle's wall time that is neither an engine call nor `trainer.train()`."""
    limit = 0.05 if session.engine.device.type == "cuda" else 0.10
    spent = _time_calls(session.engine)
    start = time.perf_counter()
    run_cycles(session, progress=progress)
    wall = time.perf_counter() - start
    sleep = session.run.cycles()[0].facts.get("sleep", {})
    training = float(sleep.get("train_seconds", 0.0))
    share = 1 - (sum(spent) + training) / wall
    return Figure(
        name="M8 wall time outside model compute",
        value=share,
        goal=f"{limit:.0%} or less",
        is_met=share <= limit,
        detail=f"a cycle of {session.config.wake.num_pairs} pairs {wall:.1f} s, "
        f"engine {sum(spent):.1f} s, train() {training:.1f} s",
    )


def _time_calls(engine: Any) -> list[float]:
    """Note the seconds of every engine call from here on, in the list that comes back."""
    spent: list[float] = []

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def measure(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                spent.append(time.perf_counter() - start)

        return measure

    for name in ENGINE_CALLS:
        setattr(engine, name, timed(getattr(engine, name)))
    return spent


def adapter_swap(session: Session, num_rounds: int) -> Figure:
    """M8: milliseconds in which one adapter takes the place of another that is on the base."""
    engine = session.engine
    with TemporaryDirectory(prefix="ddl-bench-") as folder:
        for name in ("bench-a", "bench-b"):
            _write_adapter(session, Path(folder) / name)
            engine.load_adapter(name, Path(folder) / name)
        size = (Path(folder) / "bench-a" / "adapter_model.safetensors").stat().st_size
        first = [_seconds_to_use(engine, name) for name in ("bench-a", "bench-b")]
        swaps = [
            _seconds_to_use(engine, name)
            for _ in range(num_rounds)
            for name in ("bench-a", "bench-b")
        ]
        for name in ("bench-a", "bench-b"):
            engine.unload_adapter(name)
    bound = size / measure_bandwidth(engine.device)
    return Figure(
        name="M8 adapter swap, ms",
        value=1e3 * sorted(swaps)[len(swaps) // 2],
        detail=f"{middle([1e3 * one for one in swaps], ' ms')}; the first time, from disk, "
        f"{1e3 * max(first):.0f} ms; {size / 1e6:.1f} MB, copied in {1e3 * bound:.2g} ms",
    )


def _write_adapter(session: Session, folder: Path) -> None:
    with session.engine.lend_base() as base:
        get_peft_model(base, lora_config(session.config.sleep)).save_pretrained(
            str(folder), save_embedding_layers=False
        )


def _seconds_to_use(engine: TransformersEngine, version: str) -> float:
    start = time.perf_counter()
    with engine.adapters.active(version):
        synchronize(engine.device)
    return time.perf_counter() - start


def dreams(
    session: Session, pairs: Sequence[ConceptPair], num_rounds: int, progress: Progress
) -> list[Figure]:
    """M10.

    Args:
        session: whose model dreams.
        pairs: from `some_pairs`.
        num_rounds: of the race.
        progress: told of the rounds.
    """
    batch_size = session.config.wake.batch_size
    plain = PlainGenerate(session)
    with progress.stage("M10", num_rounds) as bar:
        together, batched, one_by_one = race(
            (
                lambda: dream(session, pairs, len(pairs)),
                lambda: dream(session, pairs, batch_size),
                lambda: dream_plainly(plain, pairs),
            ),
            num_rounds,
            bar.advance,
        )
    goal = 100.0 if session.engine.device.type == "cuda" else 10.0
    size = len(pairs)
    return [
        ratio(
            f"M10 dreams/s, {size} in a batch over one at a time",
            together,
            one_by_one,
            size,
            goal=goal,
        ),
        ratio(
            f"M10 dreams/s, batches of {batch_size} over one at a time", batched, one_by_one, size
        ),
    ]


def some_pairs(session: Session, number: int) -> list[ConceptPair]:
    """Pairs of the config's sources, read if nobody has; drawn as a run would."""
    config, memory = session.config, session.memory
    ingest(session, config.memory.sources, cycle=0)
    return memory.next_batch(1, 0, number, config.wake, BASE, config.seed)


def dream(session: Session, pairs: Sequence[ConceptPair], batch_size: int) -> None:
    """`wake` over pairs in batches, with the base; nothing is kept, and nothing is explained."""
    config = session.config.wake.model_copy(update={"explain": False, "batch_size": batch_size})
    for start in range(0, len(pairs), config.batch_size):
        wake(
            pairs[start : start + config.batch_size],
            generator=session.generator,
            critic=session.critic,
            embedder=session.embedder,
            space=session.memory,
            special_tokens=session.engine.special_tokens,
            config=config,
            adapter=BASE,
            seed=start,
        )
