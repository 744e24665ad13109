"""Halves are whole, apart, and the same for every adapter."""

from dataclasses import replace

from ddl_train.gate.scaling import CHOOSE, DECIDE, half_of
from ddl_train.records import EvalReport
from tests.test_promote import CURRENT, GOOD


def clusters(report: EvalReport) -> set[tuple[str, str]]:
    return {(item.suite, item.cluster) for item in report.items}


def test_every_item_is_in_one_half_and_its_cluster_with_it() -> None:
    one, other = half_of(GOOD, CHOOSE), half_of(GOOD, DECIDE)
    assert sorted(item.probe_id for item in (*one.items, *other.items)) == sorted(
        item.probe_id for item in GOOD.items
    )
    assert clusters(one) & clusters(other) == set()
    assert 0.4 < len(one.items) / len(GOOD.items) < 0.6


def test_adapters_have_the_same_halves() -> None:
    for half in (CHOOSE, DECIDE):
        mine, theirs = half_of(GOOD, half), half_of(CURRENT, half)
        assert [one.probe_id for one in mine.items] == [one.probe_id for one in theirs.items]
        assert {name: len(one) for name, one in mine.losses.items()} == {
            name: len(one) for name, one in theirs.losses.items()
        }


def test_texts_are_parted_where_there_are_enough() -> None:
    many = replace(GOOD, losses={"notes": tuple(range(40)), "one": (1.0,)})
    one, other = half_of(many, CHOOSE), half_of(many, DECIDE)
    assert sorted((*one.losses["notes"], *other.losses["notes"])) == list(range(40))
    assert one.losses["one"] == other.losses["one"] == (1.0,)
    apart = replace(many, divergences=many.losses)
    assert half_of(apart, CHOOSE).divergences == one.losses
