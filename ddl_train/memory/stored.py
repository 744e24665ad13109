"""Vectors as the database holds them: the truth that every index is built from.

The database keeps what the embedder gave (float32, with the embedder's name). Vectors of one
model share a large common part: mean-pooled hidden states of unrelated texts have a cosine of
about 0.85. So the mean of what memory held when it was first filled is kept as well, subtracted
from every vector, and what is left is brought to length 1; then unrelated texts lie at about 0.
That mean is fixed once for each embedder, so cosines mean the same for the life of a run. Cosines
everywhere in memory are of centred vectors.
"""

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from ddl_train.errors import RunError
from ddl_train.memory.reading import select_in
from ddl_train.records import FloatArray
from ddl_train.storage.cache import IdArray, sha256_of_mean, stored_ids
from ddl_train.storage.database import transaction

_ROWS_AT_ONCE = 4096
_SMALLEST_NORM = 1e-6


class StoredVectors:
    """Vectors of one embedder in the database of a run."""

    def __init__(self, connection: sqlite3.Connection, embedder: str) -> None:
        self._connection = connection
        self.embedder = embedder
        self.mean = self._read_mean()
        """What is subtracted; None while there are no vectors."""

    @property
    def mean_sha256(self) -> str:
        assert self.mean is not None
        return sha256_of_mean(self.mean.tobytes())

    def ids(self) -> IdArray:
        """Every concept that has a vector, ascending."""
        return stored_ids(self._connection, self.embedder)

    def insert(self, ids: Sequence[int], vectors: FloatArray) -> None:
        """Keep the embedder's vectors of concepts, inside the caller's transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)",
            [
                (concept_id, self.embedder, vector.astype("<f4").tobytes())
                for concept_id, vector in zip(ids, vectors, strict=True)
            ],
        )

    def fix_mean(self) -> None:
        """Fix the mean of what there is, unless there is one or there is nothing."""
        self.mean = self._read_mean()
        if self.mean is not None:
            return
        total, count = None, 0
        for _, vectors in self._stream_raw(after=0):
            part = vectors.sum(axis=0, dtype=np.float64)
            total = part if total is None else total + part
            count += len(vectors)
        if total is not None:
            mean = (total / count).astype("<f4")
            with transaction(self._connection):
                self._connection.execute(
                    "INSERT INTO means VALUES (?, ?)", (self.embedder, mean.tobytes())
                )
            self.mean = self._read_mean()

    def centre(self, vectors: FloatArray) -> FloatArray:
        """Subtract the fixed mean and bring to length 1; a vector equal to the mean becomes 0."""
        mean = self.mean
        if mean is None:
            return vectors
        if vectors.shape[1] != len(mean):
            raise RunError(
                f"embedder {self.embedder} gives vectors of width {vectors.shape[1]}; "
                f"this run holds width {len(mean)}"
            )
        centred = vectors - mean
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        centred[norms[:, 0] < _SMALLEST_NORM] = 0
        return np.asarray(centred / np.maximum(norms, _SMALLEST_NORM), dtype=np.float32)

    def stream(self, *, after: int = 0) -> Iterator[tuple[IdArray, FloatArray]]:
        """Ids above one and their centred vectors, in slices in order of id."""
        for ids, vectors in self._stream_raw(after=after):
            yield ids, self.centre(vectors)

    def fetch(self, ids: IdArray) -> FloatArray:
        """Centred vectors of concepts, in the order of `ids`: [n, width]."""
        unique, places = np.unique(ids, return_inverse=True)
        select = "SELECT concept_id, vector FROM embeddings WHERE concept_id IN "
        found = {row[0]: row[1] for row in select_in(self._connection, select, unique.tolist())}
        joined = b"".join(found[concept_id] for concept_id in unique.tolist())
        vectors = np.frombuffer(joined, dtype="<f4").reshape(len(unique), -1)
        return self.centre(vectors)[places.ravel()]

    def _read_mean(self) -> FloatArray | None:
        row = self._connection.execute(
            "SELECT vector FROM means WHERE embedder = ?", (self.embedder,)
        ).fetchone()
        return np.frombuffer(row["vector"], dtype="<f4") if row else None

    def _stream_raw(self, *, after: int) -> Iterator[tuple[IdArray, FloatArray]]:
        while True:
            rows = self._connection.execute(
                "SELECT concept_id, vector FROM embeddings WHERE embedder = ? AND concept_id > ? "
                "ORDER BY concept_id LIMIT ?",
                (self.embedder, after, _ROWS_AT_ONCE),
            ).fetchall()
            if not rows:
                return
            joined = b"".join(row[1] for row in rows)
            ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            yield ids, np.frombuffer(joined, dtype="<f4").reshape(len(rows), -1)
            after = int(ids[-1])
