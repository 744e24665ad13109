"""A column of the world bench's tables: a measure, and how to read it from a cell."""

from collections.abc import Callable
from dataclasses import dataclass

from ddl_train.bench.learning import Change, Share
from ddl_train.records import JsonObject

Value = Share | Change | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """A measure: its name and how to read it from a cell, as a share or as a number."""

    name: str
    read: Callable[[JsonObject], Value]
