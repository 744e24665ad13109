"""A world in numbers: how many facts, how many pairs compose, and what there is to find."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ddl_train.world.graph import World
from ddl_train.world.language import Fact, chain
from ddl_train.world.oracle import Oracle


@dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """What a world holds. Pairs are of stated facts; documents that repeat a fact add none."""

    num_facts: int
    """Facts that can take part in a chain; aliases among them."""
    num_concepts: int
    """All that is stated: facts, asides, notes and fillers."""
    num_pairs: int
    num_composing: int
    """Pairs that compose to something, true or not."""
    num_true: dict[int, int]
    """True conclusions that nothing states, by lineage depth."""
    num_across: dict[int, int]
    """Those among them that need more than one literature."""


def take_census(world: World, *, max_depth: int = 3) -> Census:
    """Count everything; meant for worlds of up to some ten thousand facts."""
    oracle = Oracle.of(world)
    closure = oracle.closure(max_depth=max_depth)
    by_depth = Counter(conclusion.depth for conclusion in closure)
    across = Counter(conclusion.depth for conclusion in closure if conclusion.is_across)
    num_concepts = len(oracle.stated)
    return Census(
        num_facts=sum(fact.composes for fact in oracle.stated),
        num_concepts=num_concepts,
        num_pairs=num_concepts * (num_concepts - 1) // 2,
        num_composing=len(composing_pairs(oracle.stated)),
        num_true=dict(sorted(by_depth.items())),
        num_across=dict(sorted(across.items())),
    )


def composing_pairs(facts: Iterable[Fact]) -> list[tuple[Fact, Fact, Fact]]:
    """Pairs that compose, in the order they chain, each with its conclusion, true or not."""
    by_name: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.composes:
            for name in fact.names:
                by_name[name].append(fact)
    pairs: dict[frozenset[Fact], tuple[Fact, Fact, Fact]] = {}
    for sharing in by_name.values():
        for place, a in enumerate(sharing):
            for b in sharing[:place]:
                key = frozenset((a, b))
                found = chain(b, a) if key not in pairs else None
                if found is not None:
                    pairs[key] = found
    return list(pairs.values())
