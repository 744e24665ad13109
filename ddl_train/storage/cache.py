"""The description of a cached index: `index.json` beside `index.faiss`.

It says what the file holds (rows, embedder, digest of the concept ids in order) and its sha256, so
that a file that is torn, of another embedder, or of other rows is known for what it is. Rows lie in
the order of concept ids: a file that holds the first of them is not wrong, only behind.
"""

import hashlib
import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddl_train.storage.files import sha256_of, write_bytes, write_text

IdArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexHeader:
    """What an index file holds."""

    rows: int
    embedder: str
    ids_sha256: str
    sha256: str
    """Of the file."""


def write_index(path: Path, content: bytes, *, embedder: str, ids: IdArray) -> None:
    """Write the file, then its description: a crash between the two means a rebuild."""
    header = IndexHeader(
        rows=len(ids),
        embedder=embedder,
        ids_sha256=_ids_sha256(ids),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    write_bytes(path, content)
    write_text(_header_path(path), json.dumps(asdict(header), indent=2) + "\n")


def read_index_header(path: Path) -> IndexHeader | None:
    """The description of an index file, or None if there is no readable one."""
    try:
        values = json.loads(_header_path(path).read_text(encoding="utf-8"))
        return IndexHeader(**values)
    except (OSError, ValueError, TypeError):
        return None


def remove_index(path: Path) -> None:
    path.unlink(missing_ok=True)
    _header_path(path).unlink(missing_ok=True)


def stored_ids(connection: sqlite3.Connection, embedder: str) -> IdArray:
    """Concepts that have a vector of an embedder: the rows of a complete index."""
    rows = connection.execute(
        "SELECT concept_id FROM embeddings WHERE embedder = ? ORDER BY concept_id", (embedder,)
    )
    return np.array([row[0] for row in rows], dtype=np.int64)


def fits(header: IndexHeader, ids: IdArray) -> bool:
    """True when the index holds the first of these ids, in order."""
    return header.rows <= len(ids) and header.ids_sha256 == _ids_sha256(ids[: header.rows])


def find_fault(connection: sqlite3.Connection, path: Path) -> str | None:
    """What is wrong with an index file; None when nothing is, or there is none."""
    header = read_index_header(path)
    if header is None:
        is_there = path.exists() or _header_path(path).exists()
        return "has no readable description" if is_there else None
    if not path.is_file() or sha256_of(path) != header.sha256:
        return "is torn or missing"
    if not fits(header, stored_ids(connection, header.embedder)):
        return "holds other rows than the database"
    return None


def _header_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _ids_sha256(ids: IdArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(ids, dtype="<i8").tobytes()).hexdigest()
