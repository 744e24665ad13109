"""Being asked to stop: the first Ctrl-C or SIGTERM saves and ends, the second ends at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import typer

from ddl_train.cli.boundary import say
from ddl_train.cli.ending import SIGNALS, begin
from ddl_train.errors import Interrupted


@dataclass(slots=True)
class StopRequest:
    """Handed to a session, which asks it between batches and training steps."""

    signum: int | None = None

    def __call__(self) -> bool:
        return self.signum is not None

    def receive(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        say("stopping as soon as what is under way is saved; once more stops at once")
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stoppable(folder: Path) -> Iterator[StopRequest]:
    """Work on a run, or in another folder, so that it can be asked to stop; exit with 130 or 143."""
    request = StopRequest()
    before = {number: signal.signal(number, request.receive) for number in SIGNALS}
    try:
        yield request
    except Interrupted:
        say(f"saved {_place(folder)}; the same command goes on from there")
        raise typer.Exit(128 + (request.signum or signal.SIGINT)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        begin()


def _place(folder: Path) -> str:
    from ddl_train.storage.create import is_run
    from ddl_train.storage.run import Run

    if not is_run(folder):
        return f"in {folder}"
    with Run.read(folder) as run:
        cycle = run.next_cycle
        return f"at cycle {cycle + 1}, stage {run.stage(cycle)}, in {folder}"
