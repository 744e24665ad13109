"""Where errors become sentences: one place, at the edge of the program.

What a user can mend ends in one sentence on standard error and exit code 2. Anything else is our
bug: it passes through with its traceback.
"""

import errno
import sqlite3
import sys
from types import TracebackType

from ddl_train.errors import DdlTrainError

NO_SPACE = "No space left on device"


def say(sentence: str) -> None:
    """One line on standard error, marked as ours."""
    sys.stderr.write(f"ddl-train: {sentence}\n")
    sys.stderr.flush()


class Boundary:
    """`with Boundary(): ...` turns what a user can mend into a sentence and exit code 2."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sentence = explain(error) if error is not None else None
        if sentence is not None:
            say(sentence)
            raise SystemExit(2) from None


def explain(error: BaseException) -> str | None:
    """Say in one sentence what a user can do about it, or None when it is our bug."""
    if isinstance(error, DdlTrainError):
        return " ".join(str(error).split())
    if _is_disk_full(error):
        return "the disk is full; make room and give the same command again, it goes on"
    if isinstance(error, sqlite3.OperationalError) and "readonly" in str(error):
        return "the run's database cannot be written; check who owns the folder and its rights"
    # torch.OutOfMemoryError, known by name because importing torch only to compare is not worth it
    if type(error).__name__ == "OutOfMemoryError":
        return (
            "the device's memory is full; lower model.batch_size (wake) or "
            "sleep.per_device_train_batch_size and give the same command again, it goes on"
        )
    return None


def _is_disk_full(error: BaseException | None) -> bool:
    """True for each of the ways in which Python, SQLite, safetensors and torch say it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(error, sqlite3.Error) and "database or disk is full" in str(error):
            return True
        if NO_SPACE in str(error):
            return True
        error = error.__cause__
    return False
