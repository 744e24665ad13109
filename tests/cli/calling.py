"""The command line called in this process: quick, and with the boundary in place."""

import hashlib
import signal
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

from ddl_train.cli.main import main


@dataclass(frozen=True)
class Called:
    code: int
    out: str
    err: str


class CommandLine:
    """`ddl("status", "made")` as a user would type it; the exit code comes back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *arguments: str | Path) -> Called:
        self._monkeypatch.setattr(sys, "argv", ["ddl-train", *map(str, arguments)])
        self._capfd.readouterr()
        code = 0
        handlers = {number: signal.getsignal(number) for number in (SIGINT, SIGTERM)}
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        captured = self._capfd.readouterr()
        return Called(code=code, out=captured.out, err=captured.err)


def fingerprint(run_dir: Path) -> str:
    """Of every row of a run's database and every file beside it, but for the lock."""
    digest = hashlib.sha256()
    connection = sqlite3.connect(run_dir / "run.sqlite")
    digest.update("\n".join(connection.iterdump()).encode())
    connection.close()
    for path in sorted(run_dir.rglob("*")):
        if path.is_file() and not path.name.startswith((".lock", "run.sqlite")):
            digest.update(f"{path.relative_to(run_dir)}".encode() + path.read_bytes())
    return digest.hexdigest()


def is_one_sentence(text: str) -> bool:
    """What a user should see of an error: one line, ours, no traceback."""
    lines = text.strip().split("\n")
    return len(lines) == 1 and lines[0].startswith("ddl-train: ")
