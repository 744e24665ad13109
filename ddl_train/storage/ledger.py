"""The ledger: what every role has cost, row by row."""

import sqlite3
from dataclasses import dataclass

from ddl_train.records import Usage
from ddl_train.storage.database import transaction

WAKE_ROLES = ("generator", "embedder", "screen", "critic", "second", "rationale")
"""Roles whose costs are those of daydreaming."""
_AMOUNTS = ("num_calls", "num_prompt_tokens", "num_completion_tokens", "seconds", "flops")


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRow:
    """One entry of the ledger."""

    cycle: int
    role: str
    """One of `WAKE_ROLES`, or student, trainer, probes, ..."""
    num_calls: int
    """Items that were asked for."""
    usage: Usage
    item: str | None = None
    """Piece of work it was spent on, once for each role and cycle; None when it has no name."""


def record_usage(connection: sqlite3.Connection, row: UsageRow) -> None:
    """Enter a row. The same piece of work, done again after a crash, replaces its first entry."""
    with transaction(connection):
        _enter(connection, row, ", ".join(f"{name} = excluded.{name}" for name in _AMOUNTS))


def add_usage(connection: sqlite3.Connection, row: UsageRow) -> None:
    """Add to a named row, inside the caller's transaction: with it goes what the cost was for."""
    assert row.item is not None
    _enter(connection, row, ", ".join(f"{name} = {name} + excluded.{name}" for name in _AMOUNTS))


def _enter(connection: sqlite3.Connection, row: UsageRow, when_there: str) -> None:
    usage = row.usage
    connection.execute(
        f"INSERT INTO usage (cycle, role, item, {', '.join(_AMOUNTS)}) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        f"ON CONFLICT (cycle, role, item) DO UPDATE SET {when_there}",
        (
            row.cycle,
            row.role,
            row.item,
            row.num_calls,
            usage.num_prompt_tokens,
            usage.num_completion_tokens,
            float(usage.seconds),
            float(usage.flops),
        ),
    )


def read_usage(connection: sqlite3.Connection, cycle: int | None) -> list[UsageRow]:
    rows = connection.execute(
        "SELECT * FROM usage WHERE ?1 IS NULL OR cycle = ?1 ORDER BY usage_id", (cycle,)
    )
    return [
        UsageRow(
            cycle=row["cycle"],
            role=row["role"],
            item=row["item"],
            num_calls=row["num_calls"],
            usage=Usage(
                num_prompt_tokens=row["num_prompt_tokens"],
                num_completion_tokens=row["num_completion_tokens"],
                seconds=row["seconds"],
                flops=row["flops"],
            ),
        )
        for row in rows
    ]
