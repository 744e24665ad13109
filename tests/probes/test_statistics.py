"""Intervals cover what they say, and say when there is nothing to be said."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl_train.probes.statistics import (
    Interval,
    exact_gain_test,
    items_needed,
    items_without_loss,
    paired_interval,
    resamples_for,
    wilson,
)


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
    found = Interval(
        mean=0.0, low=-0.1, high=0.1, num_items=100, num_clusters=100, standard_error=0.05
    )
    # z 1.645 + 0.842 for 5 % and a power of 80 %: 100 * (2.486 * 0.05 / 0.1)^2
    assert items_needed(found, 0.1, alpha=0.05) == 155
    assert items_needed(found, 0.05, alpha=0.05) == 619
    assert items_needed(found, 0.0, alpha=0.05) is None
    assert items_needed(replace(found, standard_error=0.0), 0.1, alpha=0.05) is None


def test_as_many_items_as_asked_for_do_see_the_effect_four_times_in_five() -> None:
    rng = np.random.default_rng(3)
    shares = {1.0: 0.25, -1.0: 0.15, 0.0: 0.6}
    wanted = items_needed(
        interval([value for value, share in shares.items() for _ in range(round(100 * share))]),
        0.1,
        alpha=0.05,
    )
    assert wanted is not None
    seen = 0
    for _ in range(200):
        drawn = rng.choice([*shares], p=[*shares.values()], size=wanted)
        seen += interval([float(value) for value in drawn]).low > 0
    assert 0.7 < seen / 200 < 0.9


def test_no_loss_among_twenty_nine_items_excludes_a_tenth() -> None:
    assert items_without_loss(0.1, alpha=0.05) == 29
    assert 0.9**29 < 0.05 < 0.9**28


def test_the_exact_test_agrees_with_the_binomial() -> None:
    # 8 won and 1 lost: (C(9,8) + C(9,9)) / 2^9
    values = [1.0] * 8 + [-1.0] + [0.0] * 20
    names = [str(number) for number in range(len(values))]
    assert exact_gain_test(values, names) == pytest.approx(10 / 512)
    assert exact_gain_test([0.0] * 20, names[:20]) == 1.0
    # the same items asked in ten wordings are the same evidence
    assert exact_gain_test(values * 10, names * 10) == pytest.approx(10 / 512)


def test_the_exact_test_counts_worlds_with_the_changes_of_whole_clusters_turned() -> None:
    # changes 2, 2, 1 and -1: of 16 worlds 1 gains 6 and 4 gain 4
    values, names = [1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 0.0], ["a", "a", "b", "b", "c", "d", "e"]
    assert exact_gain_test(values, names) == pytest.approx(3 / 16)


@given(st.lists(st.integers(-3, 3), max_size=9))
def test_the_exact_test_is_the_share_of_turned_worlds_that_gain_as_much(changes: list[int]) -> None:
    worlds = [
        sum(sign * change for sign, change in zip(signs, changes, strict=True))
        for signs in itertools.product((-1, 1), repeat=len(changes))
    ]
    share = sum(world >= sum(changes) for world in worlds) / len(worlds)
    names = [str(number) for number in range(len(changes))]
    assert exact_gain_test([float(one) for one in changes], names) == pytest.approx(share)


def test_a_small_alpha_gets_the_resamples_it_takes() -> None:
    assert resamples_for(0.05) == 2000
    assert resamples_for(0.0025) == 40000
