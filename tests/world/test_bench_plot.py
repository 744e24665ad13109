"""The picture of the world bench, on cells made by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from ddl_train.bench.plot import PANELS, picture
from ddl_train.records import JsonObject
from tests.world.cells import DISCOVERY, an_exam
from tests.world.cells import cell as made


def cell(arm: str, seed: int, right: Sequence[int]) -> JsonObject:
    """One cycle for each number of questions answered right, of ten about the first."""
    versions = [f"night {number}" for number in range(len(right))]
    marks = {who: "1" * n + "0" * (10 - n) for who, n in zip(versions, right, strict=True)}
    exam = an_exam(versions, uptake=[(0, {"base": "1100000000", **marks})])
    shares = {"skill/all": [9, 10]}
    suites = [{"base": shares, "in_use": shares, "kl": None} for _ in right]
    found = DISCOVERY | {"new_by_depth": {"1": 2, "2": 1}}
    return made(arm=arm, seed=seed, exam=exam, suites=suites, discovery=[found] * len(right))


def panel(cells: Sequence[JsonObject], title: str) -> Axes:
    places = [name for name, _, _ in PANELS]
    return picture(cells).axes[places.index(title)]


UPTAKE = "uptake of all true insights so far"


def test_a_line_is_the_mean_over_seeds_of_each_cycle() -> None:
    axis = panel([cell("default", 1, [4, 8]), cell("default", 2, [6, 6])], UPTAKE)
    (line,) = [line for line in axis.lines if line.get_label() == "default"]
    assert np.asarray(line.get_xdata()).tolist() == [1, 2]
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([0.5, 0.7])


def test_the_base_stands_beside_the_arms() -> None:
    axis = panel([cell("default", 1, [4, 8]), cell("merged", 1, [5, 5])], UPTAKE)
    (line,) = [line for line in axis.lines if line.get_label() == "base"]
    assert np.asarray(line.get_ydata()).tolist() == [0.2, 0.2]


def test_the_base_of_a_world_is_that_of_the_first_arm_in_it() -> None:
    other = cell("merged", 1, [5])
    other["exam"] = an_exam(["x"], uptake=[(0, {"base": "1" * 9 + "0", "x": "1" * 10})])
    axis = panel([cell("default", 1, [4]), other], UPTAKE)
    (line,) = [line for line in axis.lines if line.get_label() == "base"]
    assert np.asarray(line.get_ydata()).tolist() == [0.2]


def test_truth_never_dreamt_leaves_out_what_is_answered_in_writing() -> None:
    shares = {
        "truth_undreamt/direction": [5, 10],
        "truth_undreamt/forward": [1, 10],
        "truth_undreamt/reverse": [3, 10],
        "truth_undreamt/any_forward": [9, 10],
    }
    asked = [{"base": shares, "in_use": shares, "kl": None}]
    axis = panel([cell("default", 1, [4]) | {"suites": asked}], "truth never dreamt, among choices")
    assert np.asarray(axis.lines[0].get_ydata()).tolist() == pytest.approx([0.3])


def test_three_seeds_have_a_band_of_students_interval_and_two_have_none() -> None:
    three = panel([cell("default", seed, [right]) for seed, right in ((1, 4), (2, 5), (3, 6))], UPTAKE)  # fmt: skip
    (band,) = [one for one in three.collections if isinstance(one, PolyCollection)]
    heights = np.concatenate([path.vertices for path in band.get_paths()])[:, 1]
    half = 4.303 * 0.1 / np.sqrt(3)  # t of 2 degrees of freedom, times the standard error
    assert (heights.min(), heights.max()) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-4)
    two = panel([cell("default", seed, [4]) for seed in (1, 2)], UPTAKE)
    assert not two.collections


def test_a_band_of_shares_ends_at_one() -> None:
    axis = panel([cell("default", seed, [right]) for seed, right in ((1, 10), (2, 10), (3, 9))], UPTAKE)  # fmt: skip
    heights = np.concatenate([path.vertices for path in axis.collections[0].get_paths()])[:, 1]
    assert heights.max() == 1.0


def test_insights_add_up_over_cycles() -> None:
    axis = panel([cell("default", 1, [4, 8, 9])], "true insights, all cycles so far")
    assert np.asarray(axis.lines[0].get_ydata()).tolist() == [3, 6, 9]


def test_an_axis_of_shares_ends_at_one_also_where_nothing_varies() -> None:
    axis = panel([cell("default", 1, [10, 10])], "precision of what was admitted")
    assert axis.get_ylim()[1] <= 1.01
