"""The folder of a night: which trainer checkpoint may be resumed, and when a night is done.

    night/night.json       fingerprint of what is trained; a folder without its own is emptied first
    night/trainer/         the Trainer's own: checkpoints, written file by file, so that half of one
                           is possible, and the logs of its integrations
    night/adapter/         the result, moved here whole
    night/trained.json     the marker, written last

The Trainer itself takes the highest-numbered checkpoint whatever is in it: without
`trainer_state.json` it crashes, without `optimizer.pt` it goes on in silence with a fresh
optimizer. So the choice is made here.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ddl_train.records import JsonObject

TRAINER = "trainer"
COMPLETE = (
    "adapter_model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "trainer_state.json",
)
"""Files without which a resumed night would not equal an uninterrupted one."""
SHARDED = ("pytorch_model_fsdp.bin", "optimizer.bin", "scheduler.pt", "trainer_state.json")
"""The same of a night with FSDP."""


def complete_with(num_processes: int, *, is_sharded: bool) -> tuple[str, ...]:
    """The same of a night in several processes, each of which has its own random state."""
    files = SHARDED if is_sharded else tuple(name for name in COMPLETE if name != "rng_state.pth")
    return (*files, *(f"rng_state_{rank}.pth" for rank in range(num_processes)))


def open_night(night_dir: Path, fingerprint: str) -> JsonObject | None:
    """Make the folder ready for this night.

    Returns:
        What `close_night` wrote, when this very night is done already; None otherwise.
    """
    night = night_dir / "night.json"
    if _read(night).get("fingerprint") == fingerprint:
        done = _read(night_dir / "trained.json")
        if done and (night_dir / "adapter").is_dir():
            return done
    else:
        # the fingerprint goes first and comes last: a crash between leaves nothing of another night
        night.unlink(missing_ok=True)
        (night_dir / "trained.json").unlink(missing_ok=True)
        for name in ("adapter", TRAINER):
            shutil.rmtree(night_dir / name, ignore_errors=True)
        night_dir.mkdir(parents=True, exist_ok=True)
        write_json(night, {"fingerprint": fingerprint})
    return None


def newest_complete(night_dir: Path, files: Sequence[str] = COMPLETE) -> Path | None:
    """The newest checkpoint that can be resumed exactly; half-written ones are removed."""
    best: tuple[int, Path] | None = None
    for path in (night_dir / TRAINER).glob("checkpoint-*"):
        number = path.name.removeprefix("checkpoint-")
        if not (number.isdecimal() and _is_complete(path, files)):
            shutil.rmtree(path, ignore_errors=True)
        elif best is None or int(number) > best[0]:
            best = int(number), path
    return best[1] if best else None


def close_night(night_dir: Path, adapter_tmp: Path, facts: JsonObject) -> Path:
    """Move the adapter to its place, set the marker, drop the checkpoints."""
    adapter_dir = night_dir / "adapter"
    shutil.rmtree(adapter_dir, ignore_errors=True)
    os.replace(adapter_tmp, adapter_dir)
    write_json(night_dir / "trained.json", facts)
    drop_checkpoints(night_dir)
    return adapter_dir


def drop_checkpoints(night_dir: Path) -> None:
    """Remove all checkpoints and the model card that TRL writes; logs of integrations stay."""
    for path in (night_dir / TRAINER).glob("checkpoint-*"):
        shutil.rmtree(path, ignore_errors=True)
    (night_dir / TRAINER / "README.md").unlink(missing_ok=True)


def write_json(path: Path, value: JsonObject) -> None:
    """Replace a file in one step."""
    tmp = path.with_name(path.name + ".tmp")
    with tmp.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(tmp, path)


def _is_complete(checkpoint: Path, files: Sequence[str]) -> bool:
    if any(not _has_content(checkpoint / name) for name in files):
        return False
    return "global_step" in _read(checkpoint / "trainer_state.json")


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _read(path: Path) -> JsonObject:
    """A JSON object, empty when the file is missing or was not written to its end."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
