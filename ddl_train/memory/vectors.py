"""Where concepts lie: their vectors in the database (`stored.py`), and the index over them.

The index is a cache of the database. It is loaded from its file or built when memory is opened,
grows with every concept, and changes its kind (`kinds.py`) only when memory is opened or has read
sources, never in the middle of a wake.
"""

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddl_train.memory.build import build_index, is_right
from ddl_train.memory.index import IdArray, VectorIndex, load_index, save_index
from ddl_train.memory.kinds import CANDIDATES_PER_HIT, Limits
from ddl_train.memory.stored import StoredVectors
from ddl_train.records import Embedder, FloatArray, Progress, SilentProgress, Usage
from ddl_train.storage.cache import remove_index
from ddl_train.storage.database import transaction
from ddl_train.storage.ledger import UsageRow, add_usage

_logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 256
_QUERIES_AT_ONCE = 64
_BEHIND = 0.01
"""Share of the rows that a file may lack and not be written again."""


class Vectors:
    """Vectors of all concepts under one embedder. Brings itself up to date when made."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        embedder: Embedder,
        index_path: Path,
        *,
        is_read_only: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._connection = connection
        self._embedder = embedder
        self._path = index_path
        self._is_read_only = is_read_only
        self._limits = limits or Limits()
        self._stored = StoredVectors(connection, embedder.name)
        self._index: VectorIndex | None = None
        self._num_saved = -1
        """Rows of the index file; -1 when there is none that fits."""
        self.update()

    def __len__(self) -> int:
        return len(self._index) if self._index else 0

    def update(self, progress: Progress | None = None) -> None:
        """Embed what has no vector yet, and bring the index in line with the database."""
        if not self._is_read_only:
            self._embed_owed(progress or SilentProgress())
            self._stored.fix_mean()
        if self._stored.mean is not None:
            self._choose_index()
        self.take_in()

    def take_in(self) -> None:
        """Add to the index what was stored since."""
        index = self._index
        if index is not None:
            last = int(index.ids[-1]) if len(index) else 0
            for some_ids, vectors in self._stored.stream(after=last):
                index.add(some_ids, vectors)

    def rebuild(self) -> None:
        """Make the index anew from the database and write it."""
        self._index, self._num_saved = None, -1
        remove_index(self._path)
        self.update()
        self.save()

    def save(self) -> None:
        """Write the index file, for a faster start the next time, unless it lacks next to nothing."""
        index = self._index
        if index is None or self._is_read_only:
            return
        num_lacking = len(index) - self._num_saved
        if self._num_saved < 0 or num_lacking > _BEHIND * len(index):
            save_index(
                index,
                self._path,
                embedder=self._embedder.name,
                mean_sha256=self._stored.mean_sha256,
            )
            self._num_saved = len(index)

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """What the embedder gives for texts, not centred, and what it cost."""
        vectors, usage = self._embedder.embed(list(texts))
        return np.ascontiguousarray(vectors, dtype=np.float32), usage

    def centre(self, vectors: FloatArray) -> FloatArray:
        """Subtract the fixed mean and bring to length 1; a vector equal to the mean becomes 0."""
        return self._stored.centre(vectors)

    def nearest(self, vectors: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """Nearest concepts to the embedder's vectors: ids and cosines, [n, min(k, concepts)]."""
        if self._index is None:
            shape = (len(vectors), 0)
            return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        return self._search(self.centre(vectors), k)

    def neighbours(self, ids: IdArray, k: int) -> tuple[IdArray, FloatArray]:
        """Nearest concepts to concepts, themselves included."""
        return self._search(self.of(ids), k)

    def cosines(self, a_ids: IdArray, b_ids: IdArray) -> FloatArray:
        """Cosine of each concept of `a_ids` with its partner in `b_ids`."""
        products = self.of(a_ids) * self.of(b_ids)
        return np.asarray(products.sum(axis=1), dtype=np.float32)

    def insert(self, ids: Sequence[int], vectors: FloatArray) -> None:
        """Store vectors of new concepts, inside the caller's transaction. `take_in` follows."""
        self._stored.insert(ids, vectors)

    def of(self, ids: IdArray) -> FloatArray:
        """Centred vectors of concepts, in the order of `ids`: [n, width]."""
        assert self._index is not None
        return self._index.vectors(ids) if self._index.is_whole else self._stored.fetch(ids)

    def _search(self, vectors: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """Ids and cosines; what a compressed index finds is ranked by the stored vectors."""
        index = self._index
        assert index is not None
        if index.is_whole:
            return index.search(vectors, k)
        k = min(k, len(index))
        ids = np.empty((len(vectors), k), dtype=np.int64)
        cosines = np.empty((len(vectors), k), dtype=np.float32)
        for start in range(0, len(vectors), _QUERIES_AT_ONCE):
            part = slice(start, start + _QUERIES_AT_ONCE)
            found, _ = index.search(vectors[part], CANDIDATES_PER_HIT * k)
            unique, places = np.unique(found, return_inverse=True)
            products = np.einsum(
                "qcw,qw->qc", self._stored.fetch(unique)[places.reshape(found.shape)], vectors[part]
            )
            order = np.argsort(-products, axis=1, kind="stable")[:, :k]
            ids[part] = np.take_along_axis(found, order, axis=1)
            cosines[part] = np.take_along_axis(products, order, axis=1)
        return ids, cosines

    def _choose_index(self) -> None:
        """Take the index from its file, or build it, unless the one at hand serves."""
        ids = self._stored.ids()
        if self._index is None:
            self._index = load_index(
                self._path,
                embedder=self._embedder.name,
                mean_sha256=self._stored.mean_sha256,
                ids=ids,
            )
            self._num_saved = len(self._index) if self._index is not None else -1
        num_documents = len(ids) - self._num_insights()
        if self._index is None or not is_right(self._index, num_documents, self._limits):
            self._index, self._num_saved = None, -1
            self._index = build_index(self._stored, ids, self._limits, num_documents=num_documents)
            if not self._index.is_exact:
                # At once: a run that is killed and goes on must search as it would have.
                self.save()

    def _num_insights(self) -> int:
        """Concepts that have no say in the kind of the index.

        If they had, a run killed in the middle of a wake would go on with another.
        """
        return int(self._connection.execute("SELECT count(*) FROM insights").fetchone()[0])

    def _embed_owed(self, progress: Progress) -> None:
        """Embed concepts without a vector of this embedder, a slice at a time.

        Each slice is stored with what it cost, which counts for the cycle of its newest concept.
        """
        name = self._embedder.name
        num_stale, num_owed = self._connection.execute(
            "SELECT (SELECT count(*) FROM embeddings WHERE embedder < ?1 OR embedder > ?1), "
            "(SELECT count(*) FROM concepts) "
            "- (SELECT count(*) FROM embeddings WHERE embedder = ?1)",
            (name,),
        ).fetchone()
        if num_stale:
            _logger.warning(
                "the embedder is %s now: %d concepts are embedded again", name, num_stale
            )
        if not num_owed:
            return
        with progress.stage("embed", num_owed) as bar:
            last = 0
            while rows := self._owed_after(last):
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
                bar.advance(len(rows))

    def _owed_after(self, concept_id: int) -> list[sqlite3.Row]:
        """The next few concepts, in the order of their ids, that have no vector of this embedder."""
        return self._connection.execute(
            "SELECT concept_id, text, cycle FROM concepts c WHERE concept_id > ? AND NOT EXISTS "
            "(SELECT 1 FROM embeddings e WHERE e.concept_id = c.concept_id AND e.embedder = ?) "
            "ORDER BY concept_id LIMIT ?",
            (concept_id, self._embedder.name, _ROWS_AT_ONCE),
        ).fetchall()
