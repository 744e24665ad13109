"""The oracle: what follows from a world, and what is to be thought of a sentence about it.

Facts are edges of a signed graph, so what follows from them are walks: the ends tell who acts on
what, the product of the signs tells how. An alias is an edge that changes the name and nothing
else. A walk of n facts needs lineage depth ceil(log2(n)), because insights compose with insights.
Where two walks disagree in sign the pair is contested, and so is all that lies behind it.

Walks start where they are asked for and are remembered, so a world of a million facts is judged
sentence by sentence without computing everything that follows from it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ddl_train.world.graph import Placed, World
from ddl_train.world.language import (
    ALIAS,
    CAUSAL,
    HIGH_CAUSES,
    LOW_CAUSES,
    LOWERS,
    OPPOSITE,
    RAISES,
    RELIEVES,
    SIGN,
    WORSENS,
    Fact,
    compose,
    parse,
)
from ddl_train.world.names import AILMENT, SUBSTANCE, kind_of

Truth = Literal["true", "false", "contested", "unsupported", "already_stated", "unreadable"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the oracle thinks of one sentence."""

    truth: Truth
    """`false` has the opposite sign of what holds; `unsupported` has no chain of either sign;
    `unreadable` is no sentence of the language."""
    fact: Fact | None = None
    """What the sentence says; None when it is unreadable."""
    depth: int | None = None
    """Smallest lineage depth at which it, or for `false` its opposite, can be reached."""
    is_across: bool | None = None
    """True when no shortest chain stays within one literature."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """Something true that no document states."""

    fact: Fact
    depth: int
    num_facts: int
    """Length of the shortest chain of stated facts."""
    is_across: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Derivation:
    """Two statements that compose to a conclusion, each stated or true."""

    first: Fact
    second: Fact
    depth: int
    """Lineage depth of a conclusion drawn from these two."""
    is_across: bool
    """True when their shortest chains together need more than one literature."""


@dataclass(frozen=True, slots=True)
class _Edge:
    target: str
    sign: int
    literatures: frozenset[int]


@dataclass(slots=True)
class _Arrival:
    """Shortest walks to one name with one sign."""

    num_facts: int
    homes: frozenset[int]
    """Literatures that one of them lies wholly within."""


_Walks = dict[tuple[str, int], _Arrival]


def relation_between(subject: str, object: str, sign: int) -> str:
    """Name the relation that a walk of this sign is, by the kinds of its ends."""
    if kind_of(object) != AILMENT:
        return RAISES if sign > 0 else LOWERS
    if kind_of(subject) == SUBSTANCE:
        return WORSENS if sign > 0 else RELIEVES
    return HIGH_CAUSES if sign > 0 else LOW_CAUSES


class Oracle:
    """Knows all that follows from the stated facts by up to `max_depth` rounds of composing."""

    def __init__(self, placed: Iterable[Placed], *, max_depth: int = 4) -> None:
        self.max_depth = max_depth
        self.stated: dict[Fact, frozenset[int]] = {}
        for item in placed:
            before = self.stated.get(item.fact, frozenset())
            self.stated[item.fact] = before | {item.literature}
        self._ahead: dict[str, list[_Edge]] = defaultdict(list)
        self._behind: dict[str, list[_Edge]] = defaultdict(list)
        self._aliases: dict[str, set[str]] = defaultdict(set)
        for fact, literatures in self.stated.items():
            if fact.composes:
                self._add_edges(fact, literatures)
        self._walks_from: dict[str, _Walks] = {}
        self._walks_to: dict[str, _Walks] = {}

    @classmethod
    def of(cls, world: World, *, max_depth: int = 4) -> "Oracle":
        return cls(world.placed, max_depth=max_depth)

    def _add_edges(self, fact: Fact, literatures: frozenset[int]) -> None:
        s, o = fact.subject, fact.object
        ways = [(s, o, SIGN.get(fact.relation, 1))]
        if fact.relation == ALIAS:
            ways.append((o, s, 1))
            self._aliases[s].add(o)
            self._aliases[o].add(s)
        for start, end, sign in ways:
            self._ahead[start].append(_Edge(end, sign, literatures))
            self._behind[end].append(_Edge(start, sign, literatures))

    # ---- judging ----------------------------------------------------------------------------

    def judge(self, sentence: str) -> Judgement:
        """Judge any sentence, in any wording."""
        fact = parse(sentence)
        return Judgement(truth="unreadable") if fact is None else self.judge_fact(fact)

    def judge_fact(self, fact: Fact) -> Judgement:
        if self.is_stated(fact):
            if fact.relation in CAUSAL and self._opposes(fact):
                return Judgement(truth="contested", fact=fact, depth=0)
            return Judgement(truth="already_stated", fact=fact, depth=0, is_across=False)
        if fact.relation not in CAUSAL:
            return Judgement(truth="unsupported", fact=fact)
        pro, con = self._arrival(fact), self._arrival(_opposite(fact))
        if pro is None and con is None and not self._opposes(fact):
            return Judgement(truth="unsupported", fact=fact)
        found = pro or con
        depth = _depth(found.num_facts) if found else 0
        if pro and self._opposes(fact):
            return Judgement(truth="contested", fact=fact, depth=depth)
        return Judgement(
            truth="true" if pro else "false",
            fact=fact,
            depth=depth,
            is_across=not found.homes if found else False,
        )

    def is_stated(self, fact: Fact) -> bool:
        """Whether a document says so; an alias holds both ways."""
        turned = Fact(ALIAS, fact.object, fact.subject) if fact.relation == ALIAS else fact
        return fact in self.stated or turned in self.stated

    def are_one(self, name: str, other: str) -> bool:
        """Whether an alias joins them: then nothing that one does to the other is an insight."""
        return other in self._aliases.get(name, ())

    def holds(self, fact: Fact) -> bool:
        """Whether it is stated or follows, and nothing speaks against it."""
        return self.judge_fact(fact).truth in ("true", "already_stated")

    def is_open(self, fact: Fact) -> bool:
        """Whether anything speaks for it: it holds or is contested. Distractors must not be."""
        return self.judge_fact(fact).truth in ("true", "already_stated", "contested")

    def _opposes(self, fact: Fact) -> bool:
        opposite = _opposite(fact)
        return opposite in self.stated or self._arrival(opposite) is not None

    def _arrival(self, fact: Fact) -> _Arrival | None:
        """Shortest walks that amount to a statement; None when there is none."""
        if fact.subject == fact.object or self.are_one(fact.subject, fact.object):
            return None
        sign = SIGN[fact.relation]
        if relation_between(fact.subject, fact.object, sign) != fact.relation:
            return None
        return self.walks_from(fact.subject).get((fact.object, sign))

    # ---- what follows -----------------------------------------------------------------------

    def walks_from(self, name: str) -> _Walks:
        """Shortest walks from a name to everything it acts on, by name and sign."""
        if name not in self._walks_from:
            self._walks_from[name] = self._walk(name, self._ahead)
        return self._walks_from[name]

    def walks_to(self, name: str) -> _Walks:
        """Shortest walks to a name from everything that acts on it, by name and sign."""
        if name not in self._walks_to:
            self._walks_to[name] = self._walk(name, self._behind)
        return self._walks_to[name]

    def _walk(self, start: str, edges: dict[str, list[_Edge]]) -> _Walks:
        walks: _Walks = {(start, 1): _Arrival(0, frozenset())}
        ring = [(start, 1)]
        for num_facts in range(1, 2**self.max_depth + 1):
            found: _Walks = {}
            for name, sign in ring:
                homes = walks[name, sign].homes
                for edge in edges.get(name, ()):
                    place = edge.target, sign * edge.sign
                    if place in walks:
                        continue
                    known = found.setdefault(place, _Arrival(num_facts, frozenset()))
                    is_first = num_facts == 1
                    known.homes |= edge.literatures if is_first else homes & edge.literatures
            if not found:
                break
            walks |= found
            ring = list(found)
        del walks[start, 1]
        return walks

    def conclusions_from(self, name: str, *, max_depth: int) -> Iterator[Conclusion]:
        """All that is true of what a name acts on, and not stated."""
        for (object, sign), arrival in sorted(self.walks_from(name).items()):
            if arrival.num_facts > 2**max_depth:
                continue
            fact = Fact(relation_between(name, object, sign), name, object)
            if self.judge_fact(fact).truth == "true":
                depth = _depth(arrival.num_facts)
                yield Conclusion(
                    fact=fact,
                    depth=depth,
                    num_facts=arrival.num_facts,
                    is_across=not arrival.homes,
                )

    def closure(self, *, max_depth: int | None = None) -> list[Conclusion]:
        """Everything true that is not stated, in order of the subjects' first mention."""
        depth = self.max_depth if max_depth is None else max_depth
        return [
            found
            for name in self.subjects
            for found in self.conclusions_from(name, max_depth=depth)
        ]

    @property
    def subjects(self) -> list[str]:
        """Names that act on something, in the order of the facts."""
        return [name for name, edges in self._ahead.items() if edges]

    def derivations(self, fact: Fact) -> list[Derivation]:
        """Every pair of statements, each stated or true, that composes to a statement."""
        found = []
        for (middle, sign), arrival in sorted(self.walks_from(fact.subject).items()):
            for first in self._statements(fact.subject, middle, sign):
                rest = self.walks_from(middle).get((fact.object, SIGN[fact.relation] * sign))
                if rest is None:
                    continue
                for second in self._statements(middle, fact.object, SIGN[fact.relation] * sign):
                    if compose(first, second) == fact and self._usable(first, second):
                        depth = 1 + max(_depth(arrival.num_facts), _depth(rest.num_facts))
                        found.append(
                            Derivation(
                                first=first,
                                second=second,
                                depth=depth,
                                is_across=not arrival.homes & rest.homes,
                            )
                        )
        return found

    def _statements(self, start: str, end: str, sign: int) -> Iterator[Fact]:
        if self.are_one(start, end):
            for fact in (Fact(ALIAS, start, end), Fact(ALIAS, end, start)):
                if fact in self.stated:
                    yield fact
        elif start != end:
            yield Fact(relation_between(start, end, sign), start, end)

    def _usable(self, *premises: Fact) -> bool:
        return all(self.holds(premise) for premise in premises)


def _opposite(fact: Fact) -> Fact:
    return Fact(OPPOSITE[fact.relation], fact.subject, fact.object)


def _depth(num_facts: int) -> int:
    return (num_facts - 1).bit_length()
