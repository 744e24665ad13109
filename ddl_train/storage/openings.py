"""Openings of the sealed thirds of probe files, each written down with what was looked at."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ddl_train.storage.database import transaction
from ddl_train.storage.history import now

_KEY = "sealed/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """Somebody asked the sealed questions."""

    opened_at: str
    cycle: int
    adapters: tuple[str, ...]
    suites: tuple[str, ...]
    num_items: int


def record_opening(
    connection: sqlite3.Connection,
    *,
    cycle: int,
    adapters: Sequence[str],
    suites: Sequence[str],
    num_items: int,
) -> Opening:
    """Write an opening down, before anything is asked."""
    opening = Opening(
        opened_at=now(),
        cycle=cycle,
        adapters=tuple(adapters),
        suites=tuple(suites),
        num_items=num_items,
    )
    with transaction(connection):
        number = len(read_openings(connection)) + 1
        connection.execute(
            "INSERT INTO state (key, value) VALUES (?, ?)",
            (f"{_KEY}{number:06d}", json.dumps(asdict(opening))),
        )
    return opening


def read_openings(connection: sqlite3.Connection) -> list[Opening]:
    """All openings, first to last."""
    rows = connection.execute(
        "SELECT value FROM state WHERE key LIKE ? ORDER BY key", (f"{_KEY}%",)
    )
    return [_opening(json.loads(row["value"])) for row in rows]


def _opening(values: dict[str, object]) -> Opening:
    return Opening(
        opened_at=str(values["opened_at"]),
        cycle=int(str(values["cycle"])),
        adapters=tuple(map(str, _list(values["adapters"]))),
        suites=tuple(map(str, _list(values["suites"]))),
        num_items=int(str(values["num_items"])),
    )


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []
