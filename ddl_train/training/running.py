"""One training to its end, whatever is trained: resumed, saved, and what came of it.

done_before    what an earlier call of the same training brought
run_trainer    on from the newest checkpoint, and the adapter saved; train_from: from a given one
settle         stopped, failed, or an adapter in its place
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load_file

from ddl_train.errors import Interrupted, ResourceError
from ddl_train.records import JsonObject, Usage
from ddl_train.training.checkpoints import (
    close_night,
    drop_checkpoints,
    newest_complete,
    open_night,
    write_json,
)
from ddl_train.training.watcher import Watcher

FREE_BYTES = 2**24
"""With less room than this, a failure to write is put down to the disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedAdapter:
    """What a training brought."""

    dir: Path | None
    """Holds `adapter_model.safetensors` and `adapter_config.json`; None when it failed."""
    failed_because: str | None
    """One sentence: a loss that is no number, rows that are all too long."""
    usage: Usage
    metrics: Mapping[str, float]
    """num_steps, num_rows, num_too_long, loss_first, loss_last; train_seconds of the last call, and
    earlier_seconds of those before it, up to the checkpoint that it went on from."""


class Seen(Protocol):
    """What a `Watcher` saw of a training, here or in another process."""

    @property
    def was_stopped(self) -> bool: ...

    @property
    def failed_because(self) -> str | None: ...

    @property
    def metrics(self) -> Mapping[str, float]: ...


def done_before(out_dir: Path, facts: JsonObject) -> TrainedAdapter | None:
    """What this very training brought when it was done already; else its folder is made ready.

    Args:
        out_dir: of this training and of no other.
        facts: all that changes what is trained.
    """
    fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    done = open_night(out_dir, fingerprint)
    if done is None:
        return None
    return TrainedAdapter(
        dir=out_dir / "adapter",
        failed_because=None,
        usage=Usage(**done["usage"]),
        metrics=done["metrics"],
    )


def run_trainer(
    trainer: Any, watcher: Watcher, out_dir: Path, *, base: str, revision: str | None
) -> Path | None:
    """Train on from the newest whole checkpoint, and save the adapter; None when it was ended.

    Args:
        trainer: of TRL.
        watcher: may end it before its last step.
        out_dir: of this training.
        base: what the adapter's config names as its base.
        revision: commit of that base.

    Raises:
        ResourceError: the disk is full.
    """
    resumed = newest_complete(out_dir)
    return train_from(resumed, trainer, watcher, out_dir, base=base, revision=revision)


def train_from(
    checkpoint: Path | None,
    trainer: Any,
    watcher: Watcher,
    out_dir: Path,
    *,
    base: str,
    revision: str | None,
) -> Path | None:
    """The same on from a given checkpoint, None being the start; of several processes one saves.

    Returns:
        The saved adapter in the first process; None in others, and when training was ended.
    """
    trainer.add_callback(watcher)
    with full_disk_is_said(out_dir):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if watcher.failed_because is not None or watcher.was_stopped:
            return None
        weights = _gathered(trainer) if trainer.is_fsdp_enabled else None
        if not trainer.is_world_process_zero():
            return None
        tmp = out_dir / "adapter.tmp"
        return _save_adapter(trainer.model, tmp, base, revision, weights=weights)


def settle(
    out_dir: Path, saved: Path | None, watcher: Seen, counts: Mapping[str, float], usage: Usage
) -> TrainedAdapter:
    """Put a saved adapter in its place, or say why there is none.

    Args:
        out_dir: of this training.
        saved: from `run_trainer`.
        watcher: saw the training.
        counts: figures beside the watcher's.
        usage: what it cost; of its seconds those of this call.

    Raises:
        Interrupted: it was stopped; the same call goes on from its checkpoint.
    """
    if watcher.was_stopped:
        raise Interrupted("training stopped after saving a checkpoint")
    metrics = {**counts, **watcher.metrics}
    usage = replace(usage, seconds=usage.seconds + metrics.get("earlier_seconds", 0.0))
    failed_because = watcher.failed_because or (_not_finite(saved) if saved else None)
    if failed_because or saved is None:
        drop_checkpoints(out_dir)
        return TrainedAdapter(dir=None, failed_because=failed_because, usage=usage, metrics=metrics)
    adapter_dir = close_night(out_dir, saved, {"usage": asdict(usage), "metrics": metrics})
    return TrainedAdapter(dir=adapter_dir, failed_because=None, usage=usage, metrics=metrics)


def weights_sha256(adapter_dir: Path | None) -> str | None:
    """Names the weights that a training begins with, or learns from."""
    if adapter_dir is None:
        return None
    return hashlib.sha256((adapter_dir / "adapter_model.safetensors").read_bytes()).hexdigest()


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


def _gathered(trainer: Any) -> JsonObject:
    """The adapter's weights, whole, of which each process has a share; called in all of them."""
    named = trainer.model.named_parameters()
    return {name: one.full_tensor().cpu() for name, one in named if one.requires_grad}


def _save_adapter(
    model: Any,
    adapter_tmp: Path,
    base: str,
    revision: str | None,
    *,
    weights: JsonObject | None = None,
) -> Path:
    """Write the two files of an adapter, and nothing else."""
    shutil.rmtree(adapter_tmp, ignore_errors=True)
    given = {} if weights is None else {"state_dict": weights}
    # `auto` would ask the Hub whether the vocabulary was changed
    model.save_pretrained(
        str(adapter_tmp), selected_adapters=["default"], save_embedding_layers=False, **given
    )
    for path in adapter_tmp.iterdir():
        if path.name not in ("adapter_model.safetensors", "adapter_config.json"):
            path.unlink()
    config_path = adapter_tmp / "adapter_config.json"
    values: JsonObject = json.loads(config_path.read_text(encoding="utf-8"))
    values |= {"base_model_name_or_path": base, "revision": revision}
    # peft writes sets in an order that differs from process to process
    values = {key: _in_order(value) for key, value in values.items()}
    write_json(config_path, values)
    return adapter_tmp


def _in_order(value: Any) -> Any:
    is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return sorted(value) if is_names else value


def _not_finite(adapter_dir: Path) -> str | None:
    """Which weights of a saved adapter are no numbers, in a sentence; None when all are."""
    tensors = load_file(adapter_dir / "adapter_model.safetensors")
    bad = sorted(name for name, tensor in tensors.items() if not tensor.isfinite().all())
    return f"weights of {bad[0]} are not finite after training" if bad else None
