"""What a bench prints: figures with goals, from arms that take turns in one process."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    detail: str
    goal: str = ""
    """Empty where none is set."""
    is_met: bool = True


def race(
    arms: Sequence[Callable[[], object]], num_rounds: int, advance: Callable[[int], None]
) -> list[list[float]]:
    """Seconds of each round of each arm, turn by turn; a round of each before the clock runs."""
    return take_turns([partial(_seconds_of, arm) for arm in arms], num_rounds, advance)


def take_turns(
    arms: Sequence[Callable[[], float]], num_rounds: int, advance: Callable[[int], None]
) -> list[list[float]]:
    """The same for arms that say themselves how many seconds count."""
    seconds: list[list[float]] = [[] for _ in arms]
    for round_number in range(num_rounds + 1):
        for arm, spent in zip(arms, seconds, strict=True):
            counted = arm()
            if round_number:
                spent.append(counted)
        if round_number:
            advance(1)
    return seconds


def _seconds_of(arm: Callable[[], object]) -> float:
    start = time.perf_counter()
    arm()
    return time.perf_counter() - start


def ratio(
    name: str,
    ours: Sequence[float],
    plain: Sequence[float],
    num_items: float,
    *,
    goal: float | None = None,
    unit: str = "/s",
    detail: str = "",
) -> Figure:
    """How many times as fast ours is, by the median over rounds in which both took turns.

    Args:
        name: of the figure.
        ours: seconds of each round.
        plain: seconds of each round of the other arm.
        num_items: that each round works through.
        goal: smallest ratio that is good enough; None where none is set.
        unit: of the rates.
        detail: said after the rates.
    """
    ratios = [there / here for here, there in zip(ours, plain, strict=True)]
    rates = [num_items / statistics.median(arm) for arm in (ours, plain)]
    value = statistics.median(ratios)
    said = [middle(ratios), f"{rates[0]:,.4g}{unit} against {rates[1]:,.4g}{unit}"]
    return Figure(
        name=name,
        value=value,
        detail="; ".join([*said, detail or f"{len(ratios)} rounds of {num_items:g}"]),
        goal="" if goal is None else f"{goal:g}x or more",
        is_met=goal is None or value >= goal,
    )


def middle(values: Sequence[float], unit: str = "") -> str:
    """Median and spread in words: `12 (9.8 to 15)`."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.3g}{unit} ({low:.3g} to {high:.3g})"


def hardware() -> dict[str, str | int]:
    """What the figures were measured on."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": cores or 1,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
