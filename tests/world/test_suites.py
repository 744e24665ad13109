"""What the gate asked, cycle by cycle: shares by suite and kind, dreamt and undreamt apart."""

from ddl_train.bench.measures_asleep import last_kl, last_suite
from ddl_train.bench.suites import suites_by_cycle
from ddl_train.records import BASE, EvalReport, ItemResult
from tests.world.cells import cell


def item(suite: str, kind: str, *, is_correct: bool, is_dreamt: bool | None = None) -> ItemResult:
    return ItemResult(
        probe_id=f"{suite}/{kind}/{is_correct}/{is_dreamt}",
        suite=suite,
        kind=kind,
        is_correct=is_correct,
        margin=0.0,
        chance=0.5,
        is_dreamt=is_dreamt,
    )


def report(adapter: str, *items: ItemResult, kl: float | None = None) -> EvalReport:
    divergences = {} if kl is None else {"documents": (kl, 3 * kl)}
    return EvalReport(adapter=adapter, cycle=1, items=items, divergences=divergences)


REPORTS = [
    report(BASE, item("skill", "none", is_correct=True)),
    report(
        "x",
        item("skill", "none", is_correct=False),
        item("truth", "forward", is_correct=True, is_dreamt=True),
        item("truth", "forward", is_correct=False, is_dreamt=False),
        item("truth", "direction", is_correct=True, is_dreamt=False),
        kl=0.5,
    ),
]


def test_a_cycle_has_the_shares_of_the_base_and_of_what_was_in_use() -> None:
    before, asked = suites_by_cycle(REPORTS, [BASE, "x"])
    assert (before["base"], before["in_use"], before["kl"]) == (None, None, None)
    assert asked["base"] == {"skill/all": [1, 1], "skill/none": [1, 1]}
    assert asked["in_use"]["skill/all"] == [0, 1]
    assert asked["kl"] == 1.0


def test_what_was_dreamt_is_counted_apart_from_what_was_not() -> None:
    _, asked = suites_by_cycle(REPORTS, [BASE, "x"])
    assert asked["in_use"]["truth_dreamt/all"] == [1, 1]
    assert asked["in_use"]["truth_undreamt/all"] == [1, 2]
    assert asked["in_use"]["truth_undreamt/direction"] == [1, 1]


def test_the_last_time_that_was_asked_counts() -> None:
    lived = cell(suites=[*suites_by_cycle(REPORTS, [BASE, "x"]), {"base": None, "in_use": None, "kl": None}])  # fmt: skip
    assert last_suite(lived, "truth_undreamt/all") == (1, 2)
    assert last_suite(lived, "skill/none", BASE) == (1, 1)
    assert last_kl(lived) == 1.0
