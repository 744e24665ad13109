"""Killed at any named point, a run goes on to what an uninterrupted one would hold."""

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from tests.storage.dying import work
from tests.storage.made import a_run

POINTS = {
    "chunks are not committed": "ddl_train.memory.sources:check_enough",
    "chunks are committed, not embedded": "ddl_train.memory.vectors:Vectors._embed_owed",
    "vectors are there, the mean is not": "ddl_train.memory.stored:StoredVectors.fix_mean",
    "half of the index is written": "ddl_train.storage.cache:write_text",
    "pairs are drawn, not committed": "ddl_train.memory.batches:_never_drawn",
    "verdicts are written, not committed": "ddl_train.memory.verdicts:open_block",
    "verdicts are committed, not returned": "ddl_train.memory.reading:read_insights",
    "an adapter has no manifest": "ddl_train.storage.adapters:write_text",
    "an adapter is not renamed": "ddl_train.storage.adapters:os.replace",
    "an adapter is not recorded": "ddl_train.storage.run:keep_adapter",
}


def rows(run: Run) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database but times and configs."""
    tables = [
        row["name"]
        for row in run.database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    return {
        table: [
            tuple(value for key, value in zip(row.keys(), row, strict=True) if key[-3:] != "_at")
            for row in run.database.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        ]
        for table in tables
        if table not in ("state", "sqlite_sequence")
    }


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], str]:
    """What an uninterrupted run holds."""
    with a_run(tmp_path_factory.mktemp("twin")) as run:
        version = work(run)
        return dict(rows(run)), version


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int]]:
    """For each point the run directory that was left, and how its process ended."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.storage.dying", str(folder), *POINTS.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    codes = json.loads(done.stdout)
    return {
        name: (folder / str(number) / "checkpoints" / "run", codes[number])
        for number, name in enumerate(POINTS)
    }


@pytest.mark.parametrize("name", POINTS)
def test_killed_when(
    name: str, killed: dict[str, tuple[Path, int]], twin: tuple[dict[str, object], str]
) -> None:
    run_dir, code = killed[name]
    assert code == -signal.SIGKILL
    assert all("manifest.json" in inside(path) for path in run_dir.glob("adapters/*"))
    with Run.open(run_dir) as run:
        assert work(run) == twin[1]
        assert rows(run) == twin[0]
    assert fsck(run_dir, repair=False) == []


def inside(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


def test_a_deleted_write_ahead_log_leaves_a_sound_database(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        work(run)
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes((run.dir / "run.sqlite").read_bytes())
    with sqlite3.connect(copy) as found:
        assert found.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
