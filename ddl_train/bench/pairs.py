"""Pairs of concepts from worlds that no seedling was raised in, with the truth about each."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ddl_train.bench.speaker import render
from ddl_train.world.documents import grow
from ddl_train.world.language import Fact, any_wording, canonical, chain
from ddl_train.world.lessons import Row
from ddl_train.world.oracle import Oracle, Truth
from ddl_train.world.presets import load_preset
from ddl_train.world.scenes import Idea

FIRST_SEED = 7_000_000
"""Worlds of the bench lie apart from the seeds that anything else uses."""
NUM_WORLDS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two concepts as a document or an insight words them."""

    a: str
    b: str
    idea: Idea | None
    """What they compose to; None for nothing."""
    world: int
    """Place among the worlds of its source."""

    @property
    def prompt(self) -> str:
        slots = {"a": self.a, "b": self.b}
        return render(Row(skill="propose", template="propose", slots=slots, completion=""))


class PairSource:
    """Draws pairs from a few worlds of the standard size; never the same sequence for two seeds."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"bench/pairs/{seed}")
        spec = load_preset("standard").world
        seeds = range(FIRST_SEED + seed * NUM_WORLDS, FIRST_SEED + (seed + 1) * NUM_WORLDS)
        grown = [grow(number, spec) for number in seeds]
        self._oracles = [Oracle.of(world) for world in grown]
        self._worlds = [list(dict.fromkeys(world.facts)) for world in grown]
        self._chains = [_all_chains(facts) for facts in self._worlds]
        self._by_name = [_by_name(facts) for facts in self._worlds]

    def drawn(self, count: int) -> list[Pair]:
        """Any two sentences of a world, which compose as seldom as its sentences do."""
        places = [self._rng.randrange(len(self._worlds)) for _ in range(count)]
        return [self._pair(place, *self._rng.sample(self._worlds[place], 2)) for place in places]

    def judge(self, pair: Pair, conclusion: Fact | None) -> Truth:
        """What the oracle of a pair's world thinks of a conclusion; `unreadable` of none."""
        return (
            "unreadable"
            if conclusion is None
            else self._oracles[pair.world].judge_fact(conclusion).truth
        )

    def composing(self, count: int) -> list[Pair]:
        """Pairs that compose, evenly over all that there are."""
        pairs = []
        for _ in range(count):
            place = self._rng.randrange(len(self._worlds))
            first, second, _ = self._rng.choice(self._chains[place])
            pairs.append(self._pair(place, first, second))
        return pairs

    def on_insights(self, count: int) -> list[Pair]:
        """Pairs of an earlier conclusion, canonical as memory holds it, and a document's sentence."""
        pairs: list[Pair] = []
        while len(pairs) < count:
            place = self._rng.randrange(len(self._worlds))
            insight = self._rng.choice(self._chains[place])[2]
            near = [fact for name in insight.names for fact in self._by_name[place].get(name, [])]
            fact = self._rng.choice(near)
            if chain(insight, fact) is not None:
                texts = [canonical(insight), any_wording(fact, self._rng, canonical_share=0)]
                self._rng.shuffle(texts)
                idea = chain(insight, fact)
                pairs.append(Pair(a=texts[0], b=texts[1], idea=idea, world=place))
        return pairs

    def unlinked(self, count: int) -> list[Pair]:
        """Pairs drawn evenly from a world, without the few that compose."""
        return self._refused(count, sharing=False)

    def sharing(self, count: int) -> list[Pair]:
        """Pairs that share a name and compose to nothing."""
        return self._refused(count, sharing=True)

    def _refused(self, count: int, *, sharing: bool) -> list[Pair]:
        pairs: list[Pair] = []
        while len(pairs) < count:
            place = self._rng.randrange(len(self._worlds))
            first = self._rng.choice(self._worlds[place])
            pool = self._worlds[place]
            if sharing:
                pool = [fact for name in first.names for fact in self._by_name[place][name]]
            second = self._rng.choice(pool) if pool else first
            if first != second and chain(first, second) is None:
                pairs.append(self._pair(place, first, second))
        return pairs

    def _pair(self, place: int, first: Fact, second: Fact) -> Pair:
        facts = [first, second]
        self._rng.shuffle(facts)
        a, b = (any_wording(fact, self._rng, canonical_share=0.0) for fact in facts)
        return Pair(a=a, b=b, idea=chain(first, second), world=place)


def _by_name(facts: list[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        for name in fact.names:
            found.setdefault(name, []).append(fact)
    return found


def _all_chains(facts: list[Fact]) -> list[Idea]:
    return list(_chains(facts, _by_name(facts)))


def _chains(facts: list[Fact], by_name: dict[str, list[Fact]]) -> Iterator[Idea]:
    place = {fact: number for number, fact in enumerate(facts)}
    for fact in facts:
        near = dict.fromkeys(other for name in fact.names for other in by_name[name])
        for other in near:
            found = chain(fact, other) if place[other] > place[fact] else None
            if found is not None:
                yield found
