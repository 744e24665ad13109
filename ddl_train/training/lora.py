"""One night of LoRA through TRL's SFTTrainer, resumable to the bit.

The base is lent by the engine, which takes PEFT's layers and TRL's `forward` out of it again
whatever happens in between.

With `sleep.num_processes` the same is trained in that many processes, each with a base of its own,
and the one here is put aside meanwhile (`processes.py`).

Not covered: several machines, objectives other than SFT.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.records import JsonObject, TrainingRow, Usage
from ddl_train.training.encoding import EncodedRows, Format, encode_rows
from ddl_train.training.merge import add_deltas, merged_into
from ddl_train.training.processes import aside, is_sharded, resume_point, train_apart
from ddl_train.training.rows_apart import rows_apart
from ddl_train.training.running import (
    Seen,
    TrainedAdapter,
    done_before,
    full_disk_is_said,
    run_trainer,
    settle,
    weights_sha256,
)
from ddl_train.training.task import Task
from ddl_train.training.trainer import make_trainer, quiet_libraries
from ddl_train.training.watcher import Watcher

NOT_OF_THE_NIGHT = {
    *("kinds", "min_answer_support", "max_insights", "replay_share", "general_share"),
    *("no_link_share", "general", "max_steps", "save_steps", "report_to"),
    *("num_processes", "accelerate_config"),
}
"""Config keys that do not change what is trained from given rows."""


class Lender(Protocol):
    """The part of an engine that training needs."""

    name: str
    config: ModelConfig
    base_sha256: str

    @property
    def num_parameters(self) -> int: ...

    @property
    def revision(self) -> str | None: ...

    @property
    def chat(self) -> Format: ...

    @property
    def tokenizer(self) -> Any: ...

    def lend_base(self) -> AbstractContextManager[Any]:
        """The plain base, to be given back as it was."""
        ...


def train_lora(
    engine: Lender,
    rows: Sequence[TrainingRow],
    config: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
    start_from: Path | None = None,
    progress: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainedAdapter:
    """Train one adapter on `rows`, or go on where a killed call with the same arguments was.

    On a CPU the same rows, config and seed give the same bytes, interrupted or not. Another number
    of processes gives the same but for rounding, dropout and noise, which each draws by itself.

    Args:
        engine: lends its base; its chat format encodes the rows.
        rows: of one night, in order; at least one.
        config: the LoRA and trainer settings.
        out_dir: folder of this night and of no other; the result is in `out_dir/adapter`.
        seed: of initialisation, order and dropout.
        start_from: adapter folder to continue from, or with method `merge` to build upon; None
            trains a new adapter from the base.
        progress: told "n more optimizer steps done" and the `total` of the night.
        should_stop: asked after every step; True saves a checkpoint and stops.

    Raises:
        Interrupted: `should_stop` said so; the same call goes on from there.
        ConfigError: `target_modules` or `report_to` names what there is not.
        ResourceError: the disk is full; one of several processes was killed.
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("a night needs at least one row; the caller skips sleep without any")
    started = time.monotonic()
    encoded = encode_rows(rows, engine.chat, max_length=config.max_length)
    counts = {"num_rows": float(encoded.num_rows), "num_too_long": float(encoded.num_too_long)}
    if not encoded.num_rows:
        reason = f"all {len(rows)} rows are longer than sleep.max_length {config.max_length}"
        return TrainedAdapter(dir=None, failed_because=reason, usage=Usage(), metrics=counts)
    if done := done_before(out_dir, _facts(engine, encoded, config, seed, start_from)):
        return done
    seen: Seen
    if config.num_processes > 1:
        saved, seen = _train_apart(
            engine,
            encoded,
            config,
            out_dir=out_dir,
            seed=seed,
            start_from=start_from,
            progress=progress,
            should_stop=should_stop,
        )
    else:
        seen = watcher = Watcher(progress, should_stop)
        saved = _train(engine, encoded, config, watcher, out_dir, seed=seed, start_from=start_from)
    usage = _usage(encoded, config, engine.num_parameters, time.monotonic() - started)
    return settle(out_dir, saved, seen, counts, usage)


def _facts(
    engine: Lender, encoded: EncodedRows, config: SleepConfig, seed: int, start_from: Path | None
) -> JsonObject:
    """Names this night: what is trained, how, and from where."""
    apart = {"num_processes": config.num_processes, "accelerate_config": config.accelerate_config}
    return {
        **(apart if config.num_processes > 1 else {}),
        "rows": encoded.sha256,
        "config": config.model_dump(mode="json", exclude=NOT_OF_THE_NIGHT),
        "base": engine.base_sha256,
        "seed": seed,
        "parent": weights_sha256(start_from),
    }


def _train(
    engine: Lender,
    encoded: EncodedRows,
    config: SleepConfig,
    watcher: Watcher,
    out_dir: Path,
    *,
    seed: int,
    start_from: Path | None,
) -> Path | None:
    """Train to the end, unless the watcher ends it before, and save what came of it."""
    merged = start_from if config.method == "merge" else None
    with (
        quiet_libraries(),
        engine.lend_base() as base,
        merged_into(base, merged),
        rows_apart(base, config),
    ):
        trainer = make_trainer(
            base,
            engine.tokenizer,
            encoded,
            config,
            out_dir=out_dir,
            seed=seed,
            start_from=None if merged else start_from,
        )
        saved = run_trainer(trainer, watcher, out_dir, base=engine.name, revision=engine.revision)
        if merged and saved:
            with full_disk_is_said(out_dir):
                add_deltas(merged, saved, saved)
        # optimizer and gradients would otherwise stay on the device until they are collected
        trainer.accelerator.free_memory()
    return saved


def _train_apart(
    engine: Lender,
    encoded: EncodedRows,
    config: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
    start_from: Path | None,
    progress: Callable[..., None] | None,
    should_stop: Callable[[], bool] | None,
) -> tuple[Path | None, Seen]:
    """The same in several processes, while the base lies in host memory."""
    sharded = is_sharded(config, engine.config)
    task = Task(
        out_dir=out_dir,
        model=engine.config,
        config=config,
        encoded=encoded,
        seed=seed,
        start_from=start_from,
        resume_from=resume_point(out_dir, config, sharded=sharded),
        is_sharded=sharded,
        base=engine.name,
        base_sha256=engine.base_sha256,
        revision=engine.revision,
    )
    with engine.lend_base() as base, aside(base):
        outcome = train_apart(task, progress=progress, should_stop=should_stop)
    return outcome.saved, outcome


def _usage(encoded: EncodedRows, config: SleepConfig, num_parameters: int, seconds: float) -> Usage:
    """Tokens of the whole night, resumed or not, and seconds of this call.

    Forward 2P, and 2P more for the gradient of activations; base weights get no gradient.
    """
    epochs = config.num_train_epochs
    factor = 6 if config.gradient_checkpointing else 4
    trained = round(encoded.num_trained_tokens * epochs)
    return Usage(
        num_prompt_tokens=round(encoded.num_tokens * epochs) - trained,
        num_completion_tokens=trained,
        seconds=seconds,
        flops=factor * num_parameters * encoded.num_tokens * epochs,
    )
