"""Which source each concept came from, as one number a concept: looked up without asking SQLite."""

import sqlite3

import numpy as np

from ddl_train.memory.index import IdArray

_SMALLEST = 1024


class Origins:
    """Sources of all concepts, read once and then as they come; 8 bytes a concept."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last = 0
        self._numbers: IdArray = np.zeros(_SMALLEST, dtype=np.int64)
        """By concept id. Of documents a hash of the source's name, of insights less than the id."""

    def update(self) -> None:
        """Read the concepts that came since."""
        (last,) = self._connection.execute("SELECT max(concept_id) FROM concepts").fetchone()
        if last is None or last <= self._last:
            return
        if last >= len(self._numbers):
            grown = np.zeros(last + 1 + last // 4, dtype=np.int64)
            grown[: len(self._numbers)] = self._numbers
            self._numbers = grown
        rows = self._connection.execute(
            "SELECT concept_id, kind, source FROM concepts WHERE concept_id > ?", (self._last,)
        )
        for concept_id, kind, source in rows:
            self._numbers[concept_id] = -concept_id if kind == "insight" else hash(source)
        self._last = last

    def of(self, ids: IdArray) -> IdArray:
        """Numbers of concepts, equal where the source is; every insight is a source of its own."""
        return self._numbers[ids]
