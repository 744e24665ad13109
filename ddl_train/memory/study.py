"""Study items: questions and answers that the model wrote about its insights."""

import sqlite3
from collections.abc import Sequence

from ddl_train.records import StudyItem
from ddl_train.storage.database import transaction


def write_study_items(connection: sqlite3.Connection, items: Sequence[StudyItem]) -> None:
    """Keep items in one transaction; the same question about an insight is replaced."""
    with transaction(connection):
        connection.executemany(
            "INSERT INTO study_items (insight_id, family, kind, question, answer, is_checked) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (insight_id, family, kind, question) "
            "DO UPDATE SET answer = ?5, is_checked = ?6",
            [
                (one.insight_id, one.family, one.kind, one.question, one.answer, one.is_checked)
                for one in items
            ],
        )
