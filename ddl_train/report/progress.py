"""How far a run is, while it runs: bars on a terminal, plain lines elsewhere, or nothing.

All three implement `records.Progress`. They write to standard error, so that what a command prints
can be piped; the numbers themselves go to the run's `metrics.jsonl`, not here.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from ddl_train.records import Progress, SilentProgress, StageProgress
from ddl_train.report.words import duration


def make_progress(console: Console, *, is_quiet: bool = False) -> Progress:
    """Pick what fits where `console` writes to."""
    if is_quiet:
        return SilentProgress()
    return BarProgress(console) if console.is_terminal else PlainProgress(console)


class BarProgress:
    """One bar a stage, with speed, time left and the stage's own facts."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[StageProgress]:
        bars = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}", style="cyan", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}", style="green", markup=False),
            console=self._console,
        )
        with bars:
            task = bars.add_task(name, total=total, facts="", pace="")
            yield _Bar(bars, task, _Pace(total))


@dataclass(slots=True)
class _Bar:
    bars: RichProgress
    task: TaskID
    pace: "_Pace"
    facts: dict[str, float | str] = field(default_factory=dict)

    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        self.facts |= facts
        self.pace.add(n, total)
        self.bars.update(
            self.task,
            advance=n,
            total=self.pace.total,
            facts=_in_words(self.facts),
            pace=_speed(self.pace.per_second),
        )


class PlainProgress:
    """One line at the start and the end of a stage, and every few seconds between."""

    def __init__(
        self,
        console: Console,
        *,
        interval_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._interval_s = interval_s
        self._clock = clock

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[StageProgress]:
        lines = _Lines(self._console, name, self._interval_s, _Pace(total, self._clock))
        yield lines
        lines.end()


@dataclass(slots=True)
class _Lines:
    console: Console
    name: str
    interval_s: float
    pace: "_Pace"
    facts: dict[str, float | str] = field(default_factory=dict)
    _last_s: float = 0.0

    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        self.facts |= facts
        self.pace.add(n, total)
        if self.pace.elapsed_s - self._last_s >= self.interval_s and not self.pace.is_done:
            self._last_s = self.pace.elapsed_s
            left = self.pace.left_s
            self._say("" if left is None else f"{duration(left)} left")

    def end(self) -> None:
        self._say(f"done in {duration(self.pace.elapsed_s)}")

    def _say(self, time_words: str) -> None:
        pace = self.pace
        amount = f"{pace.num_done}" if pace.total is None else f"{pace.num_done}/{pace.total}"
        parts = [amount, _speed(pace.per_second), time_words, _in_words(self.facts)]
        line = f"{self.name}: " + ", ".join(part for part in parts if part)
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class _Pace:
    """How fast a stage goes, over all of it."""

    total: int | None
    clock: Callable[[], float] = time.monotonic
    num_done: int = 0
    _start_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._start_s = self.clock()

    def add(self, n: int, total: int | None) -> None:
        self.num_done += n
        self.total = self.total if total is None else total

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self._start_s

    @property
    def per_second(self) -> float:
        return self.num_done / max(self.elapsed_s, 1e-6)

    @property
    def is_done(self) -> bool:
        return self.total is not None and self.num_done >= self.total

    @property
    def left_s(self) -> float | None:
        if self.total is None or not self.num_done:
            return None
        return (self.total - self.num_done) / self.per_second


def _speed(per_second: float) -> str:
    if per_second <= 0:
        return ""
    return f"{per_second:.1f}/s" if per_second >= 0.1 else f"{per_second * 60:.1f}/min"


def _in_words(facts: dict[str, float | str]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else f'{value:.4g}'}"
        for name, value in facts.items()
    )
