"""The database refuses what is not its own, and keeps a transaction whole."""

import sqlite3
from pathlib import Path

import pytest

from ddl_train.errors import RunError
from ddl_train.storage.database import open_database, transaction
from ddl_train.storage.schema import FORMAT_VERSION
from tests.storage.made import TO_THE_FIRST_VERSION


def test_a_database_of_a_newer_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    open_database(path).close()
    with sqlite3.connect(path) as plain:
        plain.execute(f"PRAGMA user_version = {FORMAT_VERSION + 6}")
    plain.close()
    with pytest.raises(RunError, match=f"version {FORMAT_VERSION + 6}.*up to {FORMAT_VERSION}"):
        open_database(path)


def _shape(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Columns of every table and index: name, type, default, in their order."""
    names = connection.execute("SELECT name, type FROM sqlite_schema ORDER BY name").fetchall()
    return {
        name: [tuple(row) for row in connection.execute(f"PRAGMA {kind}_xinfo({name})")]
        for name, kind in names
    }


@pytest.mark.parametrize("lacking", ["", "DROP TABLE distillations; "])
def test_a_database_of_the_first_version_is_taken_to_this_one(tmp_path: Path, lacking: str) -> None:
    fresh = open_database(tmp_path / "fresh.sqlite")
    old = tmp_path / "run.sqlite"
    open_database(old).close()
    with sqlite3.connect(old) as plain:
        plain.executescript(lacking + TO_THE_FIRST_VERSION)
    plain.close()
    mended = open_database(old)
    assert _shape(mended) == _shape(fresh)
    assert mended.execute("PRAGMA user_version").fetchone()[0] == FORMAT_VERSION


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE theirs (a)")
    plain.close()
    with pytest.raises(RunError, match="another program"):
        open_database(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(RunError, match="no SQLite database"):
        open_database(path)


def test_an_open_database_is_durable_and_strict(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "run.sqlite")
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO cycles VALUES ('first', 'wake', 'now')")
    connection.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "run.sqlite")
    with pytest.raises(ZeroDivisionError), transaction(connection):
        connection.execute("INSERT INTO state VALUES ('key', 'value')")
        raise ZeroDivisionError
    assert connection.execute("SELECT count(*) FROM state").fetchone()[0] == 0
    connection.close()


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    open_database(path).close()
    reader = open_database(path, is_read_only=True)
    with pytest.raises(RunError, match="cannot be written to"), transaction(reader):
        reader.execute("INSERT INTO state VALUES ('key', 'value')")
    reader.close()
