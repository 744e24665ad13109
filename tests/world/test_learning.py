"""What was learned, kept and forgotten, from who got which question of an exam right."""

import math

import pytest

from ddl_train.bench.learning import (
    Change,
    average_accuracy,
    backward_transfer,
    change_of,
    exam_share,
    forgetting,
    forward_transfer,
    known_whole,
    lost,
    matrix,
    taught_after,
)
from tests.world.cells import an_exam

TWO_NIGHTS = an_exam(
    ["x", "y"],
    uptake=[
        (0, {"base": "0000", "x": "1111", "y": "1110"}),
        (1, {"base": "00", "x": "10", "y": "11"}),
    ],
)


def test_the_matrix_asks_every_adapter_about_the_insights_of_every_cycle() -> None:
    assert matrix(TWO_NIGHTS) == [[(4, 4), (1, 2)], [(3, 4), (2, 2)]]
    assert average_accuracy(TWO_NIGHTS) == pytest.approx((0.75 + 1) / 2)
    assert exam_share(TWO_NIGHTS, "uptake", "y") == (5, 6)


def test_backward_transfer_is_what_is_right_now_less_what_was_when_just_taught() -> None:
    found = backward_transfer(TWO_NIGHTS)
    assert found is not None
    assert found.value == -0.25
    assert found.error == pytest.approx(math.sqrt(0.75 * 4 / 3) / 4)
    assert backward_transfer(an_exam(["x"])) is None


def test_a_refused_night_neither_praises_nor_blames_the_next() -> None:
    """The insights of cycle 0 are taught by the night of cycle 1, and kept since."""
    exam = an_exam(
        ["base", "x", "y"],
        uptake=[
            (0, {"base": "0000", "x": "1111", "y": "1111"}),
            (2, {"base": "00", "x": "00", "y": "11"}),
        ],
    )
    assert taught_after(["base", "x", "y"]) == [1, 1, 2]
    found = backward_transfer(exam)
    assert found is not None
    assert found.value == 0.0
    assert taught_after(["x", "x", "y", "y"]) == [0, 2, 2, None]


def test_forgetting_is_less_than_the_best_there_ever_was() -> None:
    assert forgetting(TWO_NIGHTS) == 0.25
    assert forgetting(an_exam(["x"])) is None


def test_an_insight_is_known_whole_when_both_ways_and_its_sign_are() -> None:
    groups = ("uptake/forward", "uptake/reverse", "flip")
    items = [[group, about, 0] for about in "abcd" for group in groups]
    items += [["uptake/forward", "e", 0], ["flip", "e", 0]]  # nothing to ask in reverse
    exam = {"items": items, "answers": {"x": "11011101010010"}}
    assert known_whole(exam, "x") == (1, 4)


def test_forward_transfer_is_what_was_right_before_it_was_dreamt() -> None:
    assert forward_transfer(TWO_NIGHTS) == 0.5
    assert forward_transfer(an_exam(["x"])) is None


def test_what_is_lost_has_an_error_that_takes_one_statement_together() -> None:
    found = lost(an_exam(["x"]), "home")
    assert found is not None
    assert found.value == 0.25  # one of four
    assert found.error == 1 / 5  # of three statements and two halves
    lost_and_won = {"a": 1.0, "b": -1.0} | dict.fromkeys("cdefgh", 0.0)
    many = change_of([(about, one) for about, one in lost_and_won.items() for _ in range(2)])
    assert many is not None
    assert many.error == pytest.approx(math.sqrt((2**2 + 2**2) * 8 / 7) / 16)
    clean = lost(an_exam(["x"]), "home/never replayed")
    assert clean is not None
    assert clean == Change(0.0, math.inf, 1)
    assert lost(an_exam(["x"]), "none of these") is None


def test_that_nothing_changed_among_a_few_does_not_say_that_nothing_does() -> None:
    still = change_of([(str(number), 0.0) for number in range(8)])
    assert still == Change(0.0, 0.1, 8)
    assert change_of([]) is None
