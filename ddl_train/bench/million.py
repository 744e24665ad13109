"""Memories of any size made on the spot: clustered vectors, and concepts written by SQL alone."""

from collections.abc import Iterator, Sequence

import numpy as np

from ddl_train.records import FloatArray, Usage
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run

NUM_CLUSTERS = 1000
SPREAD = 0.7
"""Standard deviation of the points around the centre of their cluster, which has 1."""
PIECES_PER_SOURCE = 100
_ROWS_AT_ONCE = 20_000

_NUMBERS = (
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
)


class ClusteredEmbedder:
    """A text is a point near one of the centres; the same text is the same point."""

    def __init__(self, width: int) -> None:
        self.name = f"clustered:{width}"
        self._width = width
        random = np.random.default_rng(0)
        self._centres = random.standard_normal((NUM_CLUSTERS, width), dtype=np.float32)

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Unit rows [n, width]."""
        seeds = [int.from_bytes(text.encode(), "big") for text in texts]
        parts = [self.points(seed, 1) for seed in seeds]
        return np.concatenate(parts) if parts else np.empty((0, self._width), np.float32), Usage()

    def points(self, seed: int, number: int) -> FloatArray:
        """So many points, unit rows [number, width]; the seed decides which."""
        random = np.random.default_rng(seed)
        centres = self._centres[random.integers(0, NUM_CLUSTERS, number)]
        noise = random.standard_normal((number, self._width), dtype=np.float32)
        points = centres + SPREAD * noise
        return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), dtype=np.float32)

    def slices(self, number: int) -> Iterator[FloatArray]:
        """The first so many points of memory, in slices."""
        for start in range(0, number, _ROWS_AT_ONCE):
            yield self.points(start, min(_ROWS_AT_ONCE, number - start))


def fill(run: Run, num_concepts: int, embedder: ClusteredEmbedder) -> None:
    """Give an empty run so many concepts with their vectors, as ingest would leave them."""
    place = f"'s' || (n / {PIECES_PER_SOURCE})"
    with transaction(run.database) as sql:
        sql.execute(
            f"INSERT OR IGNORE INTO sources SELECT 's' || n, 'sha', 0, -1 FROM ({_NUMBERS} "
            "SELECT n - 1 AS n FROM numbers)",
            (num_concepts // PIECES_PER_SOURCE + 1,),
        )
        sql.execute(
            f"{_NUMBERS} INSERT INTO concepts SELECT n, 'concept ' || n, printf('%09d', n), "
            f"'document', {place}, n % {PIECES_PER_SOURCE}, 0, -1 FROM numbers",
            (num_concepts,),
        )
        sql.execute(
            f"{_NUMBERS} INSERT INTO pieces SELECT {place}, n % {PIECES_PER_SOURCE}, "
            "printf('%09d', n) FROM numbers",
            (num_concepts,),
        )
        sql.execute(
            "INSERT INTO blocks (first_concept, last_concept) VALUES (1, ?)", (num_concepts,)
        )
        first = 1
        for points in embedder.slices(num_concepts):
            rows = (point.tobytes() for point in points)
            sql.executemany(
                "INSERT INTO embeddings VALUES (?, ?, ?)",
                ((first + n, embedder.name, row) for n, row in enumerate(rows)),
            )
            first += len(points)
