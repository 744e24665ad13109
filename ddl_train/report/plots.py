"""Curves over the cycles. Small and single, so that a phone shows their letters at full size."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ddl_train.report.canvas import LETTERS, Palette, new_figure, quiet
from ddl_train.report.curves import Curve, Point

Line = tuple[str, str, Sequence[tuple[int, float]]]
"""Label, name of a colour of the palette, and (cycle, value) points."""


def curve_figure(
    curve: Curve, cycles: Sequence[int], promoted: Sequence[int], colours: Palette
) -> Figure:
    """A suite over the cycles: the night's candidate and the base, each with its interval.

    A filled mark is a night that was promoted, a hollow one a night that was not.
    """
    figure, axes = new_figure()
    draw_curve(axes, curve, cycles, promoted, colours)
    return figure


def draw_curve(
    axes: Axes,
    curve: Curve,
    cycles: Sequence[int],
    promoted: Sequence[int],
    colours: Palette,
    *,
    name: str = "night",
) -> None:
    """What `curve_figure` shows, on axes; `name` labels the candidate's line."""
    frame(axes, cycles, colours)
    is_share = curve.unit == "share"
    if curve.chance is not None and is_share:
        axes.axhline(curve.chance, color=colours.muted, linewidth=1, linestyle=(0, (1, 3)))
    if curve.unit != "number":
        _band(axes, curve.base, colours.muted, 0.14)
        _band(axes, curve.candidate, colours.blue, 0.22)
    broken_line(axes, [(one.cycle, one.value) for one in curve.base], cycles, colours.muted)
    broken_line(axes, [(one.cycle, one.value) for one in curve.candidate], cycles, colours.blue)
    for point in curve.candidate:
        axes.plot(
            [point.cycle + 1],
            [point.value],
            linestyle="none",
            marker="o",
            markersize=6.5,
            markeredgewidth=1.6,
            markeredgecolor=colours.blue,
            markerfacecolor=colours.blue if point.cycle in promoted else colours.paper,
        )
    if curve.is_difference:
        axes.axhline(0, color=colours.muted, linewidth=1.8)
    if is_share:
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.margins(y=0.15)
        if curve.unit == "number":
            axes.set_ylim(min(0.0, axes.get_ylim()[0]), axes.get_ylim()[1])
    labels = [
        (points[-1].value, label, colour)
        for label, colour, points in (
            (name, colours.blue, curve.candidate),
            ("base", colours.muted, curve.base),
        )
        if points
    ]
    if curve.chance is not None and is_share:
        labels.append((curve.chance, "chance", colours.muted))
    if curve.is_difference:
        labels.append((0, "base", colours.muted))
    _label_ends(axes, labels)


def line_figure(
    lines: Sequence[Line],
    cycles: Sequence[int],
    colours: Palette,
    *,
    is_share: bool = False,
) -> Figure:
    """Counts or shares over the cycles, from zero, each line labelled at its end."""
    figure, axes = new_figure()
    frame(axes, cycles, colours)
    labels = []
    for name, colour_name, points in lines:
        colour = getattr(colours, colour_name)
        broken_line(axes, points, cycles, colour)
        axes.plot(
            [cycle + 1 for cycle, _ in points],
            [value for _, value in points],
            linestyle="none",
            marker="o",
            markersize=5,
            color=colour,
        )
        if points and len(lines) > 1:
            labels.append((points[-1][1], name, colour))
    top = max((value for _, _, points in lines for _, value in points), default=1)
    ceiling = 1.03 if is_share else max(top, 1e-9) * 1.1
    axes.set_ylim(-0.02 * ceiling, ceiling)
    if is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=top >= 5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    _label_ends(axes, labels)
    return figure


def frame(axes: Axes, cycles: Sequence[int], colours: Palette) -> None:
    """Quiet axes: horizontal rules only, a tick for each cycle or a few of many."""
    quiet(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.7)
    axes.set_xlim(min(cycles) + 0.7, max(cycles) + 1.3)
    axes.xaxis.set_major_locator(MaxNLocator(min(len(cycles), 8), integer=True))
    axes.set_xlabel("cycle", fontsize=LETTERS, color=colours.muted)


def broken_line(
    axes: Axes, points: Sequence[tuple[int, float]], cycles: Sequence[int], colour: str
) -> None:
    """A line that breaks at cycles without a point."""
    if not points:
        return
    known = dict(points)
    axes.plot(
        [cycle + 1 for cycle in cycles],
        [known.get(cycle, float("nan")) for cycle in cycles],
        color=colour,
        linewidth=1.8,
    )


def _band(axes: Axes, points: Sequence[Point], colour: str, alpha: float) -> None:
    """Intervals as a band over neighbouring cycles, as a bar where a point stands alone."""
    runs: list[list[Point]] = []
    for point in points:
        if runs and runs[-1][-1].cycle == point.cycle - 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    for run in runs:
        places = [point.cycle + 1 for point in run]
        low, high = [point.low for point in run], [point.high for point in run]
        if len(run) == 1:
            axes.vlines(places, low, high, color=colour, linewidth=5, alpha=2 * alpha)
        else:
            axes.fill_between(places, low, high, color=colour, alpha=alpha, linewidth=0)


def _label_ends(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Names at the right end of lines, moved apart where they would cover each other."""
    low, high = axes.get_ylim()
    gap = 0.085 * (high - low)
    ordered = sorted(labels)
    places: list[float] = []
    for value, _, _ in ordered:
        places.append(max(value, places[-1] + gap) if places else value)
    limit = high - 0.3 * gap
    for number in reversed(range(len(places))):
        places[number] = min(places[number], limit)
        limit = places[number] - gap
    for place, (_, name, colour) in zip(places, ordered, strict=True):
        axes.annotate(
            name,
            xy=(1, place),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=LETTERS,
            color=colour,
            annotation_clip=False,
        )
