"""What a bench prints: figures with goals, from arms that take turns in one process."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


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
    seconds: list[list[float]] = [[] for _ in arms]
    for round_number in range(num_rounds + 1):
        for arm, spent in zip(arms, seconds, strict=True):
            start = time.perf_counter()
            arm()
            if round_number:
                spent.append(time.perf_counter() - start)
        if round_number:
            advance(1)
    return seconds


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
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
