"""Which files are as they were when they were read last: by size and time of change, unopened.

A file is stamped only when memory holds every document of it as it was read. So a file that gave no
text, or a document that was forgotten, is read again each time, and no name of what was forgotten
is kept.
"""

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ddl_train.storage.database import transaction

SETTLED_NS = 2 * 10**9
"""A file changed less than this before it was read may change again without its time showing it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """A file, or a dataset directory, as it was found before it was read."""

    path: str
    value: str
    """Size and time of change; of a directory a hash of those of all its files."""
    documents: Mapping[str, str]
    """Source -> hash of every document that it holds."""


def stamp_of(path: Path) -> str | None:
    """The stamp of a file or a directory now; None when it changed too recently to be told apart."""
    inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    try:
        found = [(str(one), one.stat()) for one in inside]
    except OSError:
        return None  # reading it says what is wrong
    if not found or max(stat.st_mtime_ns for _, stat in found) > time.time_ns() - SETTLED_NS:
        return None
    lines = [f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in found]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_stamps(connection: sqlite3.Connection) -> dict[str, str]:
    """Path -> stamp of the files that memory holds whole."""
    rows = connection.execute("SELECT path, stamp FROM files ORDER BY path")
    return {row["path"]: row["stamp"] for row in rows}


def write_stamps(
    connection: sqlite3.Connection, stamps: Iterable[Stamp], known: Mapping[str, str]
) -> None:
    """Keep the stamps of those files whose documents are all known as they were read.

    Args:
        connection: of the run.
        stamps: of one reading.
        known: source -> hash of what memory has now.
    """
    with transaction(connection):
        connection.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?)",
            [
                (one.path, one.value)
                for one in stamps
                if all(known.get(source) == digest for source, digest in one.documents.items())
            ],
        )


def drop_stamps(connection: sqlite3.Connection) -> None:
    """Have every file read again, inside the caller's transaction."""
    connection.execute("DELETE FROM files")
