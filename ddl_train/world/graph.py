"""World graphs: from a seed and a few numbers to facts scattered over literatures.

Every literature has its own substances, factors and ailments. A bridge is a factor that one
literature ends in and another starts from, half of the time under another name; the alias is then
stated somewhere. Factors of a literature are ordered, and influence only later ones; what would close
a ring over bridges is left out, so that nothing acts on itself. Asides share names with facts and
compose to nothing.

Not here: what follows from the facts (the oracle), nor how they are told (the documents).
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ddl_train.world.language import (
    ALIAS,
    ASIDE,
    DOCUMENT,
    FILLER,
    HIGH_CAUSES,
    LOW_CAUSES,
    LOWERS,
    NOTE,
    RAISES,
    Fact,
)
from ddl_train.world.names import AILMENT, FACTOR, SUBSTANCE, NameSource, check_number

MAX_DEGREE = 1000
"""Links of one name, on average; each is drawn by itself, so that a slip here would take for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldSpec:
    """How large a world is, and how dense. Numbers are totals over all literatures."""

    substances: int
    factors: int
    ailments: int
    literatures: int = 4
    bridges: int = 0
    """Factors that a second literature speaks of too."""
    alias_share: float = 0.5
    """Share of the bridges that bear another name in the second literature."""
    substance_degree: float = 1.5
    """Factors that a substance raises or lowers, on average."""
    factor_degree: float = 1.0
    """Later factors that a factor raises or lowers, on average."""
    ailment_degree: float = 1.5
    """Causes of an ailment, on average."""
    skew: float = 1.0
    """Above 1, some factors are spoken of more often than others."""
    asides: int = 0
    """Sentences that join two known names and mean nothing."""
    notes: int = 0
    """Sentences about one known name that mean nothing."""
    fillers: int = 0
    """Sentences without a name; no more than there are wordings."""

    def __post_init__(self) -> None:
        for name in ("substances", "factors", "ailments", "literatures"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, expected 1 or more")
        for name in ("bridges", "asides", "notes", "fillers"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, expected 0 or more")
        for name in ("substance_degree", "factor_degree", "ailment_degree"):
            if not 0 <= getattr(self, name) <= MAX_DEGREE:
                raise ValueError(f"{name}: got {getattr(self, name)}, expected 0 to {MAX_DEGREE}")
        if not 0 <= self.alias_share <= 1:
            raise ValueError(f"alias_share: got {self.alias_share}, expected 0 to 1")
        if not 0 < self.skew < math.inf:
            raise ValueError(f"skew: got {self.skew}, expected a finite number above 0")
        if self.factors < self.literatures or self.bridges > self.factors:
            raise ValueError(
                f"got {self.factors} factors for {self.literatures} literatures and "
                f"{self.bridges} bridges, expected at least as many as either"
            )
        aliases = int(self.bridges * self.alias_share)
        check_number("substances", self.substances, SUBSTANCE)
        check_number("factors with aliases of bridges", self.factors + aliases, FACTOR)
        check_number("ailments", self.ailments, AILMENT)
        kinds = (self.substances, self.factors, self.ailments)
        fewest = sum(_part(of, self.literatures - 1, self.literatures) for of in kinds)
        if self.asides and fewest < 2:
            raise ValueError(
                f"asides: got {self.asides} of {self.literatures} literatures, the smallest with a "
                "single name, expected 0 or fewer literatures: an aside joins two names of one"
            )


@dataclass(frozen=True, slots=True)
class Placed:
    """A fact and the literature that states it."""

    fact: Fact
    literature: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bridge:
    """A factor that two literatures speak of, with its name in each."""

    name: str
    home: int
    other_name: str
    """The same as `name` unless the bridge has an alias."""
    abroad: int


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Everything that is stated, in a fixed order: per literature causal facts, then the rest."""

    seed: int
    spec: WorldSpec
    placed: tuple[Placed, ...]
    bridges: tuple[Bridge, ...]

    @property
    def facts(self) -> list[Fact]:
        return [p.fact for p in self.placed]


@dataclass(slots=True)
class _Literature:
    number: int
    substances: list[str]
    factors: list[str]
    ailments: list[str]
    visitors: list[str] = field(default_factory=list)
    """Names of factors from elsewhere; this literature tells what they do, not what moves them."""

    @property
    def names(self) -> list[str]:
        return self.substances + self.factors + self.ailments + self.visitors


def make_world(seed: int, spec: WorldSpec, taken: frozenset[str] = frozenset()) -> World:
    """Grow the world of a seed. Equal arguments give equal worlds; names in `taken` are not used."""
    rng = random.Random(f"world/{seed}")
    source = NameSource(rng, taken)
    literatures = [
        _Literature(
            number,
            [
                source.draw(SUBSTANCE)
                for _ in range(_part(spec.substances, number, spec.literatures))
            ],
            [source.draw(FACTOR) for _ in range(_part(spec.factors, number, spec.literatures))],
            [source.draw(AILMENT) for _ in range(_part(spec.ailments, number, spec.literatures))],
        )
        for number in range(spec.literatures)
    ]
    bridges = list(_bridges(rng, spec, literatures, source))
    for bridge in bridges:
        literatures[bridge.abroad].visitors.append(bridge.other_name)

    placed: list[Placed] = []
    for literature in literatures:
        told = [*_substance_facts(rng, spec, literature), *_factor_facts(rng, spec, literature)]
        told += _ailment_facts(rng, spec, literature)
        placed += (Placed(fact, literature.number) for fact in told)
    placed = _without_rings(placed, bridges)
    for bridge in bridges:
        if bridge.name != bridge.other_name:
            pair = rng.sample((bridge.name, bridge.other_name), 2)
            where = rng.choice((bridge.home, bridge.abroad))
            placed.append(Placed(Fact(ALIAS, pair[0], pair[1]), where))
    placed += _meaningless(rng, spec, literatures)
    return World(seed=seed, spec=spec, placed=tuple(placed), bridges=tuple(bridges))


def _part(total: int, number: int, parts: int) -> int:
    return total // parts + (number < total % parts)


def _bridges(
    rng: random.Random, spec: WorldSpec, literatures: list[_Literature], source: NameSource
) -> Iterator[Bridge]:
    """Choose factors that another literature starts from; the popular ones of their own first."""
    if len(literatures) < 2:
        return
    for number in range(spec.bridges):
        home = literatures[number % len(literatures)]
        place = number // len(literatures)
        if place >= len(home.factors):
            continue
        abroad = rng.choice([lit.number for lit in literatures if lit is not home])
        name = home.factors[place]
        renamed = (number + 1) * spec.alias_share // 1 > number * spec.alias_share // 1
        yield Bridge(
            name=name,
            home=home.number,
            other_name=source.draw(FACTOR) if renamed else name,
            abroad=abroad,
        )


def _degree(rng: random.Random, mean: float) -> int:
    return int(mean) + (rng.random() < mean - int(mean))


def _pick(
    rng: random.Random, spec: WorldSpec, pool: Sequence[str], start: int, n: int
) -> list[str]:
    """Draw up to n different names from pool[start:], the earlier ones oftener if skewed."""
    size = len(pool) - start
    if size <= 0:
        return []
    places: dict[int, None] = {}
    for _ in range(4 * n):
        if len(places) == n:
            break
        places.setdefault(start + int(size * rng.random() ** spec.skew))
    return [pool[place] for place in places]


def _substance_facts(rng: random.Random, spec: WorldSpec, lit: _Literature) -> Iterator[Fact]:
    for substance in lit.substances:
        degree = max(1, _degree(rng, spec.substance_degree))
        for factor in _pick(rng, spec, lit.factors, 0, degree):
            yield Fact(rng.choice((RAISES, LOWERS)), substance, factor)


def _factor_facts(rng: random.Random, spec: WorldSpec, lit: _Literature) -> Iterator[Fact]:
    pool = lit.visitors + lit.factors
    for place, factor in enumerate(pool):
        visits = place < len(lit.visitors)
        degree = _degree(rng, spec.factor_degree)
        start = len(lit.visitors) if visits else place + 1
        for target in _pick(rng, spec, pool, start, degree):
            yield Fact(rng.choice((RAISES, LOWERS)), factor, target)


def _ailment_facts(rng: random.Random, spec: WorldSpec, lit: _Literature) -> Iterator[Fact]:
    pool = lit.visitors + lit.factors
    owed = list(lit.visitors)  # each visitor causes something, or the bridge would lead nowhere
    for ailment in lit.ailments:
        causes = _pick(rng, spec, pool, 0, max(1, _degree(rng, spec.ailment_degree)))
        if owed and owed[-1] not in causes:
            causes[0] = owed.pop()
        for cause in dict.fromkeys(causes):
            yield Fact(rng.choice((HIGH_CAUSES, LOW_CAUSES)), cause, ailment)


def _without_rings(placed: Sequence[Placed], bridges: Sequence[Bridge]) -> list[Placed]:
    """All but the facts that lead back to a factor on the way here, searched depth first."""
    true_names = {bridge.other_name: bridge.name for bridge in bridges}
    leads: dict[str, list[tuple[str, int]]] = {}
    for place, one in enumerate(placed):
        cause, effect = (true_names.get(name, name) for name in one.fact.names)
        leads.setdefault(cause, []).append((effect, place))
    closing: set[int] = set()
    done: set[str] = set()
    for start in leads:
        way = {start: iter(leads[start])}
        while way:
            name, ahead = next(reversed(way.items()))
            for effect, place in ahead:
                if effect in way:
                    closing.add(place)
                elif effect in leads and effect not in done:
                    way[effect] = iter(leads[effect])
                    break
            else:
                done.add(name)
                del way[name]
    return [one for place, one in enumerate(placed) if place not in closing]


def _meaningless(
    rng: random.Random, spec: WorldSpec, literatures: list[_Literature]
) -> Iterator[Placed]:
    names = [literature.names for literature in literatures]
    wordings = {relation: len(DOCUMENT[relation]) for relation in (ASIDE, NOTE, FILLER)}
    seen: set[Fact] = set()
    for relation, count in ((ASIDE, spec.asides), (NOTE, spec.notes), (FILLER, spec.fillers)):
        for _ in range(count):
            number = rng.randrange(len(literatures))
            size = {ASIDE: 2, NOTE: 1, FILLER: 0}[relation]
            subject, object_, *_ = *rng.sample(names[number], size), "", ""
            fact = Fact(relation, subject, object_, rng.randrange(wordings[relation]))
            if fact not in seen:
                seen.add(fact)
                yield Placed(fact, number)


HOME_SEED = 20_26
HOME_SPEC = WorldSpec(
    substances=50, factors=30, ailments=40, literatures=3, bridges=6,
    substance_degree=1.4, factor_degree=0.8, ailment_degree=1.4,
)  # fmt: skip


def home_world() -> World:
    """The world that the seedling was raised in and knows by heart. No other world is it."""
    return make_world(HOME_SEED, HOME_SPEC)
