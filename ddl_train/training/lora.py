"""One night of LoRA through TRL's SFTTrainer, resumable to the bit.

The base is lent by the engine, which takes PEFT's layers and TRL's `forward` out of it again
whatever happens in between.

Not covered: several processes or devices (one process holds the base), objectives other than SFT.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load_file

from ddl_train.config import SleepConfig
from ddl_train.errors import Interrupted, ResourceError
from ddl_train.records import JsonObject, TrainingRow, Usage
from ddl_train.training.checkpoints import (
    close_night,
    drop_checkpoints,
    newest_complete,
    open_night,
    write_json,
)
from ddl_train.training.encoding import EncodedRows, Format, encode_rows
from ddl_train.training.merge import add_deltas, merged_into
from ddl_train.training.trainer import make_trainer, quiet_libraries
from ddl_train.training.watcher import Watcher

NOT_OF_THE_NIGHT = {
    *("kinds", "min_answer_support", "max_insights", "replay_share", "general_share"),
    *("no_link_share", "general", "save_steps", "report_to"),
}
"""Config keys that do not change what is trained from given rows."""
FREE_BYTES = 2**24
"""With less room than this, a failure to write is put down to the disk."""


class Lender(Protocol):
    """The part of an engine that training needs."""

    name: str
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


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedAdapter:
    """What a night of training brought."""

    dir: Path | None
    """Holds `adapter_model.safetensors` and `adapter_config.json`; None when the night failed."""
    failed_because: str | None
    """One sentence: a loss that is no number, rows that are all too long."""
    usage: Usage
    metrics: Mapping[str, float]
    """num_steps, num_rows, num_too_long, loss_first, loss_last; train_seconds of the last call."""


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

    On a CPU the same rows, config and seed give the same bytes, interrupted or not.

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
        ResourceError: the disk is full.
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
    fingerprint = _fingerprint(engine, encoded, config, seed, start_from)
    if done := open_night(out_dir, fingerprint):
        return TrainedAdapter(
            dir=out_dir / "adapter",
            failed_because=None,
            usage=Usage(**done["usage"]),
            metrics=done["metrics"],
        )
    watcher = Watcher(progress, should_stop)
    adapter_tmp = out_dir / "adapter.tmp"
    _train(engine, encoded, config, watcher, adapter_tmp, seed=seed, start_from=start_from)
    if watcher.was_stopped:
        raise Interrupted("sleep stopped after saving a checkpoint")
    metrics = counts | watcher.metrics
    usage = _usage(encoded, config, engine.num_parameters, time.monotonic() - started)
    failed_because = watcher.failed_because or not_finite(adapter_tmp)
    if failed_because:
        drop_checkpoints(out_dir)
        return TrainedAdapter(dir=None, failed_because=failed_because, usage=usage, metrics=metrics)
    facts = {"usage": asdict(usage), "metrics": metrics}
    adapter_dir = close_night(out_dir, adapter_tmp, facts)
    return TrainedAdapter(dir=adapter_dir, failed_because=None, usage=usage, metrics=metrics)


@contextmanager
def full_disk_is_said(out_dir: Path) -> Iterator[None]:
    """Both torch and safetensors fail on a full disk with errors that do not say so."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if shutil.disk_usage(out_dir).free > FREE_BYTES:
            raise
        raise ResourceError(
            f"{out_dir}: the disk is full; make room and give the same command again, the night "
            "goes on from its last checkpoint"
        ) from error


def save_adapter(model: Any, engine: Lender, adapter_tmp: Path) -> None:
    """Write the two files of an adapter, and nothing else."""
    shutil.rmtree(adapter_tmp, ignore_errors=True)
    # `auto` would ask the Hub whether the vocabulary was changed
    model.save_pretrained(
        str(adapter_tmp), selected_adapters=["default"], save_embedding_layers=False
    )
    for path in adapter_tmp.iterdir():
        if path.name not in ("adapter_model.safetensors", "adapter_config.json"):
            path.unlink()
    config_path = adapter_tmp / "adapter_config.json"
    values: JsonObject = json.loads(config_path.read_text(encoding="utf-8"))
    values |= {"base_model_name_or_path": engine.name, "revision": engine.revision}
    # peft writes sets in an order that differs from process to process
    values = {key: _in_order(value) for key, value in values.items()}
    write_json(config_path, values)


def _in_order(value: Any) -> Any:
    is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return sorted(value) if is_names else value


def not_finite(adapter_dir: Path) -> str | None:
    """Which weights of a saved adapter are no numbers, in a sentence; None when all are."""
    tensors = load_file(adapter_dir / "adapter_model.safetensors")
    bad = sorted(name for name, tensor in tensors.items() if not tensor.isfinite().all())
    return f"weights of {bad[0]} are not finite after training" if bad else None


def _fingerprint(
    engine: Lender, encoded: EncodedRows, config: SleepConfig, seed: int, start_from: Path | None
) -> str:
    """Names this night: what is trained, how, and from where."""
    parent = start_from / "adapter_model.safetensors" if start_from else None
    facts = {
        "rows": encoded.sha256,
        "config": config.model_dump(mode="json", exclude=NOT_OF_THE_NIGHT),
        "base": engine.base_sha256,
        "seed": seed,
        "parent": hashlib.sha256(parent.read_bytes()).hexdigest() if parent else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _train(
    engine: Lender,
    encoded: EncodedRows,
    config: SleepConfig,
    watcher: Watcher,
    adapter_tmp: Path,
    *,
    seed: int,
    start_from: Path | None,
) -> None:
    """Train to the end, unless the watcher ends it before, and save what came of it."""
    out_dir = adapter_tmp.parent
    merged = start_from if config.method == "merge" else None
    with quiet_libraries(), engine.lend_base() as base, merged_into(base, merged):
        trainer = make_trainer(
            base,
            engine.tokenizer,
            encoded,
            config,
            out_dir=out_dir,
            seed=seed,
            start_from=None if merged else start_from,
        )
        trainer.add_callback(watcher)
        resumed = newest_complete(out_dir)
        with full_disk_is_said(out_dir):
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
            if watcher.failed_because is None and not watcher.was_stopped:
                save_adapter(trainer.model, engine, adapter_tmp)
                if merged:
                    add_deltas(merged, adapter_tmp, adapter_tmp)
        # optimizer and gradients would otherwise stay on the device until they are collected
        trainer.accelerator.free_memory()


def _usage(encoded: EncodedRows, config: SleepConfig, num_parameters: int, seconds: float) -> Usage:
    """Tokens of the whole night, resumed or not.

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
