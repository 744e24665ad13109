"""Ctrl-C and SIGTERM outside of work that saves itself: one line, and exit code 130 or 143.

While a run or a folder is worked on, `stopping.py` has its own handlers in place of these.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """A handler that ends this process."""

    def __init__(self, *, has_begun: bool) -> None:
        """`has_begun`: something may have been changed, so there is something to leave tidy."""
        self.has_begun = has_begun
        self._pid = os.getpid()

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        if os.getpid() != self._pid:  # forked off: its parent is the one to speak
            os.kill(os.getpid(), signum)
            return
        what = "what was finished before is kept" if self.has_begun else "nothing was changed"
        os.write(2, f"ddl-train: stopped; {what}\n".encode())  # safe within another write
        if self.has_begun:
            raise SystemExit(128 + signum)
        os._exit(128 + signum)  # an exception may be caught by whatever is being imported


@contextmanager
def ending() -> Iterator[None]:
    """End at a signal, with nothing changed so far."""
    before = {number: signal.signal(number, Ending(has_begun=False)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def begin() -> None:
    """From here on something may be changed."""
    for number in SIGNALS:
        if isinstance(signal.getsignal(number), Ending):
            signal.signal(number, Ending(has_begun=True))
