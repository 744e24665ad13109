"""Adapters on disk: named by their content, there whole or not at all.

    adapters/<version>/adapter_model.safetensors
                       adapter_config.json
                       README.md                   (if the trainer wrote one)
                       manifest.json               (sha256 of each file; written last)

The version is the beginning of the sha256 of the manifest, so equal weights have equal names.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddl_train.errors import AdapterError
from ddl_train.records import AdapterVersion
from ddl_train.storage.database import transaction
from ddl_train.storage.files import (
    explained,
    fsync_dir,
    fsync_file,
    remove,
    sha256_of,
    tmp_path,
    write_text,
)

ALLOWED = ("adapter_model.safetensors", "adapter_config.json", "README.md")
"""No other file is ever part of an adapter; a pickle least of all."""

REQUIRED = ("adapter_model.safetensors", "adapter_config.json")
MANIFEST = "manifest.json"
_VERSION_LENGTH = 16


def install_adapter(tmp_dir: Path, adapters_dir: Path) -> tuple[str, Path]:
    """Move a finished adapter into place under the name of its content.

    `tmp_dir` must lie on the same disk; it is gone afterwards. An adapter that is installed
    already is left as it is.

    Raises:
        AdapterError: a required file is missing, or there is one that does not belong.
    """
    _check_names(tmp_dir)
    with explained(adapters_dir):
        adapters_dir.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in tmp_dir.iterdir() if path.name != MANIFEST)
        for name in names:
            fsync_file(tmp_dir / name)
        manifest = _manifest(tmp_dir, names)
        version = hashlib.sha256(manifest.encode()).hexdigest()[:_VERSION_LENGTH]
        write_text(tmp_dir / MANIFEST, manifest)
        target = adapters_dir / version
        if target.exists():
            if is_whole(target):
                remove(tmp_dir)
                return version, target
            os.replace(target, tmp_path(adapters_dir))
        os.replace(tmp_dir, target)
        fsync_dir(adapters_dir)
    return version, target


def verify_adapter(path: Path) -> None:
    """Read every byte of an adapter and compare it with the manifest and the name.

    Raises:
        AdapterError: a file is missing, changed or does not belong.
    """
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
        files: dict[str, Any] = json.loads(text)["files"]
    except FileNotFoundError:
        raise AdapterError(f"{path}: has no {MANIFEST}, so it is not a whole adapter") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdapterError(f"{path}: its {MANIFEST} cannot be read ({error})") from None
    if hashlib.sha256(text.encode()).hexdigest()[:_VERSION_LENGTH] != path.name:
        raise AdapterError(f"{path}: its {MANIFEST} does not belong to the name of the folder")
    _check_names(path)
    present = {file.name for file in path.iterdir()} - {MANIFEST}
    if present != files.keys():
        raise AdapterError(f"{path}: holds {sorted(present)}; expected {sorted(files)}")
    for name, facts in files.items():
        if sha256_of(path / name) != facts["sha256"]:
            raise AdapterError(f"{path}: {name} has been changed or is damaged")


def keep_adapter(
    connection: sqlite3.Connection, adapter: AdapterVersion, seen: Iterable[tuple[str, int]]
) -> None:
    """Make an installed adapter known, with what its night saw: ("insight" or "concept", id).

    An adapter of the same content keeps the row it has.
    """
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    with transaction(connection):
        connection.execute(
            "INSERT INTO adapters (version, cycle, base, base_sha256, parent, num_rows, "
            "num_insights, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (version) DO NOTHING",
            (
                adapter.version,
                adapter.cycle,
                adapter.base,
                adapter.base_sha256,
                adapter.parent,
                adapter.num_rows,
                adapter.num_insights,
                created_at,
            ),
        )
        connection.executemany(
            "INSERT OR IGNORE INTO night_rows VALUES (?, ?, ?, ?)",
            [(adapter.version, subject, number, adapter.cycle) for subject, number in seen],
        )


def drop_adapter(connection: sqlite3.Connection, adapter: AdapterVersion) -> None:
    """Forget an adapter that nothing refers to yet: its rows first, then its files."""
    with transaction(connection):
        for table in ("night_rows", "adapters"):
            connection.execute(f"DELETE FROM {table} WHERE version = ?", (adapter.version,))
    remove(adapter.path)


def read_adapters(connection: sqlite3.Connection, adapters_dir: Path) -> list[AdapterVersion]:
    """All known adapters, in the order they were made."""
    return [
        AdapterVersion(
            version=row["version"],
            path=adapters_dir / row["version"],
            cycle=row["cycle"],
            base=row["base"],
            base_sha256=row["base_sha256"],
            parent=row["parent"],
            num_rows=row["num_rows"],
            num_insights=row["num_insights"],
        )
        for row in connection.execute("SELECT * FROM adapters ORDER BY adapter_id")
    ]


def is_whole(path: Path) -> bool:
    try:
        verify_adapter(path)
    except AdapterError:
        return False
    return True


def _check_names(folder: Path) -> None:
    if not folder.is_dir():
        raise AdapterError(f"{folder}: no such adapter folder")
    for path in sorted(folder.iterdir()):
        if path.name not in (*ALLOWED, MANIFEST) or path.is_symlink() or not path.is_file():
            raise AdapterError(
                f"{folder}: holds {path.name!r}; an adapter holds only {', '.join(ALLOWED)}"
            )
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise AdapterError(f"{folder}: lacks {name}, so it is not a LoRA adapter")


def _manifest(folder: Path, names: list[str]) -> str:
    files = {
        name: {"sha256": sha256_of(folder / name), "num_bytes": (folder / name).stat().st_size}
        for name in names
    }
    return json.dumps({"format": 1, "files": files}, indent=2, sort_keys=True) + "\n"
