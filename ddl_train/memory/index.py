"""The nearest-neighbour index: FAISS, flat, inner product of unit vectors.

A cache and nothing more: a file that does not fit its description (`storage.cache`) or the database
is built anew from the database, one that is only behind is completed. Exact search serves up to
about a million concepts.
"""

import hashlib
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from ddl_train.records import FloatArray
from ddl_train.storage.cache import IdArray, fits, read_index_header, write_index

__all__ = ["IdArray", "VectorIndex", "load_index", "save_index"]


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
    content = faiss.serialize_index(index._index).tobytes()
    write_index(path, content, embedder=embedder, ids=index.ids)


def load_index(path: Path, *, embedder: str, ids: IdArray) -> VectorIndex | None:
    """The stored index if it is whole and holds the first of `ids` in order, else None.

    Fewer rows than ids is no fault: the caller adds what is missing.
    """
    header = read_index_header(path)
    if header is None or header.embedder != embedder or not fits(header, ids):
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != header.sha256:
        return None
    stored = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
    index = VectorIndex(stored.d)
    index._index = stored
    index.ids = ids[: header.rows].copy()
    return index
