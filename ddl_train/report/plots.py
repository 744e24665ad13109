"""The pictures of a report: each drawn once for the page and once as a PNG beside it.

On the page a picture is inline SVG: its colours are variables of the page's style sheet, so that it
is readable in light and dark and in print, and its text is text. PNGs are on white. Pictures are
small and single, so that a phone shows their letters at full size; a page puts them side by side.
Text of users and models is not drawn, but for names in the title of a PNG.
"""

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ddl_train.report.curves import Curve, Point

LETTERS = 11.0
"""Size of all text, in pixels at the picture's own size."""
_DPI = 72
"""Of a figure's inches, so that one point is one pixel of the SVG."""
_PNG_DPI = 200
_TITLE = 24
"""Pixels that the title of a PNG takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Colours by what they are for. Okabe and Ito's, which colour-blind people can tell apart."""

    ink: str = "#1c1c1c"
    muted: str = "#595959"
    rule: str = "#d0d0d0"
    paper: str = "#ffffff"
    blue: str = "#0072b2"
    orange: str = "#c65a00"
    green: str = "#00805f"
    pink: str = "#a8497f"


PAPER = Palette()
VARIABLES = Palette(
    **{name: f"#0f0f{number:02x}" for number, name in enumerate(asdict(PAPER), start=1)}
)
"""Stand-ins that become `var(--name)` of the page's style sheet."""

Line = tuple[str, str, Sequence[tuple[int, float]]]
"""Label, name of a colour of the palette, and (cycle, value) points."""


def new_figure(
    width: int = 320,
    height: int = 220,
    *,
    left: int = 40,
    right: int = 66,
    bottom: int = 36,
    top: int = 8,
) -> tuple[Figure, Axes]:
    """A figure of so many pixels with one pair of axes, and so many left free on each side.

    The sides are fixed and not fitted to what is drawn, so that pictures side by side line up.
    """
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height
    )
    return figure, figure.add_subplot()


def svg_of(figure: Figure, name: str, alt: str) -> str:
    """A figure drawn with `VARIABLES` as inline SVG, the same text each time.

    Args:
        figure: drawn.
        name: makes ids in the SVG its own; letters and hyphens.
        alt: what it shows, for who cannot see it.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r'<g id="\w+">', "<g>", text)
    for colour, number in asdict(VARIABLES).items():
        text = text.replace(number, f"var(--{colour})")
    quoted = alt.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    head = re.match(r"<svg[^>]*>", text)
    assert head is not None
    box = re.search(r'viewBox="[^"]*"', head[0])
    assert box is not None
    return (
        f'<svg {box[0]} class="plot" role="img" aria-label="{quoted}">{text[head.end() :].strip()}'
    )


def png_of(figure: Figure, title: str) -> bytes:
    """A figure drawn with `PAPER`, with its title, as PNG."""
    stream = io.BytesIO()
    shown, height = figure.subplotpars, figure.get_figheight()
    taller = height + _TITLE / _DPI
    figure.set_figheight(taller)
    figure.subplots_adjust(bottom=shown.bottom * height / taller, top=shown.top * height / taller)
    words = textwrap.shorten(drawable(title), 44, placeholder=" ...")
    figure.suptitle(words, fontsize=LETTERS + 1, color=PAPER.ink)
    figure.savefig(stream, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return stream.getvalue()


def drawable(text: str) -> str:
    """Text without the letters that the font of PNGs lacks, dollars escaped."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(letter if ord(letter) in known else "·" for letter in text).replace("$", r"\$")


def curve_figure(
    curve: Curve, cycles: Sequence[int], promoted: Sequence[int], colours: Palette
) -> Figure:
    """A suite over the cycles: the night's candidate and the base, each with its interval.

    A filled mark is a night that was promoted, a hollow one a night that was not.
    """
    figure, axes = new_figure()
    _frame(axes, cycles, colours)
    is_share = curve.unit == "share"
    if curve.chance is not None and is_share:
        axes.axhline(curve.chance, color=colours.muted, linewidth=1, linestyle=(0, (1, 3)))
    if curve.unit != "number":
        _band(axes, curve.base, colours.muted, 0.14)
        _band(axes, curve.candidate, colours.blue, 0.22)
    _broken_line(axes, [(one.cycle, one.value) for one in curve.base], cycles, colours.muted)
    _broken_line(axes, [(one.cycle, one.value) for one in curve.candidate], cycles, colours.blue)
    for point in curve.candidate:
        axes.plot(
            [point.cycle + 1],
            [point.value],
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
    labels = [
        (points[-1].value, name, colour)
        for name, colour, points in (
            ("night", colours.blue, curve.candidate),
            ("base", colours.muted, curve.base),
        )
        if points
    ]
    if curve.chance is not None and is_share:
        labels.append((curve.chance, "chance", colours.muted))
    if curve.is_difference:
        labels.append((0, "base", colours.muted))
    _label_ends(axes, labels)
    return figure


def line_figure(
    lines: Sequence[Line],
    cycles: Sequence[int],
    colours: Palette,
    *,
    is_share: bool = False,
) -> Figure:
    """Counts or shares over the cycles, from zero, each line labelled at its end."""
    figure, axes = new_figure()
    _frame(axes, cycles, colours)
    labels = []
    for name, colour_name, points in lines:
        colour = getattr(colours, colour_name)
        _broken_line(axes, points, cycles, colour)
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


def _frame(axes: Axes, cycles: Sequence[int], colours: Palette) -> None:
    """Quiet axes: horizontal rules only, a tick for each cycle or a few of many."""
    quiet(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.7)
    axes.set_xlim(min(cycles) + 0.7, max(cycles) + 1.3)
    axes.xaxis.set_major_locator(MaxNLocator(min(len(cycles), 8), integer=True))
    axes.set_xlabel("cycle", fontsize=LETTERS, color=colours.muted)


def quiet(axes: Axes, colours: Palette) -> None:
    """Without a box; ticks as numbers only."""
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=LETTERS, labelcolor=colours.muted)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)


def _broken_line(
    axes: Axes, points: Sequence[tuple[int, float]], cycles: Sequence[int], colour: str
) -> None:
    """A line that breaks at cycles without a point."""
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
