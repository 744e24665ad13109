"""Small scenes of fresh names: what the seedling's skills are taught on, and spoilt on purpose.

A scene is dense, so that many of its facts chain, and most that do not still share names. Names are
drawn anew for each, so only the skill can be learned from it.
"""

import random
from dataclasses import dataclass, field

from ddl_train.world.language import (
    ALIAS,
    ASIDE,
    FILLER,
    HIGH_CAUSES,
    LOW_CAUSES,
    LOWERS,
    NOTE,
    OPPOSITE,
    RAISES,
    RELIEVES,
    WORSENS,
    Fact,
    chain,
    compose,
)
from ddl_train.world.names import AILMENT, FACTOR, MIDDLES, SUBSTANCE, NameSource

AXES = ("novelty", "coherence", "utility")
Idea = tuple[Fact, Fact, Fact]
"""First premise, second premise, conclusion."""


@dataclass(slots=True)
class Scene:
    """A handful of facts about a handful of names, dense enough that many of them chain."""

    facts: list[Fact] = field(default_factory=list)
    idle: list[Fact] = field(default_factory=list)
    """Asides, notes and fillers."""
    chains: list[tuple[Fact, Fact, Fact]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Factors that no fact speaks of."""


def make_scene(rng: random.Random) -> Scene:
    """Draw a scene with names of its own; a short one may come again in another."""
    source = NameSource(rng)
    substances = [source.draw(SUBSTANCE) for _ in range(3)]
    factors = [source.draw(FACTOR) for _ in range(5)]
    ailments = [source.draw(AILMENT) for _ in range(3)]
    other = source.draw(FACTOR)
    scene = Scene(strangers=[source.draw(FACTOR) for _ in range(3)])
    facts: dict[tuple[str, str], Fact] = {}

    def tell(relations: tuple[str, str], subject: str, object_: str) -> None:
        facts.setdefault((subject, object_), Fact(rng.choice(relations), subject, object_))

    for substance in substances:
        for factor in rng.sample(factors, 2):
            tell((RAISES, LOWERS), substance, factor)
    for _ in range(5):
        cause, effect = rng.sample(factors, 2)
        if (effect, cause) not in facts:
            tell((RAISES, LOWERS), cause, effect)
    for ailment in ailments:
        for factor in rng.sample(factors, 2):
            tell((HIGH_CAUSES, LOW_CAUSES), factor, ailment)
    renamed = rng.choice(factors)
    pair = rng.sample((renamed, other), 2)
    facts[pair[0], pair[1]] = Fact(ALIAS, pair[0], pair[1])
    if rng.random() < 0.5:
        tell((RAISES, LOWERS), rng.choice(substances), other)
    if rng.random() < 0.5:
        tell((HIGH_CAUSES, LOW_CAUSES), other, rng.choice(ailments))
    scene.facts = list(facts.values())
    names = substances + factors + ailments
    for _ in range(4):
        one, another = rng.sample(names, 2)
        scene.idle.append(Fact(ASIDE, one, another, rng.randrange(8)))
    scene.idle += [Fact(NOTE, rng.choice(names), "", rng.randrange(8)) for _ in range(2)]
    scene.idle += [Fact(FILLER, "", "", rng.randrange(8))]
    for place, a in enumerate(scene.facts):
        for b in scene.facts[:place]:
            found = chain(a, b)
            if found is not None:
                scene.chains.append(found)
    return scene


def any_chain(rng: random.Random, scene: Scene) -> Idea:
    """One of the chains; those that rename something are rarer and harder, so drawn oftener."""
    renaming = [idea for idea in scene.chains if ALIAS in (idea[0].relation, idea[1].relation)]
    if renaming and rng.random() < 0.2:
        return rng.choice(renaming)
    return rng.choice(scene.chains)


def near_name(rng: random.Random, name: str) -> str:
    """A name that differs from this one in one middle."""
    cut = next(i for i in range(2, 4) if name[i : i + 3] in MIDDLES)
    return name[:cut] + rng.choice(MIDDLES) + name[cut + 3 :]


def spoiled(rng: random.Random, scene: Scene) -> tuple[Fact, Fact, Idea]:
    """Two facts that no longer chain, and the idea that would have joined them."""
    first, second, conclusion = any_chain(rng, scene)
    facts = [first, second]
    place = rng.randrange(2)
    fact = facts[place]
    links = [name for name in first.names if name in second.names]
    link = links[0]
    how = rng.random()
    if how < 0.75:  # another factor in place of the link
        swap = rng.choice(scene.strangers) if how < 0.4 else near_name(rng, link)
        subject = swap if fact.subject == link else fact.subject
        object_ = swap if fact.object == link else fact.object
        facts[place] = Fact(fact.relation, subject, object_)
    else:  # the same two names, but nothing said of them
        facts[place] = Fact(ASIDE, fact.subject, fact.object, rng.randrange(8))
    return facts[0], facts[1], (first, second, conclusion)


def unlinked(rng: random.Random, scene: Scene) -> tuple[Fact, Fact]:
    """Two statements that compose to nothing; mostly such that share names."""
    how = rng.random()
    conclusions = [conclusion for _, _, conclusion in scene.chains]
    everything = scene.facts + scene.idle + rng.sample(conclusions, min(4, len(conclusions)))
    for _ in range(50):
        a = rng.choice(everything)
        if how < 0.6:
            pool = [b for b in everything if set(a.names) & set(b.names)]
            b = rng.choice(pool) if pool else rng.choice(everything)
        elif how < 0.7 and a.relation in OPPOSITE:
            b = Fact(rng.choice((a.relation, OPPOSITE[a.relation])), a.subject, a.object)
        else:
            b = rng.choice(everything)
        if chain(a, b) is None:
            return a, b
    first, second, _ = spoiled(rng, scene)
    return first, second


# ---- judging ------------------------------------------------------------------------------

_UTILITY = {RELIEVES: 10, WORSENS: 9, HIGH_CAUSES: 7, LOW_CAUSES: 7, RAISES: 5, LOWERS: 5}
_NOVELTY = {RELIEVES: 9, WORSENS: 9, HIGH_CAUSES: 8, LOW_CAUSES: 8, RAISES: 7, LOWERS: 7}


def scores(idea: Idea, flaw: str | None) -> dict[str, int]:
    """The three scores of an idea. The flaw is None for a right one."""
    first, second, conclusion = idea
    renames = ALIAS in (first.relation, second.relation)
    if flaw == "copied":
        return {"novelty": 1, "coherence": 2, "utility": 1}
    novelty = 4 if renames else _NOVELTY[conclusion.relation]
    if flaw is not None:
        coherence = 1 if flaw == "unlinked" else 2
        return {"novelty": novelty, "coherence": coherence, "utility": 1}
    utility = _UTILITY[conclusion.relation] - (2 if renames else 0)
    return {"novelty": novelty, "coherence": 9 if renames else 10, "utility": utility}


def flipped(fact: Fact) -> Fact:
    return Fact(OPPOSITE[fact.relation], fact.subject, fact.object)


def _misquote(rng: random.Random, first: Fact, second: Fact) -> Idea | None:
    """An idea that chains rightly from premises of which one has the wrong sign."""
    if rng.random() < 0.5 and first.relation in OPPOSITE:
        first = flipped(first)
    elif second.relation in OPPOSITE:
        second = flipped(second)
    elif first.relation in OPPOSITE:
        first = flipped(first)
    conclusion = compose(first, second)
    return None if conclusion is None else (first, second, conclusion)


def judged_idea(rng: random.Random, scene: Scene) -> tuple[tuple[Fact, Fact], Idea, str | None]:
    """Two concepts, an idea about them, and what is wrong with it (None: nothing)."""
    first, second, conclusion = any_chain(rng, scene)
    how = rng.random()
    if how < 0.4:
        return (first, second), (first, second, conclusion), None
    if how < 0.55:
        return (first, second), (first, second, flipped(conclusion)), "flipped"
    if how < 0.65:
        misquoted = _misquote(rng, first, second)
        if misquoted is not None:
            return (first, second), misquoted, "misquoted"
    if how < 0.85:
        a, b, idea = spoiled(rng, scene)
        if chain(a, b) is None:
            return (a, b), idea, "unsupported"
    if how < 0.89:
        return (first, second), (first, second, rng.choice((first, second))), "copied"
    if how < 0.94:
        wrong = rng.choice(scene.chains)[2]
        if wrong != conclusion:
            return (first, second), (first, second, wrong), "elsewhere"
    a, b = unlinked(rng, scene)
    claimed = rng.choice(scene.chains)
    told = [fact for fact in (a, b) if fact.relation not in (ASIDE, NOTE, FILLER)]
    if len(told) == 2:
        return (a, b), (a, b, claimed[2]), "unlinked"
    return (a, b), claimed, "unlinked"
