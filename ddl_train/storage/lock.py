"""One writer a run: an flock that the system lets go of when its process ends, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import Self

from ddl_train.errors import RunError
from ddl_train.storage.files import explained

LOCK_NAME = ".lock"


class WriterLock:
    """Held from construction until `release`. The file names the process that holds it."""

    def __init__(self, run_dir: Path) -> None:
        """Take the lock.

        Raises:
            RunError: another process has it.
        """
        path = run_dir / LOCK_NAME
        with explained(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            who = f"process {holder}" if holder else "another process"
            raise RunError(
                f"{run_dir}: is in use by {who}; wait until it is done, or stop it"
            ) from None
        try:
            with explained(path):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
