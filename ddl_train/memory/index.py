"""The nearest-neighbour index: FAISS, flat, inner product of unit vectors.

A cache and nothing more. `index.faiss` is described by `index.json` (rows, embedder, digest of the
concept ids, sha256 of the file); a file that does not fit its description or the database is
rebuilt from the database. Rows lie in the order of concept ids, so a file that is only behind is
completed instead. Exact search serves up to about a million concepts.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ddl_train.records import FloatArray
from ddl_train.storage.files import write_bytes, write_text

IdArray = NDArray[np.int64]


class VectorIndex:
    """Concept ids and their unit vectors, in ascending order of ids."""

    def __init__(self, width: int) -> None:
        self._index: Any = faiss.IndexFlatIP(width)
        self.ids: IdArray = np.empty(0, dtype=np.int64)

    @property
    def width(self) -> int:
        return int(self._index.d)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: IdArray, vectors: FloatArray) -> None:
        """Append concepts; their ids must be above those that are there."""
        if len(ids) == 0:
            return
        assert len(ids) == len(vectors)
        assert np.all(np.diff(ids) > 0) and (len(self) == 0 or ids[0] > self.ids[-1])
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self.ids = np.concatenate([self.ids, ids.astype(np.int64)])

    def search(self, vectors: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """Ids and cosines of the nearest, nearest first: [n, min(k, rows)]."""
        k = min(k, len(self))
        if k == 0 or len(vectors) == 0:
            shape = (len(vectors), k)
            return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        cosines, rows = self._index.search(np.ascontiguousarray(vectors, dtype=np.float32), k)
        return self.ids[rows], cosines

    def vectors(self, ids: IdArray) -> FloatArray:
        """The vectors of concepts that the index holds."""
        rows = np.searchsorted(self.ids, ids)
        assert np.array_equal(self.ids[np.minimum(rows, len(self) - 1)], ids)
        if len(rows) == 0:
            return np.empty((0, self.width), dtype=np.float32)
        found: FloatArray = self._index.reconstruct_batch(rows.astype(np.int64))
        return found


def save_index(index: VectorIndex, path: Path, *, embedder: str) -> None:
    """Write the file, then its description: a crash between the two means a rebuild."""
    content = faiss.serialize_index(index._index).tobytes()
    header = {
        "rows": len(index),
        "embedder": embedder,
        "ids_sha256": _ids_sha256(index.ids),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_bytes(path, content)
    write_text(header_path(path), json.dumps(header, indent=2) + "\n")


def load_index(path: Path, *, embedder: str, ids: IdArray) -> VectorIndex | None:
    """The stored index if it holds the first of `ids` in order, else None.

    Fewer rows than ids is no fault: the caller adds what is missing.
    """
    header = read_header(path)
    if header is None or header["embedder"] != embedder or header["rows"] > len(ids):
        return None
    kept = ids[: header["rows"]]
    if header["ids_sha256"] != _ids_sha256(kept):
        return None
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != header["sha256"]:
        return None
    stored = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
    index = VectorIndex(stored.d)
    index._index = stored
    index.ids = kept.copy()
    return index


def remove_index(path: Path) -> None:
    path.unlink(missing_ok=True)
    header_path(path).unlink(missing_ok=True)


def read_header(path: Path) -> dict[str, Any] | None:
    """The description of a stored index, or None if there is no readable one."""
    try:
        header = json.loads(header_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(header, dict) and path.is_file()
    keys = {"rows", "embedder", "ids_sha256", "sha256"}
    return header if is_whole and keys <= header.keys() else None


def header_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _ids_sha256(ids: IdArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(ids, dtype="<i8").tobytes()).hexdigest()
