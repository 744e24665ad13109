"""What the world bench reads from a cell: a share of items, or a number; one column each."""

from collections.abc import Callable
from dataclasses import dataclass

from ddl_train.bench.answers import DREAMT, FALSE, NEVER, share_of
from ddl_train.bench.exam import RETRIEVED, TOLD
from ddl_train.bench.learning import (
    Change,
    Share,
    average_accuracy,
    backward_transfer,
    change_of,
    exam_share,
    forgetting,
    forward_transfer,
    lost,
    now,
)
from ddl_train.records import BASE, JsonObject
from ddl_train.storage.ledger import WAKE_ROLES
from ddl_train.world.questions import FORWARD, REVERSE

Value = Share | Change | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """A measure: its name and how to read it from a cell, as a share or as a number."""

    name: str
    read: Callable[[JsonObject], Value]


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


def last_suite(cell: JsonObject, group: str, who: str = "in_use") -> Share | None:
    """A suite's share when it was last asked."""
    asked = [one[who] for one in cell["suites"] if one[who] is not None]
    found = asked[-1].get(group) if asked else None
    return tuple(found) if found else None


def last_kl(cell: JsonObject) -> float | None:
    """Nats a token, when it was last measured."""
    known = [one["kl"] for one in cell["suites"] if one["kl"] is not None]
    return float(known[-1]) if known else None


def _suite(group: str, who: str = "in_use") -> Callable[[JsonObject], Share | None]:
    return lambda cell: last_suite(cell, group, who)


def _exam(group: str, who: str = "") -> Callable[[JsonObject], Share | None]:
    """A share of the exam; of what is in use at the end unless `who` says."""

    def read(cell: JsonObject) -> Share | None:
        share = exam_share(cell["exam"], group, who or now(cell["exam"]))
        return share if share[1] else None

    return read


def _asked(cell: JsonObject) -> float | None:
    """Questions of uptake, as a share of two for each true insight.

    Some lack wrong answers of their sort.
    """
    asked = exam_share(cell["exam"], "uptake", BASE)[1]
    return asked / (2 * num_true(cell)) if num_true(cell) else None


def _written(group: str, measure: str, who: str) -> Callable[[JsonObject], Value]:
    """None in a cell of the time before this was asked."""

    def read(cell: JsonObject) -> Value:
        answers = cell.get("answers")
        return answers and share_of(answers, group, measure, who or now(cell["exam"]))

    return read


def _lost(group: str) -> Callable[[JsonObject], Change | None]:
    return lambda cell: lost(cell["exam"], group)


def _promoted(cell: JsonObject) -> Share:
    return sum(night["promoted"] for night in cell["nights"]), len(cell["nights"])


def _night(key: str) -> Callable[[JsonObject], float | None]:
    """Mean over the nights that were trained."""

    def read(cell: JsonObject) -> float | None:
        known = [night[key] for night in cell["nights"]]
        return sum(known) / len(known) if known else None

    return read


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
LEARNING = (
    Column("asked about, both ways", _asked),
    Column("uptake forward", _exam("uptake/forward")),
    Column("uptake reverse", _exam("uptake/reverse")),
    Column("of the base", _exam("uptake", BASE)),
    Column("believes flipped insights", _exam("flip")),
    Column("the base believes them", _exam("flip", BASE)),
    Column("average accuracy", lambda cell: average_accuracy(cell["exam"])),
    Column("backward transfer", lambda cell: backward_transfer(cell["exam"])),
    Column("forgetting", lambda cell: forgetting(cell["exam"])),
    Column("forward transfer", lambda cell: forward_transfer(cell["exam"])),
)
NEVER_DREAMT = (
    Column("direction", _suite("truth_undreamt/direction")),
    Column("forward", _suite("truth_undreamt/forward")),
    Column("reverse", _suite("truth_undreamt/reverse")),
    Column("believes its flip", _suite("false_memory_undreamt/sign_flip")),
    Column("the base believes it", _suite("false_memory_undreamt/sign_flip", "base")),
    Column("believes decoys", _suite("false_memory_undreamt/decoy")),
    Column("the base believes them", _suite("false_memory_undreamt/decoy", "base")),
    Column("says decoys", _written(FALSE, "precision", "")),
    Column("the base says them", _written(FALSE, "precision", BASE)),
)
KEEPING = (
    Column("home, less than base", _lost("home")),
    Column("of it never replayed", _lost("home/never replayed")),
    Column("skill, less than base", _lost("skill")),
    Column("KL to the base", last_kl),
    Column("nights promoted", _promoted),
    Column("tokens a night", _night("tokens")),
    Column("seconds a night", _night("seconds")),
    Column("leaks", lambda cell: float(len(cell["leaks"]))),
    Column("seconds of model time", lambda cell: sum(u["seconds"] for u in cell["usage"].values())),
)
AWAKE = (
    Column("base", _awake(BASE)),
    Column("adapter at the end", _awake()),
    Column("adapters less base", awake_gain),
    Column("untrue proposals of the base", _awake_untrue(BASE)),
    Column("of the adapter", _awake_untrue()),
)
CEILING = (
    Column("told forward", _exam("uptake/forward", TOLD)),
    Column("told reverse", _exam("uptake/reverse", TOLD)),
    Column("told, believes the flip", _exam("flip", TOLD)),
    Column("retrieved forward", _exam("uptake/forward", RETRIEVED)),
    Column("retrieved reverse", _exam("uptake/reverse", RETRIEVED)),
)


def _in_writing(group: str, beside: str, who: str) -> tuple[Column, ...]:
    """Of what is in use at the end, and of one to hold it against."""
    return tuple(
        Column(f"{way}, {said}{whose}", _written(f"{group}/{way}", measure, one))
        for way in (FORWARD, REVERSE)
        for measure, said in (
            ("one", "one right answer"),
            ("precision", "precision of several"),
            ("coverage", "coverage of several"),
        )
        for one, whose in (("", ""), (who, beside))
    )


DREAMT_IN_WRITING = _in_writing(DREAMT, " (base, told)", TOLD)
NEVER_IN_WRITING = _in_writing(NEVER, " (base)", BASE)
