"""What every picture of a report is drawn with: colours, sizes, and how it becomes a file.

On the page a picture is inline SVG: its colours are variables of the page's style sheet, so that it
is readable in light and dark and in print, and its text is text. PNGs are on white. Text of users
and models is not drawn, but for names in the title of a PNG.
"""

import io
import re
import textwrap
from dataclasses import asdict, dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


def new_panels(number: int, width: int = 340, height: int = 360) -> tuple[Figure, list[Axes]]:
    """A figure of so many pixels with axes one below the other, with labels at their sides."""
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    figure.subplots_adjust(left=0.17, right=0.8, bottom=0.11, top=0.97, hspace=0.25)
    return figure, list(figure.subplots(number, 1))


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
    text = re.sub(r'<g id="[^"]+"/>', "", text)
    text = re.sub(r'<g id="[^"]+">', "<g>", text)
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


def quiet(axes: Axes, colours: Palette) -> None:
    """Without a box; ticks as numbers only."""
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=LETTERS, labelcolor=colours.muted)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
