"""What the world bench reads from a cell about sleep: what nights taught, and what they cost."""

from collections.abc import Callable

from ddl_train.bench.answers import DREAMT, FALSE, NEVER, share_of
from ddl_train.bench.column import Column, Value
from ddl_train.bench.exam import RETRIEVED, TOLD
from ddl_train.bench.learning import (
    Change,
    Share,
    average_accuracy,
    backward_transfer,
    exam_share,
    forgetting,
    forward_transfer,
    known_whole,
    lost,
    now,
    ratio,
)
from ddl_train.bench.measures_awake import num_true
from ddl_train.records import BASE, JsonObject
from ddl_train.world.questions import FORWARD, REVERSE


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
    return lambda cell: share_of(cell["answers"], group, measure, who or now(cell["exam"]))


def _lost(group: str) -> Callable[[JsonObject], Change | None]:
    """None where no night was kept, here and below: the base loses nothing to itself."""
    return lambda cell: lost(cell["exam"], group) if now(cell["exam"]) != BASE else None


def _suite_lost(group: str) -> Callable[[JsonObject], float | None]:
    """Base less what is in use at the end, in a suite of the gate: signs too, which no exam asks of home."""

    def read(cell: JsonObject) -> float | None:
        both = [one for one in cell["suites"] if one["base"] and one["in_use"]]
        if not both or group not in both[-1]["base"] or now(cell["exam"]) == BASE:
            return None
        before, after = (ratio(both[-1][who][group]) for who in ("base", "in_use"))
        return None if before is None or after is None else before - after

    return read


def _known_whole(cell: JsonObject) -> Share | None:
    """Insights asked both ways that are right both ways and believed with their own sign."""
    share = known_whole(cell["exam"], now(cell["exam"]))
    return share if share[1] else None


def _promoted(cell: JsonObject) -> Share:
    return sum(night["promoted"] for night in cell["nights"]), len(cell["nights"])


def _night(key: str) -> Callable[[JsonObject], float | None]:
    """Mean over the nights that were trained."""

    def read(cell: JsonObject) -> float | None:
        known = [night[key] for night in cell["nights"]]
        return sum(known) / len(known) if known else None

    return read


LEARNING = (
    Column("asked about, both ways", _asked),
    Column("uptake forward", _exam("uptake/forward")),
    Column("uptake reverse", _exam("uptake/reverse")),
    Column("of the base", _exam("uptake", BASE)),
    Column("known whole", _known_whole),
    Column("believes flipped insights", _exam("flip")),
    Column("the base believes them", _exam("flip", BASE)),
    Column("forward in wordings never heard", _exam("unheard/forward")),
    Column("home forward so, of the base", _exam("unheard/home/forward", BASE)),
    Column("reverse in wordings never heard", _exam("unheard/reverse")),
    Column("home reverse so, of the base", _exam("unheard/home/reverse", BASE)),
    Column("believes flips in wordings never heard", _exam("unheard/flip")),
    Column("where both sides are named", _exam("unheard/flip/named")),
    Column("where none is", _exam("unheard/flip/not named")),
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
    Column("home never replayed, less than base", _lost("home/never replayed")),
    Column("home in the gate's suite, less than base", _suite_lost("retention/all")),
    Column("signs in it, less than base", _suite_lost("retention/direction")),
    Column("home in wordings never heard, less than base", _lost("unheard/home")),
    Column("skill, less than base", _lost("skill")),
    Column("KL to the base", last_kl),
    Column("nights promoted", _promoted),
    Column("tokens a night", _night("tokens")),
    Column("trainer seconds a night", _night("seconds")),
    Column("leaks", lambda cell: float(len(cell["leaks"]))),
    Column("seconds of model time", lambda cell: sum(u["seconds"] for u in cell["usage"].values())),
)
CEILING = (
    Column("told forward", _exam("uptake/forward", TOLD)),
    Column("told reverse", _exam("uptake/reverse", TOLD)),
    Column("told, believes the flip", _exam("flip", TOLD)),
    Column("told forward in wordings never heard", _exam("unheard/forward", TOLD)),
    Column("told reverse in wordings never heard", _exam("unheard/reverse", TOLD)),
    Column("told, believes the flip in wordings never heard", _exam("unheard/flip", TOLD)),
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
