"""Each suite over the cycles, exact match above and the continuous score below it.

A jump of the share right that the continuous score does not make is a jump of the metric, not of
the model (Schaeffer et al. 2023). Change points are handed in; nothing is looked for here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ddl_train.report.canvas import LETTERS, PAPER, Palette, new_panels, png_of
from ddl_train.report.curves import Curve, suite_curves
from ddl_train.report.pictures import file_name
from ddl_train.report.plots import broken_line, draw_curve, frame
from ddl_train.report.status import read_status
from ddl_train.storage.files import explained, write_bytes
from ddl_train.storage.run import Run

ChangePoints = Mapping[str, tuple[int | None, int | None]]
"""Suite -> cycle from which the share right, and the continuous score, is another; None: nowhere."""


def draw_history(
    run: Run, folder: Path, *, change_points: ChangePoints | None = None
) -> list[Path]:
    """Write a PNG for each suite that was measured, and return their paths.

    Args:
        run: open for reading.
        folder: made if it is missing.
        change_points: marked in the pictures; suites without an entry have no mark.

    Raises:
        RunError: the folder cannot be written to.
    """
    cycles = read_status(run)["cycles"]
    numbers = [cycle["cycle"] for cycle in cycles]
    promoted = [cycle["cycle"] for cycle in cycles if cycle["promoted"]]
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for curve in suite_curves(run, cycles):
        points = (change_points or {}).get(curve.name, (None, None))
        figure = history_figure(curve, numbers, promoted, points, PAPER)
        paths.append(folder / f"history-{file_name(curve.name)}.png")
        write_bytes(paths[-1], png_of(figure, curve.title))
    return paths


def history_figure(
    curve: Curve,
    cycles: Sequence[int],
    promoted: Sequence[int],
    change_points: tuple[int | None, int | None],
    colours: Palette,
) -> Figure:
    """Share right with its interval above, mean margin in nats a token below.

    Args:
        curve: of a suite.
        cycles: of the run, measured or not.
        promoted: those whose candidate was.
        change_points: of the share and of the margin; drawn as dashed lines.
        colours: of the picture.
    """
    figure, (above, below) = new_panels(2, height=360)
    draw_curve(above, curve, cycles, promoted, colours)
    above.set_xlabel("")
    above.set_ylabel("% right", fontsize=LETTERS, color=colours.muted)
    frame(below, cycles, colours)
    below.set_ylabel("margin, nats", fontsize=LETTERS, color=colours.muted)
    broken_line(below, curve.margins, cycles, colours.blue)
    below.plot(
        [cycle + 1 for cycle, _ in curve.margins],
        [margin for _, margin in curve.margins],
        linestyle="none",
        marker="o",
        markersize=5,
        color=colours.blue,
    )
    for axes, change in zip((above, below), change_points, strict=True):
        if change is not None:
            axes.axvline(change + 0.5, color=colours.orange, linewidth=1, linestyle=(0, (4, 3)))
    return figure
