"""The gate night by night, and the critic's canaries, as a page shows them.

All of it comes from the object of `status.py`.
"""

from dataclasses import dataclass

from ddl_train.records import JsonObject

VERDICTS = {True: "promoted", False: "refused"}
STANDINGS = {"ok": "ok", "refused": "refused", "warn": "warn", "warning": "warn", "warned": "warn"}
"""First word of a reason of the gate -> how it is marked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One check of the gate."""

    standing: str
    """`ok`, `warn`, `refused`, or empty when it says none of these."""
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What a person decided after a night."""

    words: str
    why: str
    decided_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CanaryKind:
    """How many canaries of one kind the critic let in, in words."""

    name: str
    total: int
    with_guards: str
    without_guards: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Canaries:
    """The last examination of the critic."""

    cycle: int
    total: int
    let_in: int
    """With the guards on."""
    good_total: int
    kept: int
    kinds: tuple[CanaryKind, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """What the gate said of one cycle."""

    cycle: int
    verdict: str
    """`promoted`, `refused`, `no night`, or the stage that is under way."""
    candidate: str | None
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    """Why there was no night, and what could not be measured."""
    remarks: tuple[str, ...]
    """What the night itself left to say."""
    decisions: tuple[Decision, ...]


def nights(status: JsonObject) -> list[Night]:
    """The gate's verdicts in order, with what people decided after."""
    return [_night(cycle, status) for cycle in status["cycles"]]


def canaries(status: JsonObject) -> Canaries | None:
    """What the critic did with canaries before the last night that it was examined for."""
    for cycle in reversed(status["cycles"]):
        found = cycle["notes"].get("sleep", {}).get("critic")
        if found:
            return Canaries(
                cycle=cycle["cycle"],
                total=found["all"]["total"],
                let_in=found["all"]["with_guards"],
                good_total=found["good"]["total"],
                kept=found["good"]["with_guards"],
                kinds=tuple(
                    CanaryKind(
                        name=name.replace("_", " "),
                        total=kind["total"],
                        with_guards=_let_in(kind, "with_guards"),
                        without_guards=_let_in(kind, "without_guards"),
                    )
                    for name, kind in found["kinds"].items()
                ),
            )
    return None


def _let_in(kind: JsonObject, guards: str) -> str:
    low, high = kind[f"{guards}_interval"]
    return f"{kind[guards]} ({100 * low:.0f} to {100 * high:.0f} %)"


def _night(cycle: JsonObject, status: JsonObject) -> Night:
    skipped = cycle["notes"].get("sleep", {}).get("skipped")
    if cycle["promoted"] is not None:
        verdict = VERDICTS[cycle["promoted"]]
    else:
        verdict = "no night" if cycle["stage"] == "done" else f"in {cycle['stage']}"
    notes = [f"no night: {skipped}"] if skipped else []
    notes += [f"not measured: {why}" for why in cycle["missing"]]
    return Night(
        cycle=cycle["cycle"],
        verdict=verdict,
        candidate=cycle["candidate"],
        reasons=tuple(_reason(reason) for reason in cycle["reasons"]),
        notes=tuple(notes),
        remarks=tuple(cycle["notes"].get("sleep", {}).get("notes", ())),
        decisions=tuple(
            Decision(
                words=f"{'rolled back to' if one['is_rollback'] else 'put in use'} "
                f"{one['candidate']}",
                why=" ".join(_reason(reason).sentence for reason in one["reasons"]),
                decided_at=one["decided_at"],
            )
            for one in status["decisions"]
            if one["cycle"] == cycle["cycle"] and one["decided_by"] != "gate"
        ),
    )


def _reason(text: str) -> Reason:
    first, _, rest = text.partition(": ")
    if first in STANDINGS and rest:
        return Reason(standing=STANDINGS[first], sentence=rest)
    return Reason(standing="", sentence=text)
