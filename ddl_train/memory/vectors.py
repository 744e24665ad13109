"""Where concepts lie: their vectors in the database, and the index over them.

The database keeps what the embedder gave (float32, with the embedder's name). Vectors of one
model share a large common part: mean-pooled hidden states of unrelated texts have a cosine of
about 0.85. So the mean of what memory held when it was first filled is kept as well, subtracted
from every vector, and what is left is brought to length 1; then unrelated texts lie at about 0.
That mean is fixed once for each embedder, so cosines mean the same for the life of a run. Cosines
everywhere in memory are of centred vectors.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ddl_train.errors import RunError
from ddl_train.memory.index import IdArray, VectorIndex, load_index, save_index
from ddl_train.records import Embedder, FloatArray, Usage
from ddl_train.storage.cache import remove_index, stored_ids
from ddl_train.storage.database import transaction
from ddl_train.storage.ledger import UsageRow, add_usage

_logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 256
_SMALLEST_NORM = 1e-6


class Vectors:
    """Vectors of all concepts under one embedder. Brings itself up to date when made."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        embedder: Embedder,
        index_path: Path,
        *,
        is_read_only: bool = False,
    ) -> None:
        self._connection = connection
        self._embedder = embedder
        self._path = index_path
        self._is_read_only = is_read_only
        self._mean: FloatArray | None = None
        self._index: VectorIndex | None = None
        self.update()

    def __len__(self) -> int:
        return len(self._index) if self._index else 0

    def update(self, progress: Callable[[int], None] | None = None) -> None:
        """Embed what has no vector yet, and bring the index in line with the database."""
        if not self._is_read_only:
            self._embed_owed(progress)
            self._fix_mean()
        self._mean = self._read_mean()
        self.take_in()

    def take_in(self) -> None:
        """Add to the index what was stored since."""
        if self._mean is not None:
            self._fill_index(self._mean)

    def rebuild(self) -> None:
        """Make the index anew from the database and write it."""
        self._index = None
        remove_index(self._path)
        self.update()
        self.save()

    def save(self) -> None:
        """Write the index file, for a faster start the next time."""
        if self._index is not None and not self._is_read_only:
            save_index(self._index, self._path, embedder=self._embedder.name)

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """What the embedder gives for texts, not centred, and what it cost."""
        vectors, usage = self._embedder.embed(list(texts))
        return np.ascontiguousarray(vectors, dtype=np.float32), usage

    def centre(self, vectors: FloatArray) -> FloatArray:
        """Subtract the fixed mean and bring to length 1; a vector equal to the mean becomes 0."""
        mean = self._mean
        if mean is None:
            return vectors
        if vectors.shape[1] != len(mean):
            raise RunError(
                f"embedder {self._embedder.name} gives vectors of width {vectors.shape[1]}; "
                f"this run holds width {len(mean)}"
            )
        centred = vectors - mean
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        centred[norms[:, 0] < _SMALLEST_NORM] = 0
        return np.asarray(centred / np.maximum(norms, _SMALLEST_NORM), dtype=np.float32)

    def nearest(self, vectors: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """Nearest concepts to the embedder's vectors: ids and cosines, [n, min(k, concepts)]."""
        if self._index is None:
            shape = (len(vectors), 0)
            return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        return self._index.search(self.centre(vectors), k)

    def neighbours(self, ids: IdArray, k: int) -> tuple[IdArray, FloatArray]:
        """Nearest concepts to concepts, themselves included."""
        assert self._index is not None
        return self._index.search(self._index.vectors(ids), k)

    def cosines(self, a_ids: IdArray, b_ids: IdArray) -> FloatArray:
        """Cosine of each concept of `a_ids` with its partner in `b_ids`."""
        assert self._index is not None
        products = self._index.vectors(a_ids) * self._index.vectors(b_ids)
        return np.asarray(products.sum(axis=1), dtype=np.float32)

    def insert(self, ids: Sequence[int], vectors: FloatArray) -> None:
        """Store vectors of new concepts, inside the caller's transaction. `take_in` follows."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)",
            [
                (concept_id, self._embedder.name, vector.astype("<f4").tobytes())
                for concept_id, vector in zip(ids, vectors, strict=True)
            ],
        )

    def _embed_owed(self, progress: Callable[[int], None] | None) -> None:
        """Embed concepts without a vector of this embedder, a slice at a time.

        Each slice is stored with what it cost, which counts for the cycle of its newest concept.
        """
        stale = "SELECT count(*) FROM embeddings WHERE embedder != ?"
        num_stale = self._connection.execute(stale, (self._embedder.name,)).fetchone()[0]
        if num_stale:
            _logger.warning(
                "the embedder is %s now: %d concepts are embedded again",
                self._embedder.name,
                num_stale,
            )
        last = 0
        while True:
            rows = self._connection.execute(
                "SELECT concept_id, text, cycle FROM concepts c WHERE concept_id > ? AND NOT EXISTS "
                "(SELECT 1 FROM embeddings e WHERE e.concept_id = c.concept_id AND e.embedder = ?) "
                "ORDER BY concept_id LIMIT ?",
                (last, self._embedder.name, _ROWS_AT_ONCE),
            ).fetchall()
            if not rows:
                return
            last = rows[-1]["concept_id"]
            vectors, usage = self.embed([row["text"] for row in rows])
            cost = UsageRow(
                cycle=max(row["cycle"] for row in rows),
                role="embedder",
                item="ingest",
                num_calls=len(rows),
                usage=usage,
            )
            with transaction(self._connection):
                self.insert([row["concept_id"] for row in rows], vectors)
                add_usage(self._connection, cost)
            if progress:
                progress(len(rows))

    def _fix_mean(self) -> None:
        if self._read_mean() is not None:
            return
        total, count = None, 0
        for _, vectors in self._stored(after=0):
            part = vectors.sum(axis=0, dtype=np.float64)
            total = part if total is None else total + part
            count += len(vectors)
        if total is not None:
            mean = (total / count).astype("<f4")
            with transaction(self._connection):
                self._connection.execute(
                    "INSERT INTO means VALUES (?, ?)", (self._embedder.name, mean.tobytes())
                )

    def _read_mean(self) -> FloatArray | None:
        row = self._connection.execute(
            "SELECT vector FROM means WHERE embedder = ?", (self._embedder.name,)
        ).fetchone()
        return np.frombuffer(row["vector"], dtype="<f4") if row else None

    def _fill_index(self, mean: FloatArray) -> None:
        if self._index is None:
            ids = stored_ids(self._connection, self._embedder.name)
            self._index = load_index(self._path, embedder=self._embedder.name, ids=ids)
        if self._index is None or self._index.width != len(mean):
            self._index = VectorIndex(len(mean))
        last = int(self._index.ids[-1]) if len(self._index) else 0
        for some_ids, vectors in self._stored(after=last):
            self._index.add(some_ids, self.centre(vectors))

    def _stored(self, *, after: int) -> Iterator[tuple[IdArray, FloatArray]]:
        """Stored vectors of concepts above an id, streamed in slices in order of id."""
        while True:
            rows = self._connection.execute(
                "SELECT concept_id, vector FROM embeddings WHERE embedder = ? AND concept_id > ? "
                "ORDER BY concept_id LIMIT ?",
                (self._embedder.name, after, 16 * _ROWS_AT_ONCE),
            ).fetchall()
            if not rows:
                return
            joined = b"".join(row["vector"] for row in rows)
            ids = np.array([row["concept_id"] for row in rows], dtype=np.int64)
            yield ids, np.frombuffer(joined, dtype="<f4").reshape(len(rows), -1)
            after = int(ids[-1])
