"""Study items: questions and answers that the model wrote about its insights."""

import sqlite3
from collections.abc import Iterable, Sequence

from ddl_train.records import StudyItem
from ddl_train.storage.database import transaction

Asked = tuple[int, str, str]
"""Insight, family and kind of a question that was put to the model."""


def write_study_items(
    connection: sqlite3.Connection, items: Sequence[StudyItem], asked: Iterable[Asked] = ()
) -> None:
    """Keep items, and what was asked, in one transaction; the same question is replaced."""
    with transaction(connection):
        connection.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?, ?)", list(asked))
        connection.executemany(
            "INSERT INTO study_items (insight_id, family, kind, question, answer, is_checked) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (insight_id, family, kind, question) "
            "DO UPDATE SET answer = ?5, is_checked = ?6",
            [
                (one.insight_id, one.family, one.kind, one.question, one.answer, one.is_checked)
                for one in items
            ],
        )


def read_asked(connection: sqlite3.Connection) -> set[Asked]:
    rows = connection.execute("SELECT insight_id, family, kind FROM asked")
    return {(row["insight_id"], row["family"], row["kind"]) for row in rows}
