"""Ascending ids that grow at the end without being copied each time."""

import numpy as np

from ddl_train.storage.cache import IdArray

_SMALLEST = 1024


class GrowingIds:
    """Concept ids in ascending order."""

    def __init__(self, ids: IdArray | None = None) -> None:
        self._room: IdArray = np.empty(0, dtype=np.int64) if ids is None else ids
        self._size = len(self._room)

    @property
    def array(self) -> IdArray:
        """What is held now, as a view that later growth does not change."""
        return self._room[: self._size]

    def __len__(self) -> int:
        return self._size

    def append(self, ids: IdArray) -> None:
        """Add ascending ids; those that are there already come first and change nothing."""
        if self._size:
            ids = ids[ids > self._room[self._size - 1]]
        assert np.all(np.diff(ids) > 0)
        size = self._size + len(ids)
        if size > len(self._room):
            room = np.empty(max(_SMALLEST, size + size // 4), dtype=np.int64)
            room[: self._size] = self.array
            self._room = room
        self._room[self._size : size] = ids
        self._size = size
