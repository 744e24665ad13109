"""What becomes a sentence, and what keeps its traceback."""

import errno
import sqlite3

import pytest

from ddl_train.cli.boundary import Boundary, explain
from ddl_train.errors import ConfigError, RunError


class OutOfMemoryError(RuntimeError):
    """As torch has it."""


def disk_full_by_sqlite() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("database or disk is full")


def disk_full_in_a_cause() -> RuntimeError:
    error = RuntimeError("could not save the optimizer")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConfigError("mine.yaml: wake has\n unknown key"), "mine.yaml: wake has unknown key"),
        (RunError("in use"), "in use"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "quota"), "disk is full"),
        (disk_full_by_sqlite(), "disk is full"),
        (disk_full_in_a_cause(), "disk is full"),
        (RuntimeError("PytorchStreamWriter: No space left on device"), "disk is full"),
        (OutOfMemoryError("CUDA out of memory"), "memory is full"),
    ],
)
def test_what_a_user_can_mend_is_a_sentence_and_code_2(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, Boundary():
        raise error
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("shape"), OSError(errno.EIO, "io")])
def test_what_is_our_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), Boundary():
        raise error
    assert explain(error) is None
