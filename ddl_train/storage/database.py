"""The database of a run: how it is opened, and how a transaction ends.

WAL with `synchronous=FULL`: a committed transaction survives a kill and a power cut. What is
deleted is overwritten (`secure_delete`). A writer takes its lock when the transaction begins, so
that nothing fails half way.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddl_train.errors import ResourceError, RunError
from ddl_train.storage.files import full_disk, not_writable
from ddl_train.storage.migrations import MIGRATIONS
from ddl_train.storage.schema import APPLICATION_ID, FORMAT_VERSION, SCHEMA

_BUSY_TIMEOUT_S = 10.0
_SYNCHRONOUS = "FULL"
"""Every commit is on the disk when it returns."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def open_database(path: Path, *, is_read_only: bool = False) -> sqlite3.Connection:
    """Open a run's database; an empty or missing file gets the schema.

    Raises:
        RunError: it is no run's database, is of a newer version, is damaged, or cannot be opened.
        ResourceError: the disk is full.
    """
    if is_read_only and not path.is_file():
        raise RunError(f"{path}: no such run database")
    with explained_sql(path):
        connection = _connect_to_read(path) if is_read_only else _connect(path)
        try:
            connection.row_factory = sqlite3.Row
            _check(connection, path, is_read_only=is_read_only)
        except BaseException:
            connection.close()
            raise
    return connection


def is_older(path: Path) -> bool:
    """Whether a run's database is of an older version, so that columns may be missing."""
    connection = open_database(path, is_read_only=True)
    try:
        return bool(connection.execute("PRAGMA user_version").fetchone()[0] < FORMAT_VERSION)
    finally:
        connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it or none of it. Not to be nested."""
    with explained_sql(_path_of(connection)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def explained_sql(path: Path) -> Iterator[None]:
    """Turn what a user can mend into one sentence; all else passes unchanged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise ResourceError(full_disk(path)) from error
        if code in _UNWRITABLE:
            raise RunError(not_writable(path)) from error
        if code in _DAMAGED:
            raise RunError(f"{path}: is damaged or is no SQLite database ({error})") from error
        if code in _IN_USE:
            raise RunError(f"{path}: is in use by another program; try again later") from error
        if code == sqlite3.SQLITE_IOERR:
            raise ResourceError(f"{path}: the disk does not read or write ({error})") from error
        raise


def owe_scrub(connection: sqlite3.Connection) -> None:
    """Note, inside the caller's transaction, that the file holds text it must lose."""
    connection.execute("INSERT OR REPLACE INTO state VALUES ('scrub_owed', '1')")


def is_scrub_owed(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM state WHERE key = 'scrub_owed'").fetchone()
    return found is not None


def finish_scrub(connection: sqlite3.Connection) -> None:
    """Rewrite the file, if that is owed: nothing deleted is left in it or in its log.

    Raises:
        RunError: another program holds the database open, so the log cannot be emptied.
    """
    if not is_scrub_owed(connection):
        return
    path = _path_of(connection)
    with explained_sql(path):
        connection.execute("VACUUM")
        is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if is_busy:
        raise RunError(
            f"{path}: another program is reading it, so deleted text may still stand in its log; "
            "close that program and run `ddl-train fsck --repair`"
        )
    with transaction(connection):
        connection.execute("DELETE FROM state WHERE key = 'scrub_owed'")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    uri = path.absolute().as_uri() + "?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        # A folder that cannot be written to has no room for WAL's shared memory.
        connection = sqlite3.connect(uri + "&immutable=1", uri=True, isolation_level=None)
    return connection


def _check(connection: sqlite3.Connection, path: Path, *, is_read_only: bool) -> None:
    """Refuse what is not ours, make the schema in an empty file, set what a connection needs."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    num_tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if num_tables and application != APPLICATION_ID:
        raise RunError(
            f"{path}: is a database of another program (application_id {application:#x}; "
            f"expected {APPLICATION_ID:#x})"
        )
    if version > FORMAT_VERSION:
        raise RunError(
            f"{path}: has format version {version}, this ddl_train reads up to {FORMAT_VERSION}; "
            "install the newer ddl_train that wrote it"
        )
    if is_read_only:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    if not num_tables:
        _make(connection)
    for step in range(version or FORMAT_VERSION, FORMAT_VERSION):
        with transaction(connection):
            for statement in _statements(MIGRATIONS[step]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {step + 1}")


def _make(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for statement in _statements(SCHEMA):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def _statements(script: str) -> list[str]:
    """`executescript` would commit, so the statements run one by one inside the transaction."""
    return [statement for statement in script.split(";") if statement.strip()]


def _path_of(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("PRAGMA database_list").fetchone()["file"])
