"""What the world bench reads from a cell about waking: what was found and what it cost."""

from collections.abc import Callable

from ddl_train.bench.column import Column
from ddl_train.bench.learning import Change, Share, change_of, now
from ddl_train.records import BASE, JsonObject
from ddl_train.storage.ledger import WAKE_ROLES


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


def _strict(cell: JsonObject) -> Share:
    """The same with the contested counted as wrong."""
    return _sum(cell, "admitted", "true"), _num_admitted(cell)


def _of_lineage(*depths: str) -> Callable[[JsonObject], Share]:
    def read(cell: JsonObject) -> Share:
        judged = [
            judged_true(some)
            for cycle in cell["discovery"]
            for depth, some in cycle["by_lineage"].items()
            if depth in depths
        ]
        return sum(true for true, _ in judged), sum(of for _, of in judged)

    return read


def _before_critic(cell: JsonObject) -> Share:
    """Of what was proposed, what is stated already aside too: no idea of the model's."""
    judged = [
        judged_true(
            {truth: n for truth, n in cycle["proposed"].items() if truth != "already_stated"}
        )
        for cycle in cell["discovery"]
    ]
    return sum(true for true, _ in judged), sum(of for _, of in judged)


def _not_admitted(cell: JsonObject) -> Share:
    """True proposals that were refused, also for what is in memory already."""
    proposed = _sum(cell, "proposed", "true")
    return proposed - _sum(cell, "admitted", "true"), proposed


def _num_admitted(cell: JsonObject) -> int:
    return sum(sum(cycle["admitted"].values()) for cycle in cell["discovery"])


def _contested(cell: JsonObject) -> Share:
    return _sum(cell, "admitted", "contested"), _num_admitted(cell)


def _recall(depth: str) -> Callable[[JsonObject], Share]:
    return lambda cell: (
        _sum(cell, "new_by_depth", depth),
        int(cell["world"]["num_true"].get(depth, 0)),
    )


def _per_true(amount: Callable[[JsonObject], float]) -> Callable[[JsonObject], float | None]:
    return lambda cell: amount(cell) / num_true(cell) if num_true(cell) else None


def _wake_tokens(cell: JsonObject) -> float:
    return float(sum(cell["usage"].get(role, {}).get("tokens", 0) for role in WAKE_ROLES))


def _awake(who: str = "") -> Callable[[JsonObject], Share | None]:
    """Composing pairs of which the conclusion was proposed."""

    def read(cell: JsonObject) -> Share | None:
        if cell["paired_waking"] is None:
            return None
        hits = cell["paired_waking"]["hits"][who or now(cell["exam"])]
        return hits.count("1"), len(hits)

    return read


def _awake_untrue(who: str = "") -> Callable[[JsonObject], Share | None]:
    def read(cell: JsonObject) -> Share | None:
        if cell["paired_waking"] is None:
            return None
        paired = cell["paired_waking"]
        return paired["untrue"][who or now(cell["exam"])], paired["num_pairs"]

    return read


def awake_gain(cell: JsonObject) -> Change | None:
    """Adapter less base, in shares of the same composing pairs, over all nights that were kept."""
    if cell["paired_waking"] is None:
        return None
    hits = cell["paired_waking"]["hits"]
    kept = [one for one in hits if one != BASE]
    return change_of(
        [
            (str(pair), sum(int(hits[one][pair]) - int(was) for one in kept) / len(kept))
            for pair, was in enumerate(hits[BASE])
        ]
    )


DISCOVERY = (
    Column("pairs", lambda cell: float(_sum(cell, "num_pairs"))),
    Column("true insights", lambda cell: float(num_true(cell))),
    Column("precision, contested aside", _precision),
    Column("precision, contested as wrong", _strict),
    Column("precision of what was proposed", _before_critic),
    Column("true proposals refused", _not_admitted),
    Column("precision on documents", _of_lineage("1")),
    Column("on insights", _of_lineage("2")),
    Column("and on theirs", _of_lineage("3", "4", "5", "6", "7", "8")),
    Column("contested", _contested),
    Column("found within one literature", lambda cell: _taken(cell, is_across=False)),
    Column("found across two", lambda cell: _taken(cell, is_across=True)),
    Column("recall depth 1", _recall("1")),
    Column("recall depth 2", _recall("2")),
    Column("recall depth 3", _recall("3")),
    Column("resting on insights", lambda c: (_sum(c, "num_resting"), _sum(c, "admitted", "true"))),
    Column("pairs a true one", _per_true(lambda cell: float(_sum(cell, "num_pairs")))),
    Column("tokens a true one", _per_true(_wake_tokens)),
)  # fmt: skip
AWAKE = (
    Column("base", _awake(BASE)),
    Column("adapter at the end", _awake()),
    Column("adapters less base", awake_gain),
    Column("untrue proposals of the base", _awake_untrue(BASE)),
    Column("of the adapter", _awake_untrue()),
)
