"""The hit rate of a sampler, from pairs that a bandit has chosen."""

import random
from pathlib import Path

import numpy as np
import pytest

from ddl_train.memory.bandit import Path as Stratum
from ddl_train.memory.bandit import Posterior, inclusion, systematic
from ddl_train.report.samplers import estimate, sampler_table
from tests.memory.test_draw import on_a_circle
from tests.memory.test_learned import hits_in_band, learning
from tests.storage.made import a_run


def test_a_bandits_choice_does_not_bend_the_estimate() -> None:
    """A world of 400 things, 5 % hits, four fifths of them where a bandit likes to look.

    Over 200 runs the mean is the truth, and the intervals hold it as often as they say.
    """
    strata = np.array([0] * 40 + [1] * 360)
    is_hit = np.array([True] * 16 + [False] * 24 + [True] * 4 + [False] * 356)
    sizes: dict[Stratum, int] = {("good",): 40, ("poor",): 360}
    rates: dict[Stratum, Posterior] = {
        ("good",): Posterior(40, 1000),
        ("poor",): Posterior(2, 1000),
    }
    rng, rates_found, num_inside = random.Random(4), [], 0
    for _ in range(200):
        weights, hits = [], []
        for _ in range(6):
            chances = inclusion(sizes, rates, 20, floor=0.5, rng=rng)
            of_each = [chances["poor" if stratum else "good",] for stratum in strata]
            for number in systematic(of_each, 20, rng):
                weights.append(1 / 400 / (of_each[number] / 20))
                hits.append(bool(is_hit[number]))
        found = estimate(weights, hits)
        assert found is not None
        rates_found.append(found.rate)
        num_inside += found.low <= 0.05 <= found.high
        assert np.mean(hits) > 0.15  # what was drawn is no picture of the world
    assert np.mean(rates_found) == pytest.approx(0.05, abs=0.005)
    assert num_inside / 200 > 0.93


def test_equal_weights_give_the_plain_share() -> None:
    found = estimate([1.0] * 10, [True] * 3 + [False] * 7)
    assert found is not None
    assert found.rate == pytest.approx(0.3)
    assert found.num_effective == pytest.approx(10)
    assert found.low < 0.3 < found.high


def test_without_a_hit_the_interval_still_has_a_width() -> None:
    found = estimate([1.0] * 50, [False] * 50)
    assert found is not None
    assert found.rate == 0
    assert found.low == pytest.approx(0)
    assert found.high == pytest.approx(0.0713, abs=0.001)  # Wilson, 0 of 50


def test_nothing_drawn_is_nothing_known() -> None:
    assert estimate([], []) is None


def test_a_run_tells_what_uniform_drawing_would_have_hit(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = on_a_circle(run, 60)
        shares = [sum(one) for one in hits_in_band(memory, learning(prior_pairs=20, floor=0.3), 12)]
        table = sampler_table(run)
        alone = table["uniform"]["alone"]
        assert alone is not None
        # 13 % of all pairs lie in the band; most of what was drawn does.
        assert sum(shares) / 240 > 0.4
        assert alone["low"] < 0.13 < alone["high"]
        assert alone["rate"] == pytest.approx(0.13, abs=0.06)
        assert sum(row["pairs"] for row in table.values()) == 240
