"""The noise floor lies above what null nights gain alike, and is unknown without them."""

import math

import pytest

from ddl_train.gate.floor import noise_floor
from tests.test_promote import CURRENT, report


def test_the_floor_lies_above_what_null_nights_gain() -> None:
    nights = [(report("null", uptake=right), CURRENT) for right in (12, 13, 12, 14, 11)]
    floor = noise_floor(nights)
    assert floor.gains == pytest.approx((0.0, 0.025, 0.0, 0.05, -0.025))
    assert 0.01 < floor.value < 0.1


def test_a_drift_that_all_share_is_all_in_the_floor() -> None:
    drift = [(report("null", uptake=20), CURRENT)] * 3
    assert 0.2 < noise_floor(drift).value < 0.45
    # three nights that answer alike are the evidence of one
    assert noise_floor(drift).value == pytest.approx(noise_floor(drift[:1]).value, abs=0.02)


def test_null_nights_that_only_lose_set_the_floor_at_zero() -> None:
    assert noise_floor([(report("null", uptake=right), CURRENT) for right in (2, 3)]).value == 0.0


def test_no_null_night_says_nothing() -> None:
    assert math.isnan(noise_floor([]).value)
