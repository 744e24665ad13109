"""The description of a cached index: `index.json` beside `index.faiss`.

It says what the file holds (rows, embedder, the mean that was taken off, digest of the concept ids
in order) and its sha256, so that a file that is torn, of another embedder or another run, or of
other rows is known for what it is. Rows lie in the order of concept ids: a file that holds the
first of them is not wrong, only behind.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ddl_train.storage.files import replacing, sha256_of, write_text

IdArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexHeader:
    """What an index file holds."""

    rows: int
    embedder: str
    ids_sha256: str
    sha256: str
    """Of the file."""
    mean_sha256: str = ""
    """Of the mean that was taken off every vector; it differs from run to run."""
    factory: str = "Flat"
    """Its kind, in the words of FAISS's index factory."""
    effort: int = 0
    """How widely it searches: lists read (IVF), nodes kept in sight (HNSW); 0: everything."""
    recall: float = 1.0
    """Share of the 10 nearest that it finds, measured when it was built."""
    num_trained: int = 0
    """Rows that there were when it was built; 0 for an exact one."""


class HashingFile:
    """A file that is written to and whose sha256 is known at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.error: OSError | None = None
        """What went wrong in the last write; FAISS drops exceptions of its writer."""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, content: bytes) -> int:
        try:
            self._file.write(content)
        except OSError as error:
            self.error = error
            raise
        self._digest.update(content)
        return len(content)


@contextmanager
def replacing_index(path: Path) -> Iterator[HashingFile]:
    """Write an index file. `write_header` follows: a crash between the two means a rebuild."""
    with replacing(path) as file:
        hashing = HashingFile(file)
        try:
            yield hashing
        except RuntimeError as error:
            raise hashing.error or error from None


def write_header(path: Path, header: IndexHeader) -> None:
    """Describe the index file at `path`."""
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
    count, first, last = connection.execute(
        "SELECT count(*), min(concept_id), max(concept_id) FROM embeddings WHERE embedder = ?",
        (embedder,),
    ).fetchone()
    if count and last - first + 1 == count:  # nothing is missing between: no need to read each
        return np.arange(first, last + 1, dtype=np.int64)
    rows = connection.execute(
        "SELECT concept_id FROM embeddings WHERE embedder = ? ORDER BY concept_id", (embedder,)
    )
    return np.fromiter((row[0] for row in rows), dtype=np.int64)


def fits(header: IndexHeader, ids: IdArray) -> bool:
    """True when the index holds the first of these ids, in order."""
    return header.rows <= len(ids) and header.ids_sha256 == ids_sha256(ids[: header.rows])


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
    mean = connection.execute(
        "SELECT vector FROM means WHERE embedder = ?", (header.embedder,)
    ).fetchone()
    if header.mean_sha256 and (mean is None or header.mean_sha256 != sha256_of_mean(mean[0])):
        return "was made for the vectors of another run"
    return None


def sha256_of_mean(vector: bytes) -> str:
    return hashlib.sha256(vector).hexdigest()


def ids_sha256(ids: IdArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(ids, dtype="<i8").tobytes()).hexdigest()


def _header_path(path: Path) -> Path:
    return path.with_suffix(".json")
