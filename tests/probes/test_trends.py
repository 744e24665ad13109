"""Transfer, forgetting and jumps, on series whose answer is known."""

import pytest

from ddl_train.probes.trends import Share, find_change, transfer, uptake_matrix
from ddl_train.records import EvalReport, ItemResult


def matrix(*rows: list[tuple[int, int]]) -> list[list[Share]]:
    return [list(row) for row in rows]


def test_forgetting_is_what_was_known_best_less_what_is_known_now() -> None:
    after = matrix([(8, 10), (0, 0)], [(6, 10), (9, 10)])
    none = matrix([(2, 10), (0, 0)], [(2, 10), (3, 10)])
    found = transfer(after, none, none)
    assert found.backward == pytest.approx(-0.2)
    assert found.forgetting == pytest.approx(0.2)
    assert found.forward == 0


def test_forward_transfer_is_what_earlier_nights_taught_for_this_one() -> None:
    after = matrix([(8, 10), (0, 0)], [(8, 10), (9, 10)])
    before = matrix([(2, 10), (0, 0)], [(8, 10), (5, 10)])
    base = matrix([(2, 10), (0, 0)], [(2, 10), (3, 10)])
    assert transfer(after, before, base).forward == pytest.approx(0.2)


def test_one_night_transfers_nothing_yet() -> None:
    one = matrix([(8, 10)])
    found = transfer(one, one, one)
    assert (found.backward, found.forward, found.forgetting) == (None, None, None)


def test_a_matrix_counts_each_insight_in_its_cycle() -> None:
    items = tuple(
        ItemResult(
            probe_id=str(number),
            suite="uptake",
            kind="forward",
            is_correct=number % 2 == 0,
            margin=0.0,
            chance=0.2,
            cluster=f"insight {number}",
        )
        for number in range(4)
    )
    report = EvalReport(adapter="night", cycle=1, items=items)
    admitted_in = {"insight 0": 0, "insight 1": 0, "insight 2": 1}
    assert uptake_matrix([report], admitted_in, 2) == [[(1, 2), (1, 1)]]


def test_a_jump_is_found_where_it_is() -> None:
    series = [0.0, 0.02, 0.01, 0.0, 0.01, 0.9, 0.91, 0.9, 0.92, 0.9]
    found = find_change(series)
    assert found is not None
    assert found.place == 5
    assert found.p_value < 0.01
    assert found.before < 0.02
    assert found.after > 0.89


def test_noise_is_no_jump() -> None:
    found = find_change([0.5, 0.52, 0.48, 0.51, 0.49, 0.5, 0.52, 0.47, 0.5])
    assert found is not None
    assert found.p_value > 0.2


def test_a_short_series_is_permuted_in_every_way() -> None:
    found = find_change([0.0, 0.0, 1.0, 1.0])
    assert found is not None
    # of the 24 orders, 2! x 2! keep the two apart in one way, and as many in the other
    assert found.p_value == pytest.approx(8 / 24)


@pytest.mark.parametrize("series", [[], [1.0, 2.0, 3.0], [0.0, float("nan"), 1.0, 1.0]])
def test_too_little_says_nothing(series: list[float]) -> None:
    assert find_change(series) is None


def test_an_even_series_has_no_jump() -> None:
    found = find_change([0.5] * 6)
    assert found is not None
    assert found.p_value == 1
