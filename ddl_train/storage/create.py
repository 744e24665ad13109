"""How a run directory comes to be.

    config.yaml     the resolved config, for people; the database holds it for the program
    prompts/        the prompt pack the run uses, its own copy
    run.sqlite      everything else

A new run is built under a temporary name and renamed, so a half-made one is never seen. What a
crash left of one is removed the next time.
"""

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddl_train.config import Config, dump_yaml, parse_config
from ddl_train.errors import RunError
from ddl_train.records import BASE
from ddl_train.storage.database import open_database, transaction
from ddl_train.storage.files import TMP_PREFIX, copy_tree, explained, fsync_dir, write_text
from ddl_train.storage.lock import WriterLock

DATABASE_NAME = "run.sqlite"
CONFIG_NAME = "config.yaml"
PROMPTS_NAME = "prompts"

Change = tuple[str, Any, Any]
"""Dotted key, old value, new value."""


def is_run(run_dir: Path) -> bool:
    return (run_dir / DATABASE_NAME).is_file()


def existing_run(run_dir: str | Path) -> Path:
    """A directory that holds a run.

    Raises:
        RunError: it does not.
    """
    run_dir = Path(run_dir)
    if not is_run(run_dir):
        what = "is no run directory" if run_dir.is_dir() else "no such run directory"
        raise RunError(f"{run_dir}: {what}; `ddl-train run CONFIG` makes one")
    return run_dir


def make_run(config: Config, *, pack_dir: Path) -> WriterLock:
    """Build the directory of a new run; the writer lock comes back held.

    Raises:
        RunError: the place is taken by something that is no run, or cannot be written to.
        ResourceError: the disk is full.
    """
    run_dir = config.run_dir
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise RunError(
            f"{run_dir}: exists and is no run directory (it has no {DATABASE_NAME}); "
            "choose another name or move it away"
        )
    with explained(run_dir.parent):
        run_dir.parent.mkdir(parents=True, exist_ok=True)
        _remove_half_made(run_dir)
        tmp = run_dir.parent / f"{TMP_PREFIX}{run_dir.name}-{os.getpid()}-{os.urandom(4).hex()}"
        tmp.mkdir()
        lock = None
        try:
            lock = WriterLock(tmp)
            copy_tree(pack_dir, tmp / PROMPTS_NAME)
            (tmp / "adapters").mkdir()
            write_text(tmp / CONFIG_NAME, dump_yaml(config))
            connection = open_database(tmp / DATABASE_NAME)
            with transaction(connection):
                write_config(connection, config)
                connection.execute("INSERT INTO state VALUES ('current', ?)", (BASE,))
            connection.close()
            fsync_dir(tmp)
            os.replace(tmp, run_dir)
            fsync_dir(run_dir.parent)
        except BaseException as error:
            if lock is not None:
                lock.release()
            shutil.rmtree(tmp, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise RunError(f"{run_dir}: another process has just made it") from None
            raise
    return lock


def read_config(connection: sqlite3.Connection, run_dir: Path) -> Config:
    row = connection.execute("SELECT value FROM state WHERE key = 'config'").fetchone()
    if row is None:
        raise RunError(f"{run_dir}: its database holds no config, so it is not a whole run")
    return parse_config(json.loads(row["value"]), where=str(run_dir / CONFIG_NAME))


def write_config(connection: sqlite3.Connection, config: Config) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO state VALUES ('config', ?)", (config.model_dump_json(),)
    )


def read_ingested(connection: sqlite3.Connection) -> list[str]:
    """Sources that were added by command, beside those of the config."""
    row = connection.execute("SELECT value FROM state WHERE key = 'ingested'").fetchone()
    return [] if row is None else list(json.loads(row["value"]))


def write_ingested(connection: sqlite3.Connection, sources: Sequence[str]) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO state VALUES ('ingested', ?)",
        (json.dumps(list(sources), ensure_ascii=False),),
    )


def with_sources(config: Config, added: Sequence[str]) -> Config:
    """The config with more sources after its own, each once."""
    sources = list(dict.fromkeys([*config.memory.sources, *added]))
    memory = config.memory.model_copy(update={"sources": sources})
    return config.model_copy(update={"memory": memory})


def with_ingested(config: Config) -> Config:
    """The config with the sources that were ingested into its run by command, if there is one."""
    if not is_run(config.run_dir):
        return config
    connection = open_database(config.run_dir / DATABASE_NAME, is_read_only=True)
    try:
        return with_sources(config, read_ingested(connection))
    finally:
        connection.close()


def _remove_half_made(run_dir: Path) -> None:
    for path in run_dir.parent.glob(f"{TMP_PREFIX}{run_dir.name}-*"):
        if not path.is_dir():
            continue
        try:
            with WriterLock(path):
                shutil.rmtree(path)
        except RunError:
            continue  # another process is building it at this moment
