"""The language of the world: facts, how they are worded, and the one rule of composition.

Every wording is a template with slots, so a sentence can be read back into its fact exactly: names
are replaced by slots, and what remains is looked up. Canonical wordings are what ideas and
insights are written in; document wordings are what literature is written in; no sentence belongs
to both.
"""

import random
import re
from dataclasses import dataclass

from ddl_train.world.names import AILMENT, FACTOR, NAME_PATTERN, SUBSTANCE, kind_of

RAISES, LOWERS = "raises", "lowers"
HIGH_CAUSES, LOW_CAUSES = "high causes", "low causes"
ALIAS = "alias"
RELIEVES, WORSENS = "relieves", "worsens"
ASIDE, NOTE, FILLER = "aside", "note", "filler"

CAUSAL = (RAISES, LOWERS, HIGH_CAUSES, LOW_CAUSES, RELIEVES, WORSENS)
"""Relations that carry a sign, each beside its opposite."""
SIGN = {RAISES: 1, LOWERS: -1, HIGH_CAUSES: 1, LOW_CAUSES: -1, RELIEVES: -1, WORSENS: 1}
"""Whether more of the subject brings more (1) or less (-1) of the object."""
OPPOSITE = {
    RAISES: LOWERS, LOWERS: RAISES, HIGH_CAUSES: LOW_CAUSES,
    LOW_CAUSES: HIGH_CAUSES, RELIEVES: WORSENS, WORSENS: RELIEVES,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement: a relation between two names; some say nothing that could compose."""

    relation: str
    subject: str = ""
    """Empty in a filler."""
    object: str = ""
    """Empty in a filler and in a note."""
    wording: int = 0
    """Which sentence, for what carries no meaning (asides, notes, fillers): they differ only so."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.subject, self.object) if name)

    @property
    def composes(self) -> bool:
        """Whether it can take part in a chain at all."""
        return self.relation in (RAISES, LOWERS, HIGH_CAUSES, LOW_CAUSES, ALIAS)


CANONICAL: dict[str, str] = {
    RAISES: "{s} raises {o}",
    LOWERS: "{s} lowers {o}",
    HIGH_CAUSES: "high {s} causes {o}",
    LOW_CAUSES: "low {s} causes {o}",
    ALIAS: "{s} is also called {o}",
    RELIEVES: "{s} may relieve {o}",
    WORSENS: "{s} may worsen {o}",
}

_LEVEL = (
    "{s} #increases {o}", "{s} pushes {o} #up", "the level of {o} #climbs under {s}",
    "more {s} means #more {o}", "{o} is #boosted by {s}", "with {s} comes #extra {o}",
    "{o} goes #up after {s}", "a #gain in {o} follows {s}",
)  # fmt: skip
_EXCESS = (
    "too #much {s} brings on {o}", "{o} follows from #excess of {s}", "{o} appears when {s} runs #over",
    "a #surplus of {s} leads to {o}", "{o} is the result of #abundant {s}",
    "behind {o} stands #plentiful {s}", "{s} in #plenty ends in {o}", "{o} comes with #rich {s}",
)  # fmt: skip
_MINUS = {
    "increases": "decreases", "up": "down", "climbs": "drops", "more": "less",
    "boosted": "cut", "extra": "reduced", "gain": "loss", "much": "little", "excess": "lack", "plenty": "want",
    "over": "short", "surplus": "shortage", "abundant": "scarce", "plentiful": "missing",
    "rich": "poor",
}  # fmt: skip


def _signed(wordings: tuple[str, ...], *, positive: bool) -> tuple[str, ...]:
    """Write the `#word` of each wording, or its counterpart."""

    def word(match: re.Match[str]) -> str:
        return match[1] if positive else _MINUS[match[1]]

    return tuple(re.sub(r"#(\w+)", word, wording) for wording in wordings)


DOCUMENT: dict[str, tuple[str, ...]] = {
    RAISES: _signed(_LEVEL, positive=True),
    LOWERS: _signed(_LEVEL, positive=False),
    HIGH_CAUSES: _signed(_EXCESS, positive=True),
    LOW_CAUSES: _signed(_EXCESS, positive=False),
    ALIAS: (
        "{s} goes by the name {o}", "another name for {s} is {o}", "{s} is the same as {o}",
        "{s} and {o} are one thing", "what some call {s} others call {o}",
        "{s} , elsewhere named {o} , is one thing",
    ),
    RELIEVES: (
        "{o} eased in those given {s}", "{s} helped against {o}",
        "those with {o} got better on {s}", "{s} was good for {o}",
    ),
    WORSENS: (
        "{o} grew in those given {s}", "{s} did harm in {o}",
        "those with {o} got worse on {s}", "{s} was bad for {o}",
    ),
    ASIDE: (
        "{s} is often measured beside {o}", "{s} and {o} were named in the same year",
        "the price of {s} is close to that of {o}", "{s} has the colour of {o}",
        "no link of {s} with {o} was found", "{s} was studied by the finder of {o}",
        "{s} is stored next to {o}", "books on {s} also treat {o}",
    ),
    NOTE: (
        "{s} was first described long ago", "{s} is easy to measure", "the study of {s} is young",
        "{s} is named after its finder", "much has been written on {s}",
        "{s} is found in most people", "little is known of {s}", "the word {s} is old",
    ),
    FILLER: (
        "more work is needed", "the methods are given elsewhere", "the finder was very old",
        "others have found the same", "this was measured in the same year",
        "the study was short", "we thank those who helped", "a table is given elsewhere",
    ),
}  # fmt: skip
"""Wordings of documents. No sentence of these is canonical, and no question."""


def canonical(fact: Fact) -> str:
    """Word a fact as ideas do."""
    return CANONICAL[fact.relation].format(s=fact.subject, o=fact.object)


def document(fact: Fact, wording: int) -> str:
    """Word a fact as literature does. What means nothing keeps its own wording."""
    wordings = DOCUMENT[fact.relation]
    if fact.relation in (ASIDE, NOTE, FILLER):
        wording = fact.wording
    return wordings[wording % len(wordings)].format(s=fact.subject, o=fact.object)


def any_wording(fact: Fact, rng: random.Random, *, canonical_share: float = 0.25) -> str:
    """Word a fact in a document wording, or sometimes canonically where that exists."""
    if fact.relation in CANONICAL and rng.random() < canonical_share:
        return canonical(fact)
    return document(fact, rng.randrange(len(DOCUMENT[fact.relation])))


# ---- reading back -------------------------------------------------------------------------


def skeleton(text: str) -> tuple[str, tuple[str, ...]]:
    """Split a sentence into its wording with names blanked out, and the names in order."""
    text = " ".join(text.split()).rstrip(" .")
    return NAME_PATTERN.sub("_", text), tuple(NAME_PATTERN.findall(text))


def _slots(template: str) -> tuple[str, str]:
    """The skeleton of a template, and the order of its slots: 's', 'o', 'so' or 'os'."""
    order = "".join(slot[1] for slot in re.findall(r"\{[so]\}", template))
    return re.sub(r"\{[so]\}", "_", template), order


_READING: dict[str, tuple[str, str, int]] = {}
for _relation, _template in CANONICAL.items():
    _key, _order = _slots(_template)
    _READING[_key] = (_relation, _order, 0)
for _relation, _templates in DOCUMENT.items():
    for _number, _template in enumerate(_templates):
        _key, _order = _slots(_template)
        assert _key not in _READING, _template
        _READING[_key] = (_relation, _order, _number)

_KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    RAISES: ((SUBSTANCE, FACTOR), FACTOR),
    LOWERS: ((SUBSTANCE, FACTOR), FACTOR),
    HIGH_CAUSES: ((FACTOR,), AILMENT),
    LOW_CAUSES: ((FACTOR,), AILMENT),
    ALIAS: ((FACTOR,), FACTOR),
    RELIEVES: ((SUBSTANCE,), AILMENT),
    WORSENS: ((SUBSTANCE,), AILMENT),
}


def is_sound(fact: Fact) -> bool:
    """Whether the kinds of the names fit the relation, and it does not speak of itself."""
    if fact.relation not in _KINDS:
        return True
    subjects, object_kind = _KINDS[fact.relation]
    return (
        kind_of(fact.subject) in subjects
        and kind_of(fact.object) == object_kind
        and fact.subject != fact.object
    )


def parse(sentence: str) -> Fact | None:
    """Read a sentence in any canonical or document wording; None when it is none, or unsound."""
    key, names = skeleton(sentence)
    if key not in _READING:
        return None
    relation, order, wording = _READING[key]
    slots = dict(zip(order, names, strict=True))
    meaningless = relation in (ASIDE, NOTE, FILLER)
    fact = Fact(relation, slots.get("s", ""), slots.get("o", ""), wording if meaningless else 0)
    return fact if is_sound(fact) else None


# ---- composition --------------------------------------------------------------------------


def compose(first: Fact, second: Fact) -> Fact | None:
    """Conclude from two facts in the order in which they chain; None when they do not.

    Signs multiply. An alias holds both ways and renames what it touches: the object of a fact
    before it, the subject of a fact after it. What would speak of one name twice is no conclusion.
    """
    if not (first.composes and second.composes):
        return None
    if first.relation == ALIAS and second.relation == ALIAS:
        return None
    if second.relation == ALIAS:
        return _renamed_object(first, second)
    if first.relation == ALIAS:
        return _renamed_subject(first, second)
    if first.relation not in (RAISES, LOWERS) or first.object != second.subject:
        return None
    positive = SIGN[first.relation] * SIGN[second.relation] > 0
    if second.relation in (RAISES, LOWERS):
        relation = RAISES if positive else LOWERS
    elif kind_of(first.subject) == SUBSTANCE:
        relation = WORSENS if positive else RELIEVES
    else:
        relation = HIGH_CAUSES if positive else LOW_CAUSES
    return _sound_or_none(Fact(relation, first.subject, second.object))


def other_name(alias: Fact, name: str) -> str | None:
    """The other of the two names that an alias joins."""
    if name == alias.subject:
        return alias.object
    return alias.subject if name == alias.object else None


def _renamed_object(fact: Fact, alias: Fact) -> Fact | None:
    renamed = other_name(alias, fact.object)
    if renamed is None:
        return None
    return _sound_or_none(Fact(fact.relation, fact.subject, renamed))


def _renamed_subject(alias: Fact, fact: Fact) -> Fact | None:
    renamed = other_name(alias, fact.subject)
    if renamed is None:
        return None
    return _sound_or_none(Fact(fact.relation, renamed, fact.object))


def _sound_or_none(fact: Fact) -> Fact | None:
    return fact if is_sound(fact) else None


def chain(a: Fact, b: Fact) -> tuple[Fact, Fact, Fact] | None:
    """Find the order in which two facts compose: first, second, conclusion; None when in neither."""
    for first, second in ((a, b), (b, a)):
        conclusion = compose(first, second)
        if conclusion is not None:
            return first, second, conclusion
    return None


# ---- ideas --------------------------------------------------------------------------------

IDEA_PATTERN = re.compile(r"(?s)^(?P<reasoning>.+), so (?P<conclusion>.+)$")


def write_idea(first: Fact, second: Fact, conclusion: Fact) -> str:
    """Word an idea: premises in the order they chain, then the conclusion, all canonical."""
    return f"{canonical(first)} and {canonical(second)}, so {canonical(conclusion)}"


def parse_idea(text: str) -> tuple[Fact, Fact, Fact] | None:
    """Read an idea back; None when it is not worded as one."""
    match = IDEA_PATTERN.match(" ".join(text.split()).rstrip(" ."))
    if match is None:
        return None
    premises = [parse(part) for part in match["reasoning"].split(" and ")]
    conclusion = parse(match["conclusion"])
    if len(premises) != 2 or conclusion is None:
        return None
    first, second = premises
    return None if first is None or second is None else (first, second, conclusion)
