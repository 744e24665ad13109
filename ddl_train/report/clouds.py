"""Pictures made of dots: the critic's scores with the admission lines, and the map of memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from ddl_train.records import LIKELIHOODS, Insight, Scores
from ddl_train.report.canvas import LETTERS, Palette, new_figure, quiet
from ddl_train.report.landscape import Landscape

DEPTHS = (("blue", "o"), ("orange", "s"), ("green", "^"), ("pink", "D"))
"""Colour and mark of insights of depth 1, 2, 3, and of all deeper ones."""
MARKS = {"o": "●", "s": "■", "^": "▲", "D": "◆"}
"""The marks as letters, for a key in words."""
SCALE = (0.7, 10.3)
"""Of the critic's axes, which go from 1 to 10."""


def scores_figure(
    admitted: Sequence[Scores],
    refused: Sequence[Scores],
    axes_names: tuple[str, str],
    lines: Mapping[str, float],
    colours: Palette,
) -> Figure:
    """Scores of ideas on two axes, and what an idea needs to be admitted.

    Args:
        admitted: ideas that became insights.
        refused: ideas that the critic scored and that were refused.
        axes_names: fields of `Scores`, across and up.
        lines: field -> least that is admitted; a field without one has no line.
        colours: of the picture.
    """
    figure, axes = new_figure(320, 290, left=34, right=10, bottom=38)
    quiet(axes, colours)
    across, up = axes_names
    for name, set_limit, line in (
        (across, axes.set_xlim, axes.axvline),
        (up, axes.set_ylim, axes.axhline),
    ):
        set_limit(*((-0.03, 1.03) if name in LIKELIHOODS else SCALE))
        if name in lines:
            line(lines[name], color=colours.ink, linewidth=1, linestyle=(0, (4, 3)))
    for given, colour, mark, size in (
        (refused, colours.orange, "x", 22.0),
        (admitted, colours.blue, "o", 20.0),
    ):
        known = [one for one in given if None not in (getattr(one, across), getattr(one, up))]
        _dots(
            axes,
            [(getattr(one, across), getattr(one, up)) for one in known],
            s=size,
            marker=mark,
            color=colour,
            alpha=0.6,
            linewidths=0 if mark == "o" else 1.2,
            clip_on=False,
        )
    axes.grid(color=colours.rule, linewidth=0.5)
    axes.set_xlabel(across, fontsize=LETTERS, color=colours.muted)
    for name, axis in ((across, axes.xaxis), (up, axes.yaxis)):
        axis.set_major_locator(
            FixedLocator([0, 0.5, 1] if name in LIKELIHOODS else [2, 4, 6, 8, 10])
        )
    axes.set_ylabel(up, fontsize=LETTERS, color=colours.muted)
    return figure


def map_figure(
    landscape: Landscape,
    insights: Sequence[Insight],
    named: Sequence[Insight],
    colours: Palette,
) -> Figure:
    """Memory in two dimensions: documents as dots, insights by depth, dreams as edges.

    Args:
        landscape: where everything is.
        insights: all there are; those without a place are left out.
        named: insights whose number is written beside them, where there is room.
        colours: of the picture.
    """
    figure, axes = new_figure(440, 380, left=6, right=18, bottom=6, top=10)
    quiet(axes, colours)
    axes.set_xticks([])
    axes.set_yticks([])
    places = landscape.places
    shown = [one for one in insights if one.concept_id in places]
    of_insights = {one.concept_id for one in insights}
    documents = [place for concept, place in places.items() if concept not in of_insights]
    _edges(axes, shown, places, colours)
    _dots(axes, documents, s=9, color=colours.muted, alpha=0.5, linewidths=0)
    for depth, (colour, mark) in enumerate(DEPTHS, start=1):
        own = [
            places[one.concept_id]
            for one in shown
            if one.depth == depth or (one.depth > depth == len(DEPTHS))
        ]
        _dots(
            axes,
            own,
            s=26,
            marker=mark,
            color=getattr(colours, colour),
            linewidths=0.6,
            edgecolors=colours.paper,
            zorder=3,
        )
    _numbers(axes, named, places, colours)
    return figure


def _dots(axes: Axes, places: Sequence[tuple[float, float]], **style: Any) -> None:
    """Marks in one style; none where there is no place."""
    if places:
        axes.scatter([x for x, _ in places], [y for _, y in places], **style)


def _numbers(
    axes: Axes,
    insights: Sequence[Insight],
    places: Mapping[int, tuple[float, float]],
    colours: Palette,
) -> None:
    """Numbers beside insights, where they do not cover one that is written already."""
    taken: list[tuple[float, float]] = []
    for one in insights:
        if one.concept_id not in places:
            continue
        x, y = axes.transData.transform(places[one.concept_id])
        if any(abs(x - left) < 3 * LETTERS and abs(y - up) < 1.3 * LETTERS for left, up in taken):
            continue
        taken.append((x, y))
        axes.annotate(
            str(one.insight_id),
            places[one.concept_id],
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=LETTERS + 2,
            color=colours.ink,
            zorder=4,
        )


def _edges(
    axes: Axes,
    insights: Sequence[Insight],
    places: Mapping[int, tuple[float, float]],
    colours: Palette,
) -> None:
    """From each insight to its two parents, as one broken line."""
    xs: list[float] = []
    ys: list[float] = []
    for one in insights:
        for parent in one.parents:
            if parent in places:
                for x, y in (places[one.concept_id], places[parent], (float("nan"),) * 2):
                    xs.append(x)
                    ys.append(y)
    axes.plot(xs, ys, color=colours.muted, linewidth=0.6, alpha=0.45, zorder=1)
