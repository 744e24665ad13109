"""Strata of the pair space: what is known of a pair before it is dreamt on.

    cosine       in steps of 0.1, the most telling first
    verdicts     what became of pairs that share a concept with it, weighted by how near their other
                 concept lies to its other concept (nearest neighbours vote, Cover and Hart 1967)
    sources      the same, or different ones; an insight is a source of its own
    depth        of the deeper concept: 0 for documents
    strength     of the stronger concept: a document's is 1
    age          cycles since the younger concept came

A stratum is a path from the wide to the narrow. Nothing here walks over all concepts: it looks at
the concepts of the candidates, and at the last few verdicts on each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddl_train.memory.bandit import Path
from ddl_train.memory.bands import bands
from ddl_train.memory.index import IdArray
from ddl_train.memory.reading import select_in
from ddl_train.memory.space import Ids, Lineages
from ddl_train.memory.vectors import Vectors
from ddl_train.memory.yields import Yields

_ENOUGH = 3
"""Verdicts on near pairs, none of them a link, after which a concept is called barren."""
_LEAST_EVIDENCE = 0.02
"""Summed weight of verdicts below which third concepts tell nothing."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of one concept."""

    source: str | int
    depth: int
    cycle: int
    strength: float
    record: str
    """Whether a link was found to it, was looked for in vain, or neither."""


class Strata:
    """Tells the stratum of each of many pairs at once."""

    def __init__(
        self, yields: Yields, lineages: Lineages, vectors: Vectors | None, *, now: int
    ) -> None:
        """Wire it up.

        Args:
            yields: up to date.
            lineages: up to date.
            vectors: of the concepts; None leaves distances out.
            now: cycle under way.
        """
        self._yields = yields
        self._lineages = lineages
        self._vectors = vectors
        self._now = now

    def of(self, pairs: Sequence[Ids]) -> list[Path]:
        """The stratum of each pair."""
        if not pairs:
            return []
        ids = np.array(pairs, dtype=np.int64)
        names = ["no vectors"] * len(pairs)
        if self._vectors is not None:
            names = bands(self._vectors.cosines(ids[:, 0], ids[:, 1]))
        facts = self._facts(ids)
        return [
            (self._thirds(a, b), band, *_kind(facts[a], facts[b], self._now))
            for band, (a, b) in zip(names, pairs, strict=True)
        ]

    def _facts(self, ids: IdArray) -> dict[int, _Facts]:
        select = "SELECT concept_id, kind, source, depth, cycle FROM concepts WHERE concept_id IN "
        parents, lineages = self._lineages.parents, self._lineages
        return {
            row[0]: _Facts(
                source=row[0] if row[1] == "insight" else row[2],
                depth=row[3],
                cycle=row[4],
                strength=lineages.strength(row[0], self._now) if row[0] in parents else 1.0,
                record=self._record(row[0]),
            )
            for row in select_in(self._yields.connection, select, np.unique(ids).tolist())
        }

    def _record(self, concept_id: int) -> str:
        verdicts = self._yields.judged(concept_id).values()
        if any(hit for hit, _ in verdicts):
            return "fruitful"
        return "barren" if sum(near > 0.1 for _, near in verdicts) >= _ENOUGH else "untried"

    def _thirds(self, a: int, b: int) -> str:
        """What the verdicts on both with the same third concepts say together."""
        of_a, of_b = self._yields.judged(a), self._yields.judged(b)
        weights = [0.0, 0.0, 0.0]
        for third in of_a.keys() & of_b.keys():
            (hit, near), (other_hit, other_near) = of_a[third], of_b[third]
            weights[hit + other_hit] += near * other_near
        return _third(weights)


def _third(weights: Sequence[float]) -> str:
    total = sum(weights)
    if total < _LEAST_EVIDENCE:
        return "no thirds"
    for name, weight in zip(("refused", "split", "admitted"), weights, strict=True):
        if weight > total / 2:
            return f"thirds {name}"
    return "thirds mixed"


def _kind(a: _Facts, b: _Facts, now: int) -> Path:
    deepest = max(a.depth, b.depth)
    strength = max(a.strength, b.strength)
    return (
        " and ".join(sorted((a.record, b.record))),
        "one source" if a.source == b.source else "two sources",
        f"depth {deepest}" if deepest < 2 else "depth 2 or more",
        "faded" if strength < 1 else "plain" if strength == 1 else "built upon",
        "new" if now - max(a.cycle, b.cycle) <= 1 else "old",
    )
