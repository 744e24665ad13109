"""Which adapters of a run are students: distilled from another adapter, not made by a night."""

import sqlite3
from datetime import UTC, datetime

from ddl_train.storage.database import transaction


def keep_student(connection: sqlite3.Connection, version: str, *, teacher: str) -> None:
    """Note that a known adapter was distilled from another; noting it again changes nothing."""
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    with transaction(connection):
        connection.execute(
            "INSERT OR IGNORE INTO distilled VALUES (?, ?, ?)", (version, teacher, created_at)
        )


def newest_student(connection: sqlite3.Connection) -> str | None:
    """Version of the adapter that was distilled last; None when there is none."""
    row = connection.execute(
        "SELECT version FROM distilled JOIN adapters USING (version) "
        "ORDER BY adapter_id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else str(row["version"])


def teacher_of(connection: sqlite3.Connection, version: str) -> str | None:
    """Version that an adapter was distilled from; None for one that a night made."""
    row = connection.execute(
        "SELECT teacher FROM distilled WHERE version = ?", (version,)
    ).fetchone()
    return None if row is None else str(row["teacher"])
