"""What the samplers may draw from; its cost does not grow with the number of concepts.

Nothing here walks over all concepts when a batch is drawn. Documents have strength 1 and are not listed; only insights carry weights and parents, and they are
read as they come. Sources are held as a number a concept.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddl_train.config import SamplerConfig
from ddl_train.memory.index import IdArray
from ddl_train.memory.origins import Origins
from ddl_train.memory.reading import latest_cycle
from ddl_train.memory.rows import strength_of

Ids = tuple[int, int]
NumberArray = NDArray[np.float64]


class Weights:
    """Weights of concepts in their order: 1 for all but a few."""

    def __init__(self, size: int, rows: IdArray, values: NumberArray) -> None:
        """Of `size` concepts, those at `rows` (ascending) weigh `values` (positive)."""
        self._size = size
        self._rows = rows
        self._values = values
        self._ends: NumberArray = rows.astype(np.float64) + 1 + np.cumsum(values - 1)
        """Sum of the weights up to each of the rows and with it."""
        self.total = float(size - len(rows) + values.sum())
        self.total_of_squares = float(size - len(rows) + (values**2).sum())

    def row_at(self, place: float) -> int:
        """The row on which a place in [0, total) falls when every row is as long as its weight."""
        number = int(np.searchsorted(self._ends, place, "right"))
        first = int(self._rows[number - 1]) + 1 if number else 0
        start = float(self._ends[number - 1]) if number else 0.0
        last = int(self._rows[number]) if number < len(self._rows) else self._size - 1
        return min(first + int(place - start), last)

    def of(self, rows: IdArray) -> NumberArray:
        weights = np.ones(rows.shape)
        if len(self._rows):
            places = np.minimum(np.searchsorted(self._rows, rows), len(self._rows) - 1)
            is_listed = self._rows[places] == rows
            weights[is_listed] = self._values[places[is_listed]]
        return weights


class Lineages:
    """Parents, children and last use of every insight, read once and then as they come."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_insight = 0
        self._children: dict[int, int] = {}
        self._last_cycle: dict[int, int] = {}
        self.parents: dict[int, Ids] = {}
        """Of each insight's concept, in the order of admission."""

    def update(self) -> None:
        """Read the insights that were admitted since."""
        rows = self._connection.execute(
            "SELECT insight_id, concept_id, parent_a, parent_b, cycle FROM insights "
            "WHERE insight_id > ? ORDER BY insight_id",
            (self._last_insight,),
        )
        for insight_id, concept_id, a, b, cycle in rows:
            self.parents[concept_id] = (a, b)
            self._last_cycle[concept_id] = max(cycle, self._last_cycle.get(concept_id, -1))
            for parent in (a, b):
                self._children[parent] = self._children.get(parent, 0) + 1
                self._last_cycle[parent] = max(cycle, self._last_cycle.get(parent, -1))
            self._last_insight = insight_id

    def strength(self, concept_id: int, now: int) -> float:
        age = now - self._last_cycle[concept_id]
        return strength_of(self._children.get(concept_id, 0), age)


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """The concepts that are neither stale nor forgotten."""

    ids: IdArray
    """Ascending."""
    weights: Weights
    insights: IdArray
    """Those of the ids that are insights."""
    parents: Mapping[int, Ids]
    """Of each insight's concept."""
    origins: Origins

    def place(self, ids: IdArray) -> IdArray:
        """Positions of ids; -1 for what may not be drawn."""
        if len(self.ids) == 0:
            return np.full(len(ids), -1)
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[rows] == ids, rows, -1)

    def holds(self, pair: Ids) -> bool:
        return bool(np.all(self.place(np.array(pair)) >= 0))


def read_space(
    connection: sqlite3.Connection,
    ids: IdArray,
    lineages: Lineages,
    origins: Origins,
    config: SamplerConfig,
) -> Space:
    """What the samplers of a config need to know of the concepts `ids`, and no more."""
    rows = np.empty(0, dtype=np.int64)
    values: NumberArray = np.empty(0)
    if config.strength or config.insight:
        lineages.update()
        members = np.fromiter(lineages.parents, dtype=np.int64, count=len(lineages.parents))
        rows = np.searchsorted(ids, members)
        is_held = rows < len(ids)
        is_held[is_held] = ids[rows[is_held]] == members[is_held]
        rows = rows[is_held]
    if config.near_other_source:
        origins.update()
    if config.strength:
        now = latest_cycle(connection)
        strengths = [lineages.strength(concept_id, now) for concept_id in ids[rows].tolist()]
        values = np.array(strengths, dtype=np.float32).astype(np.float64)
    return Space(
        ids=ids,
        weights=Weights(len(ids), rows if config.strength else rows[:0], values),
        insights=ids[rows],
        parents=lineages.parents,
        origins=origins,
    )
