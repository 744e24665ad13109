"""`eval --history` draws every suite over the cycles."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from typer.testing import CliRunner

from ddl_train.cli.app import app
from ddl_train.report.canvas import PAPER
from ddl_train.report.curves import Curve, Point
from ddl_train.report.history_plots import draw_history, history_figure
from ddl_train.report.trends import read_history
from ddl_train.storage.run import Run
from tests.report.made import made_run

CURVE = Curve(
    name="uptake",
    title="uptake",
    unit="share",
    candidate=tuple(
        Point(cycle=cycle, n=10, value=value, low=value - 0.1, high=value + 0.1)
        for cycle, value in ((0, 0.2), (1, 0.3), (3, 0.8))
    ),
    base=(),
    chance=None,
    margins=((0, -0.1), (1, 0.0), (3, 0.4)),
)


def points(line: Line2D) -> list[tuple[float, float]]:
    xs, ys = (np.asarray(data, dtype=float) for data in (line.get_xdata(), line.get_ydata()))
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


@pytest.fixture
def figure() -> Figure:
    return history_figure(CURVE, [0, 1, 2, 3], [0, 3], (3, None), PAPER)


def test_the_history_is_a_picture_for_each_suite(tmp_path: Path) -> None:
    with Run.read(made_run(tmp_path)) as run:
        paths = draw_history(read_history(run), tmp_path / "new")
    assert [path.name for path in paths] == [
        "history-uptake.png",
        "history-truth.png",
        "history-truth-dreamt.png",
        "history-truth-not-dreamt.png",
        "history-retention.png",
        "history-token-loss-held-out-documents.png",
        "history-kl-to-the-base-held-out-documents.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_the_continuous_score_stands_under_the_share(figure: Figure) -> None:
    above, below = figure.axes
    assert above.get_ylabel() == "% right"
    assert below.get_ylabel() == "continuous score"
    drawn = [points(line) for line in below.lines if line.get_marker() == "o"]
    assert drawn == [[(1, -0.1), (2, 0.0), (4, 0.4)]]


def test_a_cycle_without_a_measurement_breaks_the_line(figure: Figure) -> None:
    (line,) = [points(line) for line in figure.axes[0].lines if len(points(line)) == 4]
    assert line[:2] == [(1, 0.2), (2, 0.3)]
    assert np.isnan(line[2][1])


def test_filled_marks_are_the_nights_that_changed_the_model(figure: Figure) -> None:
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    faces = {points(line)[0][0]: line.get_markerfacecolor() for line in marks}
    assert faces == {1.0: PAPER.blue, 2.0: PAPER.paper, 4.0: PAPER.blue}


def test_a_jump_is_marked_in_the_score_that_makes_it(figure: Figure) -> None:
    marked = [
        [points(line)[0][0] for line in axes.lines if line.get_color() == PAPER.orange]
        for axes in figure.axes
    ]
    assert marked == [[3.5], []]


def test_the_command_names_what_it_wrote(tmp_path: Path) -> None:
    run_dir, out = made_run(tmp_path), tmp_path / "new"
    result = CliRunner().invoke(app, ["eval", str(run_dir), "--history", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"wrote {out / 'history-uptake.png'}" in result.output
