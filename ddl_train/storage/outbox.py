"""The outbox: what is on its way to a repository of the Hub, so that a repeat does nothing twice.

A row is written before anything leaves the machine, and finished after what arrived was compared:

    waiting    the folder is written and checked; whether a commit was made is not known here
    committed  the repository holds it under `revision`; it has not been fetched back yet
    done       fetched back and found equal

The same files for the same repository on the same terms are the same row.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ddl_train.records import JsonObject
from ddl_train.storage.database import transaction

RepoType = Literal["model", "dataset"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """One folder for one repository."""

    outbox_id: int
    repo_type: RepoType
    repo_id: str
    adapter: str
    digest: str
    """Of the manifest; the folder is named by it."""
    manifest: Mapping[str, str]
    """Path in the repository -> sha256."""
    terms: JsonObject
    """`is_public`, `is_pr`, `is_merged`: how it was asked to be sent."""
    state: Literal["waiting", "committed", "done"]
    revision: str | None
    """Commit, or `refs/pr/N`; None until it is known."""
    created_at: str


def keep_waiting(
    connection: sqlite3.Connection,
    *,
    repo_type: RepoType,
    repo_id: str,
    adapter: str,
    digest: str,
    manifest: Mapping[str, str],
    terms: JsonObject,
) -> OutboxRow:
    """Put something in the outbox; one that is there already goes on from where it was.

    Whatever else still waits for the same repository is taken out: only the newest is meant.
    """
    named = (repo_type, repo_id, digest, json.dumps(terms, sort_keys=True))
    with transaction(connection):
        connection.execute(
            "DELETE FROM outbox WHERE state = 'waiting' AND repo_type = ? AND repo_id = ? "
            "AND NOT (digest = ? AND terms = ?)",
            named,
        )
        connection.execute(
            "INSERT INTO outbox (repo_type, repo_id, digest, terms, adapter, manifest, state, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?) "
            "ON CONFLICT (repo_type, repo_id, digest, terms) DO UPDATE SET state = "
            "CASE state WHEN 'done' THEN 'waiting' ELSE state END",
            (*named, adapter, json.dumps(dict(manifest), sort_keys=True), _now()),
        )
        row = connection.execute(
            "SELECT * FROM outbox WHERE repo_type = ? AND repo_id = ? AND digest = ? AND terms = ?",
            named,
        ).fetchone()
    return _row(row)


def mark_committed(connection: sqlite3.Connection, row: OutboxRow, revision: str) -> None:
    """The repository holds it."""
    with transaction(connection):
        connection.execute(
            "UPDATE outbox SET state = 'committed', revision = ? WHERE outbox_id = ?",
            (revision, row.outbox_id),
        )


def mark_done(connection: sqlite3.Connection, row: OutboxRow) -> None:
    """It was fetched back and is equal."""
    with transaction(connection):
        connection.execute(
            "UPDATE outbox SET state = 'done', finished_at = ? WHERE outbox_id = ?",
            (_now(), row.outbox_id),
        )


def drop(connection: sqlite3.Connection, row: OutboxRow) -> None:
    """Take a row out: it shall not be sent any more."""
    with transaction(connection):
        connection.execute("DELETE FROM outbox WHERE outbox_id = ?", (row.outbox_id,))


def read_outbox(
    connection: sqlite3.Connection, *, is_unfinished: bool = False, repo_id: str | None = None
) -> list[OutboxRow]:
    """Rows in the order they were put in."""
    rows = connection.execute(
        "SELECT * FROM outbox WHERE (NOT ?1 OR state != 'done') AND (?2 IS NULL OR repo_id = ?2) "
        "ORDER BY outbox_id",
        (is_unfinished, repo_id),
    )
    return [_row(row) for row in rows]


def was_forgotten_since(connection: sqlite3.Connection, row: OutboxRow) -> bool:
    """Whether sources were forgotten after a folder was made: it may still quote them."""
    found = connection.execute(
        "SELECT 1 FROM forgotten WHERE forgotten_at >= ? LIMIT 1", (row.created_at,)
    )
    return found.fetchone() is not None


def _row(row: sqlite3.Row) -> OutboxRow:
    return OutboxRow(
        outbox_id=row["outbox_id"],
        repo_type=row["repo_type"],
        repo_id=row["repo_id"],
        adapter=row["adapter"],
        digest=row["digest"],
        manifest=json.loads(row["manifest"]),
        terms=json.loads(row["terms"]),
        state=row["state"],
        revision=row["revision"],
        created_at=row["created_at"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
