"""Questions about facts: the wordings that study uses, and those held back for probes.

`STUDY` wordings may occur in anything a model is trained on during a night; the others never do. The
seedling's upbringing, on worlds of its own and on context, holds `PROBE` wordings too, so that it
knows that they ask the same, and `RAISING` wordings of signs. `UNHEARD` ones it was never raised
on either: the exams of `bench world` and `bench seedling` ask so. Answers are worded alike in all.
"""

import random
import re
from dataclasses import dataclass

from ddl_train.world.language import (
    ALIAS,
    HIGH_CAUSES,
    LOW_CAUSES,
    LOWERS,
    RAISES,
    RELIEVES,
    WORSENS,
    Fact,
    canonical,
    skeleton,
)

FORWARD, REVERSE, DIRECTION = "forward", "reverse", "direction"
IMPLICATION, APPLICATION, RESTATE = "implication", "application", "restate"
STUDY_KINDS = (RESTATE, FORWARD, REVERSE, IMPLICATION, APPLICATION)
PROBE_KINDS = (FORWARD, REVERSE, DIRECTION)

LEVEL, CAUSE, REMEDY, NAMING = "level", "cause", "remedy", "naming"
TOPIC = {
    RAISES: LEVEL, LOWERS: LEVEL, HIGH_CAUSES: CAUSE, LOW_CAUSES: CAUSE,
    RELIEVES: REMEDY, WORSENS: REMEDY, ALIAS: NAMING,
}  # fmt: skip
_WORDS: dict[str, dict[str, str]] = {
    RAISES: {"more": "more", "does": "raises", "do": "raise", "done": "raised", "side": "raises"},
    LOWERS: {"more": "less", "does": "lowers", "do": "lower", "done": "lowered", "side": "lowers"},
    HIGH_CAUSES: {"more": "more", "side": "high"},
    LOW_CAUSES: {"more": "less", "side": "low"},
    RELIEVES: {"more": "less", "do": "relieve", "done": "relieved", "side": "relieve"},
    WORSENS: {"more": "more", "do": "worsen", "done": "worsened", "side": "worsen"},
    ALIAS: {"side": "yes"},
}

# Each wording is (question, answer); {s}, {o} are names, {do}, {does}, {done}, {side}, {more} words.
Wordings = dict[str, dict[str, tuple[tuple[str, str], ...]]]

STUDY: Wordings = {
    LEVEL: {
        FORWARD: (("what does {s} {do}?", "{o}"), ("{s} {does} which factor?", "{o}")),
        REVERSE: (("what {does} {o}?", "{s}"), ("which one {does} the level of {o}?", "{s}")),
        DIRECTION: (("does {s} raise or lower {o}?", "{side}"),),
        IMPLICATION: (("with more {s}, more or less {o}?", "{more}"),),
        RESTATE: (("what follows for {s} and {o}?", "{fact}"),),
    },
    CAUSE: {
        FORWARD: (
            ("what does {side} {s} cause?", "{o}"),
            ("{side} {s} causes which ailment?", "{o}"),
        ),
        REVERSE: (("what causes {o}?", "{side} {s}"), ("{o} comes from what?", "{side} {s}")),
        DIRECTION: (("does high or low {s} cause {o}?", "{side}"),),
        IMPLICATION: (("with more {s}, more or less {o}?", "{more}"),),
        RESTATE: (("what follows for {s} and {o}?", "{fact}"),),
    },
    REMEDY: {
        FORWARD: (("what may {s} {do}?", "{o}"), ("{s} may {do} which ailment?", "{o}")),
        REVERSE: (("what may {do} {o}?", "{s}"), ("which one may {do} {o}?", "{s}")),
        DIRECTION: (("does {s} relieve or worsen {o}?", "{side}"),),
        IMPLICATION: (("with more {s}, more or less {o}?", "{more}"),),
        RESTATE: (("what follows for {s} and {o}?", "{fact}"),),
    },
    NAMING: {
        FORWARD: (("what is {s} also called?", "{o}"),),
        REVERSE: (("what is also called {o}?", "{s}"),),
        RESTATE: (("what follows for {s} and {o}?", "{fact}"),),
    },
}
PROBE: Wordings = {
    LEVEL: {
        FORWARD: (("name a factor that is {done} by {s}?", "{o}"), ("under {s}, what is {done}?", "{o}")),
        REVERSE: (("{o} is {done} by what?", "{s}"), ("name something to {do} {o}?", "{s}")),
        DIRECTION: (("which way does {s} move {o}?", "{side}"),),
    },
    CAUSE: {
        FORWARD: (("name an ailment due to {side} {s}?", "{o}"), ("with {side} {s}, what comes?", "{o}")),
        REVERSE: (("{o} is due to what?", "{side} {s}"), ("name the source of {o}?", "{side} {s}")),
        DIRECTION: (("which level of {s} is behind {o}?", "{side}"),),
    },
    REMEDY: {
        FORWARD: (("name an ailment {done} by {s}?", "{o}"), ("for which ailment would {s} {do} things?", "{o}")),
        REVERSE: (("{o} could be {done} by what?", "{s}"), ("name something to {do} {o}?", "{s}")),
        DIRECTION: (("which way does {s} change {o}?", "{side}"),),
    },
    NAMING: {
        FORWARD: (("under which other name is {s} known?", "{o}"),),
        REVERSE: (("which name stands for {o} too?", "{s}"),),
    },
}  # fmt: skip

RAISING: Wordings = {
    LEVEL: {
        DIRECTION: (
            ("is {o} raised or lowered by {s}?", "{side}"),
            ("under {s}, raise or lower {o}?", "{side}"),
            ("{s} and {o}, raise or lower?", "{side}"),
            ("what does {s} do to {o}?", "{side}"),
        ),
        IMPLICATION: (("{o} is more or less with {s}?", "{more}"),),
    },
    CAUSE: {
        DIRECTION: (
            ("{o} comes from high or low {s}?", "{side}"),
            ("is {o} due to high or low {s}?", "{side}"),
            ("is high or low {s} behind {o}?", "{side}"),
            ("{s} and {o}, high or low?", "{side}"),
        ),
    },
    REMEDY: {
        DIRECTION: (
            ("could {o} be relieved or worsened by {s}?", "{side}"),
            ("under {s}, relieve or worsen {o}?", "{side}"),
            ("{s} and {o}, relieve or worsen?", "{side}"),
            ("what may {s} do to {o}?", "{side}"),
        ),
        IMPLICATION: (("{o} is more or less with {s}?", "{more}"),),
    },
    NAMING: {},
}
UNHEARD: Wordings = {
    LEVEL: {
        FORWARD: (("given {s}, which factor is {done}?", "{o}"), ("what would be {done} by {s}?", "{o}")),
        REVERSE: (("by what is {o} {done}?", "{s}"), ("what could {do} the level of {o}?", "{s}")),
        DIRECTION: (
            ("would {s} raise or lower the level of {o}?", "{side}"),
            ("which way does {o} move with {s}?", "{side}"),
        ),
    },
    CAUSE: {
        FORWARD: (("{side} {s} leads to what?", "{o}"), ("what comes after {side} {s}?", "{o}")),
        REVERSE: (("what leads to {o}?", "{side} {s}"), ("{o} follows from what?", "{side} {s}")),
        DIRECTION: (
            ("is it high or low {s} that leads to {o}?", "{side}"),
            ("{o} follows from which level of {s}?", "{side}"),
        ),
    },
    REMEDY: {
        FORWARD: (("which ailment could {s} {do}?", "{o}"), ("given {s}, what may be {done}?", "{o}")),
        REVERSE: (("by what may {o} be {done}?", "{s}"), ("what would {do} {o}?", "{s}")),
        DIRECTION: (
            ("would {s} relieve or worsen {o}?", "{side}"),
            ("which way does {o} change with {s}?", "{side}"),
        ),
    },
    NAMING: {},
}  # fmt: skip
"""Of a direction the first names both sides, the second none."""
RAISING_SHARE = 0.15
"""Of the questions of the upbringing, where a fact has such wordings."""

_APPLIED: dict[str, tuple[tuple[str, str], ...]] = {
    RAISES: (("to get more {o}, give or avoid {s}?", "give"),),
    LOWERS: (("to get more {o}, give or avoid {s}?", "avoid"),),
    HIGH_CAUSES: (("against {o}, raise or lower {s}?", "lower"),),
    LOW_CAUSES: (("against {o}, raise or lower {s}?", "raise"),),
    RELIEVES: (("against {o}, give or avoid {s}?", "give"),),
    WORSENS: (("against {o}, give or avoid {s}?", "avoid"),),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a fact, and the answer that this fact gives."""

    text: str
    answer: str
    kind: str
    """forward, reverse, direction, implication, application or restate."""
    asks: str
    """Question without its answer, in wording-free form: two questions with one `asks` share their
    right answers."""
    wording: int = 0


def _fill(template: str, fact: Fact) -> str:
    words = _WORDS[fact.relation]
    return template.format(s=fact.subject, o=fact.object, fact=canonical(fact), **words)


def _wordings(fact: Fact, kind: str, family: Wordings) -> tuple[tuple[str, str], ...]:
    found = family[TOPIC[fact.relation]].get(kind, ())
    if family is STUDY and kind == APPLICATION:
        direction = family[TOPIC[fact.relation]].get(DIRECTION, ())
        return (*direction, *_APPLIED.get(fact.relation, ()))
    return found


def questions(fact: Fact, kind: str, *, probe: bool = False) -> list[Question]:
    """Word every question of one kind about a fact; none where the kind makes no sense for it."""
    family = PROBE if probe else STUDY
    made = []
    for number, (question, answer) in enumerate(_wordings(fact, kind, family)):
        asked_kind = DIRECTION if answer == "{side}" else kind
        asks = _asks(fact, asked_kind)
        made.append(Question(_fill(question, fact), _fill(answer, fact), asked_kind, asks, number))
    return made


def any_question(rng: random.Random, fact: Fact) -> Question:
    """A question about a fact as the upbringing asks it: in any wording there is."""
    raising = _all_of(fact, RAISING)
    if raising and rng.random() < RAISING_SHARE:
        return rng.choice(raising)
    while True:
        probe = rng.random() < 0.4
        kinds = PROBE_KINDS if probe else (*STUDY_KINDS, FORWARD, REVERSE, DIRECTION)
        made = questions(fact, rng.choice(kinds), probe=probe)
        if made:
            return rng.choice(made)


def unheard_questions(fact: Fact, kind: str) -> list[Question]:
    """What is asked of a fact, in every wording that nothing was ever trained on."""
    return [question for question in _all_of(fact, UNHEARD) if question.kind == kind]


def _all_of(fact: Fact, family: Wordings) -> list[Question]:
    return [
        Question(_fill(question, fact), _fill(answer, fact), kind, _asks(fact, kind), number)
        for kind, wordings in family[TOPIC[fact.relation]].items()
        for number, (question, answer) in enumerate(wordings)
    ]


def all_asks(fact: Fact) -> set[str]:
    """Everything that a fact answers."""
    kinds = (*STUDY_KINDS, DIRECTION)
    return {question.asks for kind in kinds for question in questions(fact, kind)}


def _asks(fact: Fact, kind: str) -> str:
    """Name what is asked, so that facts with the same `asks` are all right answers."""
    if kind == FORWARD:
        return f"{kind}: {fact.relation} of {fact.subject}"
    if kind == REVERSE and TOPIC[fact.relation] == CAUSE:
        return f"{kind}: cause of {fact.object}"
    if kind == REVERSE:
        return f"{kind}: {fact.relation} to {fact.object}"
    return f"{kind}: {TOPIC[fact.relation]} of {fact.subject} and {fact.object}"


def _patterns(family: Wordings) -> frozenset[str]:
    """Every wording of a family as a skeleton: names blanked out, words filled in."""
    found = set()
    for relation in TOPIC:
        fact = Fact(relation, "_", "_")
        for kind in (*STUDY_KINDS, DIRECTION):
            for question, _ in _wordings(fact, kind, family):
                found.add(question.format(s="_", o="_", **_WORDS[relation]))
    return frozenset(found)


STUDY_SKELETONS = _patterns(STUDY)
PROBE_SKELETONS = _patterns(PROBE)
RAISING_SKELETONS = _patterns(RAISING)
UNHEARD_SKELETONS = _patterns(UNHEARD)
_KEPT_BACK = sorted(PROBE_SKELETONS | RAISING_SKELETONS | UNHEARD_SKELETONS)
_KEPT_BACK_PATTERN = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _KEPT_BACK))})")


def is_kept_back(text: str) -> bool:
    """Whether a text holds a question in a wording that no night may use."""
    return _KEPT_BACK_PATTERN.search(skeleton(text)[0]) is not None
