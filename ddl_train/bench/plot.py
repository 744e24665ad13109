"""The world bench as one picture: what is found, believed, kept and lost, cycle by cycle."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ddl_train.bench.column import Value
from ddl_train.bench.learning import matrix
from ddl_train.bench.measures_awake import judged_true
from ddl_train.bench.tables import MIN_SEEDS, figure, plain
from ddl_train.records import BASE, JsonObject
from ddl_train.world.questions import DIRECTION, FORWARD, REVERSE

Series = Callable[[JsonObject], list[Value]]


def _found(cell: JsonObject) -> list[Value]:
    new = [sum(cycle["new_by_depth"].values()) for cycle in cell["discovery"]]
    return [float(total) for total in accumulate(new)]


def _precision(cell: JsonObject) -> list[Value]:
    return [judged_true(cycle["admitted"]) for cycle in cell["discovery"]]


def _suite(group: str, who: str = "in_use") -> Series:
    def read(cell: JsonObject) -> list[Value]:
        return [
            tuple(cycle[who][group]) if cycle[who] and group in cycle[who] else None
            for cycle in cell["suites"]
        ]

    return read


def _uptake(who: str = "") -> Series:
    """Of the exam: what is answered, after each cycle, of all that was found until then."""

    def read(cell: JsonObject) -> list[Value]:
        exam = cell["exam"] | ({"in_use": [who] * len(cell["exam"]["in_use"])} if who else {})
        so_far = [row[: cycle + 1] for cycle, row in enumerate(matrix(exam))]
        return [(sum(one[0] for one in row), sum(one[1] for one in row)) for row in so_far]

    return read


def _never_dreamt(who: str = "in_use") -> Series:
    """Of the gate's questions those with choices: in writing a dreamt answer may be right too."""
    asked = [_suite(f"truth_undreamt/{kind}", who) for kind in (DIRECTION, FORWARD, REVERSE)]

    def read(cell: JsonObject) -> list[Value]:
        by_cycle = zip(*(series(cell) for series in asked), strict=True)
        known = [[one for one in shares if isinstance(one, tuple)] for shares in by_cycle]
        return [
            (sum(one[0] for one in shares), sum(one[1] for one in shares)) if shares else None
            for shares in known
        ]

    return read


PANELS: tuple[tuple[str, Series, Series | None], ...] = (
    ("true insights, all cycles so far", _found, None),
    ("precision of what was admitted", _precision, None),
    ("uptake of all true insights so far", _uptake(), _uptake(BASE)),
    ("truth never dreamt, among choices", _never_dreamt(), _never_dreamt("base")),
    ("home world, as the gate asks", _suite("retention/all"), _suite("retention/all", "base")),
    ("skill, as the gate asks", _suite("skill/all"), _suite("skill/all", "base")),
)
"""Title, what an arm has, and the base beside it."""


def draw(cells: Sequence[JsonObject], path: Path) -> None:
    """Write the picture of these cells as a PNG."""
    matplotlib.use("Agg")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(cells).savefig(path, dpi=120)


def picture(cells: Sequence[JsonObject]) -> Figure:
    """A panel a measure; in it one line an arm, the mean over its seeds with its 95 % interval.

    The base's is over the worlds, each by the first arm that lived there.
    """
    worlds = list({cell["seed"]: cell for cell in reversed(cells)}.values())
    drawn = Figure(figsize=(12, 7), layout="constrained")
    axes = drawn.subplots(2, 3)
    for axis, (title, series, beside) in zip(axes.flat, PANELS, strict=True):
        _draw_panel(axis, cells, title, series)
        if beside is not None:
            base = _means(worlds, beside)
            axis.plot(range(1, len(base) + 1), base, color="black", linestyle=":", label="base")
    drawn.legend(
        *axes.flat[-1].get_legend_handles_labels(), loc="outside lower center", ncols=10, fontsize=7
    )
    drawn.suptitle(
        f"{cells[0]['preset']} world, mean over seeds; bands are 95 % intervals, from "
        f"{MIN_SEEDS} seeds on; the base is asked what the first arm of each seed is"
    )
    return drawn


def _draw_panel(axis: Axes, cells: Sequence[JsonObject], title: str, series: Series) -> None:
    for number, arm in enumerate(dict.fromkeys(cell["arm"] for cell in cells)):
        mine = [cell for cell in cells if cell["arm"] == arm]
        means = _means(mine, series)
        cycles = range(1, len(means) + 1)
        dashes = (4 * number, (4, 4 * number)) if number else "solid"  # equal arms show through
        (line,) = axis.plot(
            cycles, means, linestyle=dashes, marker="osD^v"[number % 5], markersize=3, label=arm
        )
        if len(mine) >= MIN_SEEDS:
            figures = [figure(values) for values in zip(*map(series, mine), strict=False)]
            low, high = [one.low for one in figures], [one.high for one in figures]
            axis.fill_between(cycles, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
    if any(isinstance(value, tuple) for cell in cells for value in series(cell)):  # a share
        axis.set_ylim(max(axis.get_ylim()[0], -0.01), min(axis.get_ylim()[1], 1.01))
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("cycle", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)


def _means(cells: Sequence[JsonObject], series: Series) -> list[float]:
    return [_mean(values) for values in zip(*map(series, cells), strict=False)]


def _mean(values: Sequence[Value]) -> float:
    known = [number for value in values if (number := plain(value)) is not None]
    return sum(known) / len(known) if known else float("nan")
