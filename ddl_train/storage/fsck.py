"""Checks a run directory, and mends what can be made again.

Checked are the database (integrity, references, the pair number line), every byte of every adapter,
the current pointer, the index cache, the copy of the config, and what a crash may have left behind.
Mended is only what is derived or rubbish: the index (removed; it is built at the next start), the
config file, temporary files, checkpoints of nights that are over, adapters that were installed and
never recorded, deleted text that still stands in the file. Truth is never changed.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ddl_train.config import dump_yaml, load_config
from ddl_train.errors import AdapterError, ConfigError, RunError
from ddl_train.records import BASE
from ddl_train.storage.adapters import verify_adapter
from ddl_train.storage.cache import find_fault, remove_index
from ddl_train.storage.create import (
    CONFIG_NAME,
    DATABASE_NAME,
    PROMPTS_NAME,
    is_run,
    read_config,
)
from ddl_train.storage.database import finish_scrub, is_scrub_owed, open_database
from ddl_train.storage.files import explained, leftovers, remove, write_text
from ddl_train.storage.lock import WriterLock

_MOST_LINES = 20

_QUERIES = {
    "blocks of the pair number line do not follow one another": (
        "SELECT 1 FROM blocks b WHERE first_concept != 1 + coalesce("
        "(SELECT max(last_concept) FROM blocks WHERE block_id < b.block_id), 0)"
    ),
    "a block was visited beyond its end": (
        "SELECT 1 FROM blocks WHERE counter > last_concept * (last_concept - 1) / 2 "
        "- (first_concept - 1) * (first_concept - 2) / 2"
    ),
    "a concept lies outside the pair number line": (
        "SELECT 1 FROM concepts WHERE concept_id > "
        "(SELECT coalesce(max(last_concept), 0) FROM blocks) OR concept_id < 1"
    ),
    "a pair has another number than its concepts give it": (
        "SELECT 1 FROM pairs WHERE pair_number != (max(a_id, b_id) - 1) * (max(a_id, b_id) - 2) "
        "/ 2 + min(a_id, b_id) - 1"
    ),
    "an insight was refused, or an admitted idea is no insight": (
        "SELECT 1 FROM verdicts v LEFT JOIN insights i USING (pair_id) "
        "WHERE (v.rejected_because IS NULL) != (i.insight_id IS NOT NULL)"
    ),
    "a cycle is decided and not done": (
        "SELECT 1 FROM cycles JOIN promotions USING (cycle) "
        "WHERE stage = 'promote' AND decided_by = 'gate'"
    ),
}
"""What must not be found in the database."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Finding:
    text: str
    mend: Callable[[], object] | None = None
    """How it is mended; None when it is truth that is damaged."""


def fsck(run_dir: Path, *, repair: bool) -> list[str]:
    """Everything that is wrong with a run, a sentence each; with `repair`, mended where possible.

    Raises:
        RunError: it is no run, is in use, or is of a newer version.
    """
    run_dir = Path(run_dir)
    if not is_run(run_dir):
        raise RunError(f"{run_dir}: is no run directory")
    with WriterLock(run_dir):
        connection = open_database(run_dir / DATABASE_NAME)
        try:
            findings = list(_check(connection, run_dir))
            if repair:
                with explained(run_dir):
                    for finding in findings:
                        if finding.mend is not None:
                            finding.mend()
        finally:
            connection.close()
    return [
        finding.text + (" (mended)" if repair and finding.mend is not None else "")
        for finding in findings
    ]


def _check(connection: sqlite3.Connection, run_dir: Path) -> Iterator[_Finding]:
    yield from _check_database(connection)
    yield from _check_config(connection, run_dir)
    yield from _check_adapters(connection, run_dir / "adapters")
    index_path = run_dir / "index.faiss"
    if fault := find_fault(connection, index_path):
        yield _Finding(text=f"{index_path}: {fault}", mend=partial(remove_index, index_path))
    if not (run_dir / PROMPTS_NAME / "pack.yaml").is_file():
        yield _Finding(text=f"{run_dir / PROMPTS_NAME}: the prompt pack is missing")
    if is_scrub_owed(connection):
        yield _Finding(
            text=f"{run_dir}: deleted text may still stand in the database file",
            mend=partial(finish_scrub, connection),
        )
    for path in leftovers(run_dir) + leftovers(run_dir / "adapters"):
        yield _Finding(text=f"{path}: was left by a crash", mend=partial(remove, path))
    yield from _check_nights(connection, run_dir / "nights")


def _check_database(connection: sqlite3.Connection) -> Iterator[_Finding]:
    lines = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST_LINES})")]
    for line in lines:
        if line != "ok":
            yield _Finding(text=f"database: {line}")
    for row in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_LINES):
        yield _Finding(text=f"database: row {row[1]} of {row[0]} names a missing row of {row[2]}")
    for text, query in _QUERIES.items():
        if connection.execute(query).fetchone():
            yield _Finding(text=f"database: {text}")


def _check_config(connection: sqlite3.Connection, run_dir: Path) -> Iterator[_Finding]:
    path = run_dir / CONFIG_NAME
    try:
        used = read_config(connection, run_dir)
    except (RunError, ConfigError) as error:
        yield _Finding(text=str(error))
        return
    try:
        is_same = path.is_file() and load_config(path) == used  # keys that it lacks have defaults
    except ConfigError:
        is_same = False
    if not is_same:
        yield _Finding(
            text=f"{path}: differs from the config that the run uses",
            mend=partial(write_text, path, dump_yaml(used)),
        )


def _check_adapters(connection: sqlite3.Connection, adapters_dir: Path) -> Iterator[_Finding]:
    known = {row["version"] for row in connection.execute("SELECT version FROM adapters")}
    for version in sorted(known):
        try:
            verify_adapter(adapters_dir / version)
        except AdapterError as error:
            yield _Finding(text=str(error))
    current = connection.execute("SELECT value FROM state WHERE key = 'current'").fetchone()
    if current is None or current["value"] not in {BASE, *known}:
        named = current["value"] if current else "nothing"
        yield _Finding(text=f"database: the current adapter is {named}, which this run lacks")
    for path in sorted(adapters_dir.glob("*")) if adapters_dir.is_dir() else ():
        if path.name not in known and not path.name.startswith("."):
            yield _Finding(
                text=f"{path}: was installed and never recorded", mend=partial(remove, path)
            )


def _check_nights(connection: sqlite3.Connection, nights_dir: Path) -> Iterator[_Finding]:
    done = {
        str(row["cycle"])
        for row in connection.execute("SELECT cycle FROM cycles WHERE stage = 'done'")
    }
    for path in sorted(nights_dir.glob("*")) if nights_dir.is_dir() else ():
        if path.name in done:
            yield _Finding(
                text=f"{path}: belongs to a night that is over", mend=partial(remove, path)
            )
