"""A run in words: the story in a paragraph, and the numbers at its head.

All figures come from the object of `status.py` and the curves. What was not measured is not told,
or told as not measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ddl_train.records import BASE, JsonObject
from ddl_train.report.curves import Curve
from ddl_train.report.suites import DREAMT
from ddl_train.report.words import amount, count, duration, share


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """One number at the head of the page."""

    value: str
    what: str
    note: str = ""


def tell(status: JsonObject, curves: Sequence[Curve]) -> list[str]:
    """The story of a run, sentence by sentence."""
    if not status["cycles"]:
        concepts = status["memory"]["concepts"]
        held = f"holds {count(concepts, 'concept')}" if concepts else "is empty"
        return [f"No cycle of this run has begun; its memory {held}."]
    return [
        sentence
        for sentence in (
            _life(status),
            _dreams(status),
            _deepest(status),
            _nights(status),
            *_knows(status, curves),
            _cost(status),
        )
        if sentence
    ]


def headlines(status: JsonObject, curves: Sequence[Curve]) -> list[Headline]:
    """Up to six numbers; one that was not measured is left out."""
    counts = _counts(status)
    found = []
    if counts["pairs"]:
        found.append(
            Headline(
                value=amount(counts["admitted"]),
                what="insights admitted",
                note=f"of {amount(counts['pairs'])} pairs dreamt on, "
                f"{share(counts['admitted'] / counts['pairs'])}",
            )
        )
    if counts["admitted"]:
        found.append(
            Headline(
                value=str(status["memory"]["deepest"]),
                what="lineage depth",
                note=f"{amount(counts['resting_on_insights'])} insights rest on earlier ones",
            )
        )
    each = status["tax"]["per"]["admitted"]
    if each is not None:
        found.append(
            Headline(
                value=amount(each["tokens"]),
                what="tokens for each insight",
                note="the daydreaming tax: read and written awake",
            )
        )
    decided = _decided(status)
    if decided:
        promoted = sum(one["promoted"] for one in decided)
        found.append(
            Headline(
                value=f"{promoted} of {len(decided)}",
                what="nights promoted",
                note=_in_use(status),
            )
        )
    for suite in ("uptake", "retention"):
        found += _pair(suite, status, curves)
    return found


def _life(status: JsonObject) -> str:
    memory = status["memory"]
    done = sum(cycle["stage"] == "done" for cycle in status["cycles"])
    lived = f"{done} of {count(status['num_cycles'], 'planned cycle')} of a day and a night"
    return (
        f"{status['name']} has lived {lived} on the base {status['base']}, with a memory that "
        f"began as {count(memory['concepts'] - memory['insights'], 'piece')} of "
        f"{count(memory['sources'] - memory['held_out_sources'], 'document')}."
    )


def _dreams(status: JsonObject) -> str:
    counts = _counts(status)
    if not counts["pairs"]:
        return "It has not dreamt yet."
    words = (
        f"Awake it dreamt on {count(counts['pairs'], 'pair')} of concepts: "
        f"{count(counts['proposals'], 'idea')} came of it"
    )
    if not counts["admitted"]:
        return f"{words}, and none was admitted."
    were = "was" if counts["admitted"] == 1 else "were"
    return f"{words} and {counts['admitted']:,} {were} admitted as insights."


def _deepest(status: JsonObject) -> str:
    deepest, resting = status["memory"]["deepest"], _counts(status)["resting_on_insights"]
    if not resting:
        return ""
    rest = "insight rests" if resting == 1 else "insights rest"
    return (
        f"{resting:,} {rest} on earlier insights; the deepest stands {deepest} steps above the "
        "documents."
    )


def _nights(status: JsonObject) -> str:
    decided = _decided(status)
    if not decided:
        return "The gate has not judged a night yet."
    promoted = sum(one["promoted"] for one in decided)
    verdicts = [
        f"{word} {n}"
        for n, word in ((promoted, "promoted"), (len(decided) - promoted, "refused"))
        if n
    ]
    return (
        f"Of {count(len(decided), 'night')} the gate {' and '.join(verdicts)}; {_in_use(status)}."
    )


def _knows(status: JsonObject, curves: Sequence[Curve]) -> list[str]:
    """What the last night that was measured answers, beside the base."""
    in_use = _measured_in_use(status)
    sentences = []
    for suite, words in (
        ("uptake", "questions about its own ideas in new words"),
        (DREAMT, "true questions about what it dreamt of"),
        ("retention", "questions about what it knew before"),
    ):
        for curve in curves:
            values = _values(curve, in_use)
            if curve.name != suite or values is None:
                continue
            guessing = "" if curve.chance is None else f"; guessing gives {share(curve.chance)}"
            sentences.append(
                f"Of {words} it answers {share(values[1])} right, the base {share(values[0])}"
                f"{guessing}."
            )
    if in_use is None and sentences:
        last = _decided(status)[-1:]
        name = f"cycle {last[0]['cycle'] + 1}, which is not in use" if last else "the last night"
        sentences.insert(0, f"What follows was measured on the night of {name}.")
    return sentences


def _cost(status: JsonObject) -> str:
    tax = status["tax"]
    if not tax["wake"]["tokens"]:
        return ""
    words = f"Dreaming cost {amount(tax['wake']['tokens'])} tokens"
    if tax["per"]["admitted"] is not None:
        words += f", {amount(tax['per']['admitted']['tokens'])} for each admitted insight"
    return f"{words}; the models worked for {duration(tax['all']['seconds'])} in all."


def _pair(suite: str, status: JsonObject, curves: Sequence[Curve]) -> list[Headline]:
    in_use = _measured_in_use(status)
    for curve in curves:
        values = _values(curve, in_use)
        if curve.name == suite and values is not None:
            note = f"the base: {share(values[0])}"
            if in_use is None:
                note += "; a night that is not in use"
            return [Headline(value=share(values[1]), what=curve.title, note=note)]
    return []


def _values(curve: Curve, in_use: int | None) -> tuple[float, float] | None:
    """Base and candidate in the cycle of the adapter in use, or else in the last one measured."""
    base = {point.cycle: point.value for point in curve.base}
    both = [point for point in curve.candidate if point.cycle in base]
    if in_use is not None:
        both = [point for point in both if point.cycle == in_use]
    return (base[both[-1].cycle], both[-1].value) if both else None


def _measured_in_use(status: JsonObject) -> int | None:
    """Cycle whose candidate is the adapter in use; None for the base."""
    return next(
        (
            cycle["cycle"]
            for cycle in reversed(status["cycles"])
            if cycle["candidate"] == status["current"] and status["current"] != BASE
        ),
        None,
    )


def _in_use(status: JsonObject) -> str:
    if status["current"] == BASE:
        return "the untouched base is in use"
    made = {adapter["version"]: adapter["cycle"] for adapter in status["adapters"]}
    return f"the adapter in use was made in night {made[status['current']] + 1}"


def _counts(status: JsonObject) -> dict[str, int]:
    names = ("pairs", "proposals", "admitted", "resting_on_insights")
    return {name: sum(cycle["counts"][name] for cycle in status["cycles"]) for name in names}


def _decided(status: JsonObject) -> list[JsonObject]:
    return [cycle for cycle in status["cycles"] if cycle["promoted"] is not None]
