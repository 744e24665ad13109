"""What a stage tells of its work while it goes on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class StageProgress(Protocol):
    """What one stage tells of its work while it goes on."""

    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        """`n` more items are done; `facts` (an admission rate, a loss) replace those shown.

        `total` is told by a stage that learns only at work how much there is.
        """
        ...


class SilentProgress:
    """A `Progress` that says nothing."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator["StageProgress"]:
        yield _SilentStage()


class _SilentStage:
    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        pass


class Progress(Protocol):
    """Who wants to know how far a run is.

    `report.progress` has one that draws bars, one that prints plain lines, and a silent one.
    """

    def stage(self, name: str, total: int | None) -> AbstractContextManager[StageProgress]:
        """Begin a stage of `total` items (None when not known); leaving the context ends it."""
        ...
