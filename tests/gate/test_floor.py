"""The noise floor lies above what null nights gain, and is unknown without them."""

import math
from dataclasses import replace

import pytest

from ddl_train.gate.floor import noise_floor
from tests.test_promote import CURRENT, report


def test_the_floor_lies_above_the_gains_of_null_nights() -> None:
    nights = [(report("null", uptake=right), CURRENT) for right in (12, 13, 12, 14, 11)]
    floor = noise_floor(nights)
    assert floor.gains == pytest.approx((0.0, 0.025, 0.0, 0.05, -0.025))
    # mean 0.01, sd 0.0285, t(0.95, 4) 2.132, sqrt(1 + 1/5)
    assert floor.value == pytest.approx(0.01 + 2.1318 * 0.02850 * math.sqrt(1.2), abs=1e-4)


def test_null_nights_that_only_lose_set_the_floor_at_zero() -> None:
    assert noise_floor([(report("null", uptake=right), CURRENT) for right in (2, 3)]).value == 0.0


def test_one_null_night_says_nothing() -> None:
    assert math.isnan(noise_floor([(CURRENT, CURRENT)]).value)
    assert math.isnan(noise_floor([]).value)
    assert math.isnan(noise_floor([(replace(CURRENT, items=()), CURRENT)][:0]).value)
