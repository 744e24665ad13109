"""Progress: bars on a terminal, few lines elsewhere, silence when asked."""

import io

from rich.console import Console

from ddl_train.records import SilentProgress
from ddl_train.report.progress import BarProgress, PlainProgress, make_progress


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_every_few_seconds_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(Console(file=stream, width=200), interval_s=5, clock=clock)
    with progress.stage("wake 1", 100) as stage:
        for _ in range(10):
            clock.now += 1
            stage.advance(10, admitted=0.125)
    assert stream.getvalue().splitlines() == [
        "wake 1: 50/100, 10.0/s, 5 s left, admitted 0.125",
        "wake 1: 100/100, 10.0/s, done in 10 s, admitted 0.125",
    ]


def test_a_stage_that_fails_does_not_say_done() -> None:
    stream = io.StringIO()
    progress = PlainProgress(Console(file=stream))
    try:
        with progress.stage("sleep 1", None) as stage:
            stage.advance(1)
            raise RuntimeError
    except RuntimeError:
        pass
    assert "done" not in stream.getvalue()


def test_facts_stay_shown_until_they_change() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(Console(file=stream, width=200), interval_s=0, clock=clock)
    with progress.stage("sleep 1", None) as stage:
        clock.now += 1
        stage.advance(1, loss=2.0)
        clock.now += 1
        stage.advance(1)
    assert stream.getvalue().splitlines()[1] == "sleep 1: 2, 1.0/s, loss 2"


def test_a_total_that_is_known_only_at_work_gives_the_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(Console(file=stream, width=200), interval_s=0, clock=clock)
    with progress.stage("sleep 1", None) as stage:
        clock.now += 2
        stage.advance(1, total=5)
    assert stream.getvalue().splitlines()[0] == "sleep 1: 1/5, 0.5/s, 8 s left"


def test_a_terminal_gets_a_bar() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    progress = make_progress(console)
    assert isinstance(progress, BarProgress)
    with progress.stage("wake 1", 4) as stage:
        stage.advance(4, admitted="[x] 25 %")
    assert "[x] 25 %" in stream.getvalue()


def test_quiet_is_silent_and_pipes_are_plain() -> None:
    console = Console(file=io.StringIO())
    assert isinstance(make_progress(console, is_quiet=True), SilentProgress)
    assert isinstance(make_progress(console), PlainProgress)
