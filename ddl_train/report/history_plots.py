"""Each suite over the cycles as `eval --history` has it, the continuous score below the share right.

A jump of the share right that the continuous score does not make is a jump of the metric, not of
the model (Schaeffer et al., 2023), so both stand in one picture.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ddl_train.records import BASE, JsonObject
from ddl_train.report.canvas import LETTERS, PAPER, Palette, new_panels, png_of
from ddl_train.report.curves import Curve, Point, suite_title
from ddl_train.report.pictures import file_name
from ddl_train.report.plots import Line, broken_line, draw_curve, frame, line_figure
from ddl_train.storage.files import make_folder, write_bytes

SURE = 0.05
"""P-value up to which a jump is drawn."""


def draw_history(history: JsonObject, folder: Path) -> list[Path]:
    """Write a PNG for each suite and set of texts, and return their paths.

    Args:
        history: of `trends.read_history`; the adapter in use after each cycle.
        folder: made if it is missing.

    Raises:
        RunError: the folder cannot be written to.
        ResourceError: the disk is full.
    """
    cycles = history["cycles"]
    before = [BASE, *history["adapters"]]
    changed = [
        cycle
        for cycle, old, new in zip(cycles, before, history["adapters"], strict=False)
        if old != new
    ]
    make_folder(folder)
    paths = []
    for suite, series in history["suites"].items():
        places = [cycles[place] for place in series["places"]]
        figure = history_figure(
            _curve(suite, series, places),
            cycles,
            changed,
            (_jump(series["jump_of_share"], places), _jump(series["jump_of_margin"], places)),
            PAPER,
        )
        paths.append(folder / f"history-{file_name(suite)}.png")
        write_bytes(paths[-1], png_of(figure, suite_title(suite)))
    for title, key in (("token loss", "losses"), ("KL to the base", "divergences")):
        for name, series in history[key].items():
            places = [cycles[place] for place in series["places"]]
            line: Line = ("in use", "blue", list(zip(places, series["nats"], strict=True)))
            paths.append(folder / f"history-{file_name(f'{title} {name}')}.png")
            figure = line_figure([line], cycles, PAPER)
            write_bytes(paths[-1], png_of(figure, f"{title}, {name}"))
    return paths


def history_figure(
    curve: Curve,
    cycles: Sequence[int],
    changed: Sequence[int],
    jumps: tuple[int | None, int | None],
    colours: Palette,
) -> Figure:
    """Share right with its interval above, mean continuous score below.

    Args:
        curve: of a suite.
        cycles: of the run.
        changed: those whose night put another adapter in use; their marks are filled.
        jumps: cycles at which the share, and the score, leaps; drawn as dashed lines.
        colours: of the picture.
    """
    figure, (above, below) = new_panels(2)
    draw_curve(above, curve, cycles, changed, colours, name="in use")
    above.set_xlabel("")
    above.set_ylabel("% right", fontsize=LETTERS, color=colours.muted)
    frame(below, cycles, colours)
    below.set_ylabel("continuous score", fontsize=LETTERS, color=colours.muted)
    broken_line(below, curve.margins, cycles, colours.blue)
    below.plot(
        [cycle + 1 for cycle, _ in curve.margins],
        [margin for _, margin in curve.margins],
        linestyle="none",
        marker="o",
        markersize=5,
        color=colours.blue,
    )
    for axes, jump in zip((above, below), jumps, strict=True):
        if jump is not None:
            axes.axvline(jump + 0.5, color=colours.orange, linewidth=1, linestyle=(0, (4, 3)))
    return figure


def _curve(suite: str, series: JsonObject, cycles: Sequence[int]) -> Curve:
    columns = (series[name] for name in ("asked", "share", "low", "high"))
    return Curve(
        name=suite,
        title=suite_title(suite),
        unit="share",
        candidate=tuple(
            Point(cycle=cycle, n=n, value=share, low=low, high=high)
            for cycle, n, share, low, high in zip(cycles, *columns, strict=True)
        ),
        base=(),
        chance=None,
        margins=tuple(zip(cycles, series["margin"], strict=True)),
    )


def _jump(found: JsonObject | None, cycles: Sequence[int]) -> int | None:
    return cycles[found["place"]] if found and found["p_value"] <= SURE else None
