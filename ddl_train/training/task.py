"""One night in several processes: what they are given, and what they say, as files of the night.

night/processes/task.json        what is trained, and how
night/processes/steps.jsonl      optimizer steps done, a line each time
night/processes/stop             there when the night is to stop after its next step
night/processes/failed-R.json    why process R could not go on
night/processes/outcome.json     what came of it, written last
night/processes/log.txt          all that the processes and their launcher print
night/processes.lock             held by each process while it lives
"""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.errors import RunError
from ddl_train.training.encoding import EncodedRows

WAIT_S = 60.0
"""How long processes of a killed night may take to end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One night, as each of its processes reads it."""

    out_dir: Path
    model: ModelConfig
    config: SleepConfig
    encoded: EncodedRows
    seed: int
    start_from: Path | None
    """Adapter to go on from, or with method `merge` to build upon."""
    resume_from: Path | None
    """Checkpoint of this very night."""
    is_sharded: bool
    """The base is to be shared out with FSDP2."""
    base: str
    """What the adapter's config names as its base."""
    base_sha256: str
    revision: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of it, as the first process saw it."""

    saved: Path | None
    was_stopped: bool
    failed_because: str | None
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why one process could not go on."""

    kind: str
    """Name of the exception's class."""
    sentence: str
    traceback: str
    at: float
    """Seconds since the epoch: the first failure brings others about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Optimizer steps done since the last line."""

    num_new: int
    total: int


TASK = TypeAdapter(Task)
OUTCOME = TypeAdapter(Outcome)
FAILURE = TypeAdapter(Failure)
STEPS = TypeAdapter(Steps)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where these files lie."""

    night_dir: Path

    @property
    def folder(self) -> Path:
        return self.night_dir / "processes"

    @property
    def task(self) -> Path:
        return self.folder / "task.json"

    @property
    def steps(self) -> Path:
        return self.folder / "steps.jsonl"

    @property
    def stop(self) -> Path:
        return self.folder / "stop"

    @property
    def outcome(self) -> Path:
        return self.folder / "outcome.json"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def failure(self, rank: int) -> Path:
        return self.folder / f"failed-{rank}.json"

    @contextmanager
    def manned(self) -> Iterator[None]:
        """Say that a process of the night lives."""
        with self._locked(fcntl.LOCK_SH):
            yield

    def wait_until_left(self) -> None:
        """Wait for processes that outlived the one that started them.

        Raises:
            RunError: they do not end.
        """
        give_up = time.monotonic() + WAIT_S
        while True:
            try:
                with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                    return
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise RunError(
                        f"{self.night_dir}: processes of an earlier start of this night still run; "
                        "wait until they have ended, or end them"
                    ) from None
            time.sleep(0.1)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        path = self.night_dir / "processes.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)
