"""Intervals cover what they say, and say when there is nothing to be said."""

import math

import numpy as np
import pytest

from ddl_train.probes.statistics import Interval, items_needed, paired_interval, wilson


def interval(differences: list[float], clusters: list[str] | None = None) -> Interval:
    names = clusters or [str(number) for number in range(len(differences))]
    return paired_interval(differences, names, confidence=0.95, num_resamples=500)


def test_the_bounds_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    below = above = 0
    num_trials = 200
    for _ in range(num_trials):
        # right or wrong before and after, two correlated items a cluster, true gain 0.2
        shared = rng.random(60)
        items = [np.where(shared < 0.35, 1.0, np.where(shared > 0.85, -1.0, 0.0)) for _ in "ab"]
        flips = rng.random(60) < 0.3
        items[1][flips] = rng.choice([1.0, -1.0, 0.0], p=[0.35, 0.15, 0.5], size=flips.sum())
        found = interval(
            [float(value) for item in items for value in item],
            [str(number) for number in range(60)] * 2,
        )
        below += found.low > 0.2
        above += found.high < 0.2
    # 5 % expected on each side; 200 trials leave room for 10.6 % before luck is below 0.1 %
    assert below <= 21
    assert above <= 21


def test_items_of_one_cluster_do_not_count_as_independent() -> None:
    rng = np.random.default_rng(1)
    values = [float(value) for value in rng.choice([0.0, 1.0], size=30)]
    alone = interval(values)
    tenfold = interval(values * 10, [str(number) for number in range(30)] * 10)
    assert math.isclose(tenfold.mean, alone.mean)
    assert tenfold.num_items == 300
    assert math.isclose(tenfold.high - tenfold.low, alone.high - alone.low, rel_tol=0.15)


def test_where_all_clusters_agree_that_is_the_interval() -> None:
    found = interval([0.0] * 12)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)
    assert interval([1.0, 0.0] * 6, ["a", "a", *"bbccddeeff"]).low == 0.5


@pytest.mark.parametrize("differences", [[], [math.nan], [1.0, 0.0, math.inf]])
def test_what_cannot_be_computed_is_not_known(differences: list[float]) -> None:
    assert not interval(differences).is_known


def test_the_same_numbers_give_the_same_bounds() -> None:
    values = [0.0, 1.0, 1.0, 0.0, -1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    assert interval(values) == interval(values)


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe 1998, table I: 81 of 263 and 0 of 20
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_four_times_the_items_see_half_the_effect() -> None:
    found = Interval(mean=0.0, low=-0.1, high=0.1, num_items=100, num_clusters=100)
    assert items_needed(found, 0.1) == 100
    assert items_needed(found, 0.05) == 400
    assert items_needed(found, 0.0) is None
