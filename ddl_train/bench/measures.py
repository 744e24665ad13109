"""What the world bench reads from a cell: a share of items, or a number; one column each."""

from collections.abc import Callable
from dataclasses import dataclass

from ddl_train.bench.learning import forgetting, ratio
from ddl_train.records import JsonObject
from ddl_train.storage.ledger import WAKE_ROLES

Share = tuple[int, int]
"""Right, of how many asked."""


@dataclass(frozen=True, slots=True)
class Column:
    """A measure: its name and how to read it from a cell, as a share or as a number."""

    name: str
    read: Callable[[JsonObject], Share | float | None]


def _sum(cell: JsonObject, *keys: str) -> int:
    total = 0
    for cycle in cell["discovery"]:
        value = cycle
        for key in keys:
            value = value.get(key, 0)
        total += value
    return total


def num_true(cell: JsonObject) -> int:
    """Different true insights that were admitted."""
    return sum(sum(cycle["new_by_depth"].values()) for cycle in cell["discovery"])


def _precision(cell: JsonObject) -> Share:
    """Of what the world decides: where two chains disagree in sign, nothing is true or false."""
    judged = [judged_true(cycle["admitted"]) for cycle in cell["discovery"]]
    return sum(true for true, _ in judged), sum(of for _, of in judged)


def judged_true(admitted: dict[str, int]) -> Share:
    """True ones among those that are not contested."""
    contested = admitted.get("contested", 0)
    return admitted.get("true", 0), sum(admitted.values()) - contested


def _taken(cell: JsonObject, *, is_across: bool) -> Share:
    """Conclusions that were proposed, of those that the pairs drawn would have led to."""
    across = _sum(cell, "num_taken_across"), _sum(cell, "num_opportunities_across")
    if is_across:
        return across
    return _sum(cell, "num_taken") - across[0], _sum(cell, "num_opportunities") - across[1]


def _contested(cell: JsonObject) -> Share:
    admitted = sum(sum(cycle["admitted"].values()) for cycle in cell["discovery"])
    return _sum(cell, "admitted", "contested"), admitted


def _recall(depth: str) -> Callable[[JsonObject], Share]:
    return lambda cell: (
        _sum(cell, "new_by_depth", depth),
        int(cell["world"]["num_true"].get(depth, 0)),
    )


def _per_true(amount: Callable[[JsonObject], float]) -> Callable[[JsonObject], float | None]:
    return lambda cell: amount(cell) / num_true(cell) if num_true(cell) else None


def _wake_tokens(cell: JsonObject) -> float:
    return float(sum(cell["usage"].get(role, {}).get("tokens", 0) for role in WAKE_ROLES))


def last_share(cell: JsonObject, group: str, who: str = "in_use") -> Share | None:
    """A suite's share after the last cycle that was evaluated."""
    for cycle in reversed(cell["learning"]["cycles"]):
        if cycle[who] is not None:
            right = cycle[who].get(group, {}).get("right")
            return tuple(right) if right else None
    return None


def last_kl(cell: JsonObject) -> float | None:
    """Nats a token, after the last cycle that was evaluated."""
    known = [cycle.get("kl") for cycle in cell["learning"]["cycles"]]
    return next((float(one) for one in reversed(known) if one is not None), None)


def _last(group: str) -> Callable[[JsonObject], Share | None]:
    return lambda cell: last_share(cell, group)


def _drop(group: str) -> Callable[[JsonObject], float | None]:
    """Base less adapter, in shares of the same items."""

    def read(cell: JsonObject) -> float | None:
        base, now = last_share(cell, group, "base"), last_share(cell, group)
        if base is None or now is None:
            return None
        return (ratio(base) or 0.0) - (ratio(now) or 0.0)

    return read


def _promoted(cell: JsonObject) -> Share:
    gate = [night for night in cell["nights"] if night["decided_by"] == "gate"]
    return sum(night["promoted"] for night in gate), len(gate)


def _paired(key: str) -> Callable[[JsonObject], Share | None]:
    def read(cell: JsonObject) -> Share | None:
        paired = cell["paired_waking"]
        if paired is None:
            return None
        return paired["both"] + paired[key], paired["num_composing"]

    return read


def _ceiling(cell: JsonObject, group: str) -> Share | None:
    found = cell["in_context"].get(group)
    return tuple(found) if found else None


DISCOVERY = (
    Column("pairs", lambda cell: float(_sum(cell, "num_pairs"))),
    Column("true insights", lambda cell: float(num_true(cell))),
    Column("precision", _precision),
    Column("contested", _contested),
    Column("found within one literature", lambda cell: _taken(cell, is_across=False)),
    Column("found across two", lambda cell: _taken(cell, is_across=True)),
    Column("recall depth 1", _recall("1")),
    Column("recall depth 2", _recall("2")),
    Column("resting on insights", lambda c: (_sum(c, "num_resting"), _sum(c, "admitted", "true"))),
    Column("pairs a true one", _per_true(lambda cell: float(_sum(cell, "num_pairs")))),
    Column("tokens a true one", _per_true(_wake_tokens)),
)  # fmt: skip
LEARNING = (
    Column("uptake forward", _last("uptake/forward")),
    Column("uptake reverse", _last("uptake/reverse")),
    Column("direction dreamt", _last("truth_dreamt/direction")),
    Column("direction never dreamt", _last("truth_undreamt/direction")),
    Column("forward never dreamt", _last("truth_undreamt/forward")),
    Column("reverse never dreamt", _last("truth_undreamt/reverse")),
    Column("average accuracy", lambda cell: cell["learning"]["average_accuracy"]),
    Column("backward transfer", lambda cell: cell["learning"]["backward_transfer"]),
    Column("forgetting", lambda cell: forgetting(cell["learning"]["matrix"])),
    Column("forward transfer", lambda cell: cell["learning"]["forward_transfer"]),
)
KEEPING = (
    Column("believes flipped insights", lambda cell: tuple(cell["flips"]["in_use"])),
    Column("believes decoys", _last("false_memory_undreamt/decoy")),
    Column("home, less than base", _drop("retention/all")),
    Column("of it never replayed", _drop("retention/never replayed")),
    Column("skill, less than base", _drop("skill/all")),
    Column("KL to the base", last_kl),
    Column("nights promoted", _promoted),
    Column("leaks", lambda cell: float(len(cell["leaks"]))),
    Column("awake on same pairs: base", _paired("only_base")),
    Column("awake on same pairs: adapter", _paired("only_adapter")),
    Column("seconds of model time", lambda cell: sum(u["seconds"] for u in cell["usage"].values())),
)
CEILING = (
    Column("uptake forward", lambda cell: _ceiling(cell, "uptake/forward")),
    Column("uptake reverse", lambda cell: _ceiling(cell, "uptake/reverse")),
    Column("retrieved forward", lambda cell: _ceiling(cell, "uptake_retrieved/forward")),
    Column("retrieved reverse", lambda cell: _ceiling(cell, "uptake_retrieved/reverse")),
    Column("direction", lambda cell: _ceiling(cell, "truth/direction")),
    Column("forward", lambda cell: _ceiling(cell, "truth/forward")),
    Column("reverse", lambda cell: _ceiling(cell, "truth/reverse")),
)
