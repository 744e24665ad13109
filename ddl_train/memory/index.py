"""The nearest-neighbour index: FAISS, inner product of unit vectors.

A cache and nothing more: a file that does not fit its description (`storage.cache`) or the database
is built anew from the database, one that is only behind is completed. Which kind it is, `kinds.py`
says; an approximate one searches as widely as its recall, measured when it was built, asks for.
"""

import hashlib
import logging
from io import BufferedReader
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from faiss.contrib.ivf_tools import add_preassigned

from ddl_train.memory.centres import place_centres
from ddl_train.memory.exact import nearest_rows, search_exact
from ddl_train.memory.growing import GrowingIds
from ddl_train.memory.kinds import TARGET_RECALL, has_graph
from ddl_train.records import FloatArray
from ddl_train.storage.cache import (
    IdArray,
    IndexHeader,
    fits,
    ids_sha256,
    read_index_header,
    replacing_index,
    write_header,
)

__all__ = ["IdArray", "VectorIndex", "load_index", "save_index"]

_LEAST_EFFORT = 16
"""Nodes kept in sight in the graph of the lists' centres."""
_BLOCK_BYTES = 1 << 20
_BLOCKS_FROM = 20_000
"""Rows from which on exact search goes by blocks of a matrix product."""

_ASSIGNED_FROM = 1024
"""Rows that are added at once from which on a matrix product finds their lists: FAISS takes 2 to 5
times as long (faiss-cpu 1.15, one core)."""

_faiss: Any = faiss
_add_preassigned: Any = add_preassigned
_logger = logging.getLogger(__name__)


class VectorIndex:
    """Concept ids and their unit vectors, in ascending order of ids."""

    def __init__(self, width: int, factory: str = "Flat") -> None:
        self._index: Any = faiss.index_factory(width, factory, faiss.METRIC_INNER_PRODUCT)
        self._ids = GrowingIds()
        self.factory = factory
        self.recall = 1.0
        """Share of the 10 nearest that it was measured to find."""
        self.num_trained = 0
        """Rows that there were when it was built; 0 for an exact one."""

    @property
    def ids(self) -> IdArray:
        return self._ids.array

    @property
    def width(self) -> int:
        return int(self._index.d)

    @property
    def is_exact(self) -> bool:
        """Whether a search compares every row."""
        return self.factory == "Flat"

    @property
    def is_whole(self) -> bool:
        """Whether it can give vectors back as they came."""
        return self.factory.endswith("Flat")

    @property
    def effort(self) -> int:
        """Lists read, or nodes kept in sight, in a search; 0 when every row is compared."""
        if self.is_exact:
            return 0
        return int(self._index.nprobe if self._has_lists else self._index.hnsw.efSearch)

    @effort.setter
    def effort(self, value: int) -> None:
        name = "nprobe" if self._has_lists else "efSearch"
        space = faiss.ParameterSpace()
        space.set_index_parameter(self._index, name, value)
        if self._has_lists and has_graph(self.factory):
            space.set_index_parameter(
                self._index, "quantizer_efSearch", max(_LEAST_EFFORT, 2 * value)
            )

    @property
    def _has_lists(self) -> bool:
        return self.factory.startswith("IVF")

    def __len__(self) -> int:
        return len(self._ids)

    def train(self, sample: FloatArray, num_rows: int) -> None:
        """Learn from a sample of the `num_rows` vectors that are to come."""
        self.num_trained = num_rows
        sample = np.ascontiguousarray(sample, dtype=np.float32)
        if self._has_lists:
            place_centres(self._index, sample)
        self._index.train(sample)
        if self._has_lists and self.is_whole:
            self._index.make_direct_map()

    def add(self, ids: IdArray, vectors: FloatArray) -> None:
        """Append concepts; their ids must be above those that are there."""
        if len(ids) == 0:
            return
        assert len(ids) == len(vectors)
        assert len(self) == 0 or ids[0] > self.ids[-1]
        self._ids.append(ids)
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if self._has_lists and len(ids) >= _ASSIGNED_FROM and not has_graph(self.factory):
            _add_preassigned(self._index, vectors, nearest_rows(self._centres(), vectors))
        else:
            self._index.add(vectors)

    def search(self, vectors: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """Ids and cosines of the nearest, nearest first: [n, min(k, rows)]. Any number at once."""
        k = min(k, len(self))
        if k == 0 or len(vectors) == 0:
            shape = (len(vectors), k)
            return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if self.is_exact and len(self) >= _BLOCKS_FROM:
            cosines, rows = search_exact(self._matrix(), vectors, k)
            return self.ids[rows], cosines
        cosines, rows = self._index.search(vectors, k)
        if self.effort and rows.min() < 0:
            self._search_wider(vectors, cosines, rows)
        return self.ids[rows], cosines

    def _matrix(self) -> FloatArray:
        """Every vector, [rows, width], where FAISS holds them; valid until the next `add`."""
        return _view(self._index, len(self))

    def _centres(self) -> FloatArray:
        """Centre of every list, [lists, width]."""
        return _view(faiss.downcast_index(self._index.quantizer), int(self._index.nlist))

    def _search_wider(self, vectors: FloatArray, cosines: FloatArray, rows: IdArray) -> None:
        """Fill in queries whose lists hold fewer than k rows: read more lists for these alone."""
        usual = self.effort
        short = np.flatnonzero(rows.min(axis=1) < 0)
        while len(short):
            self.effort = min(8 * self.effort, len(self))
            cosines[short], rows[short] = self._index.search(vectors[short], rows.shape[1])
            if self.effort == len(self):
                break
            short = np.flatnonzero(rows.min(axis=1) < 0)
        self.effort = usual
        # A graph may have nodes that no path leads to: the nearest stands in for them.
        is_missing = rows < 0
        rows[is_missing] = np.broadcast_to(rows[:, :1], rows.shape)[is_missing]
        cosines[is_missing] = np.broadcast_to(cosines[:, :1], rows.shape)[is_missing]

    def vectors(self, ids: IdArray) -> FloatArray:
        """The vectors of concepts that the index holds, where it holds them whole."""
        rows = np.searchsorted(self.ids, ids)
        assert np.array_equal(self.ids[np.minimum(rows, len(self) - 1)], ids)
        if len(rows) == 0:
            return np.empty((0, self.width), dtype=np.float32)
        found: FloatArray = self._index.reconstruct_batch(rows.astype(np.int64))
        return found

    def tune(self, queries: FloatArray, nearest: IdArray, *, factor: int, widest: int) -> None:
        """Search as widely as the target recall needs, but not more widely than `widest`.

        Args:
            queries: vectors.
            nearest: concept ids of the truly nearest of each, [n, k].
            factor: so many times k are taken, and one more, as a query may find itself.
            widest: the largest effort to try.
        """
        k = nearest.shape[1]
        effort = 1 if self._has_lists else 2 * k
        while True:
            self.effort = effort
            found, _ = self.search(queries, factor * k + 1)
            num_found = sum(np.isin(a, b).sum() for a, b in zip(nearest, found, strict=True))
            self.recall = float(num_found / nearest.size)
            if self.recall >= TARGET_RECALL or effort >= widest:
                return
            effort = min(effort + max(effort // 2, 1), widest)


def _view(flat: Any, rows: int) -> FloatArray:
    matrix: FloatArray = faiss.rev_swig_ptr(flat.get_xb(), rows * flat.d).reshape(rows, flat.d)
    return matrix


def save_index(index: VectorIndex, path: Path, *, embedder: str, mean_sha256: str) -> None:
    """Write the file as a stream, then its description."""
    with replacing_index(path) as file:
        writer: Any = _faiss.PyCallbackIOWriter(file.write, _BLOCK_BYTES)
        faiss.write_index(index._index, writer)
    write_header(
        path,
        IndexHeader(
            rows=len(index),
            embedder=embedder,
            ids_sha256=ids_sha256(index.ids),
            sha256=file.sha256,
            mean_sha256=mean_sha256,
            factory=index.factory,
            effort=index.effort,
            recall=index.recall,
            num_trained=index.num_trained,
        ),
    )


def load_index(path: Path, *, embedder: str, mean_sha256: str, ids: IdArray) -> VectorIndex | None:
    """The stored index if it is whole and holds the first of `ids` in order, else None.

    Fewer rows than ids is no fault: the caller adds what is missing.
    """
    header = read_index_header(path)
    if header is None:
        return None
    if header.embedder != embedder or header.mean_sha256 not in ("", mean_sha256):
        whose = header.embedder if header.embedder != embedder else "another run"
        _logger.warning("%s: is the index of %s; it is built anew", path, whose)
        return None
    if not header.mean_sha256 or not fits(header, ids):
        return None
    try:
        with path.open("rb") as file:
            if _sha256(file) != header.sha256:
                return None
            file.seek(0)
            stored = faiss.read_index(_faiss.PyCallbackIOReader(file.read, _BLOCK_BYTES))
    except (OSError, RuntimeError):  # gone, or written by a FAISS that this one cannot read
        return None
    index = VectorIndex(stored.d, header.factory)
    index._index = stored
    index._ids.append(ids[: header.rows])
    index.recall, index.num_trained = header.recall, header.num_trained
    return index


def _sha256(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
