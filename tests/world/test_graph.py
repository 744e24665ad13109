"""Graphs of facts."""

import graphlib
import itertools
import math
import time
from typing import Any

import pytest

from ddl_train.world.graph import WorldSpec, home_world, make_world
from ddl_train.world.language import ALIAS, LOWERS, RAISES, chain, is_sound
from ddl_train.world.names import kind_of
from ddl_train.world.presets import load_preset

SPEC = WorldSpec(
    substances=30, factors=24, ailments=20, literatures=3, bridges=6, asides=9, notes=6, fillers=3
)


def test_one_seed_gives_one_world() -> None:
    assert make_world(5, SPEC) == make_world(5, SPEC)
    assert make_world(5, SPEC) != make_world(6, SPEC)


def test_facts_are_sound_and_told_once() -> None:
    facts = make_world(5, SPEC).facts
    assert all(is_sound(fact) for fact in facts)
    pairs = [frozenset(fact.names) for fact in facts if fact.composes]
    assert len(pairs) == len(set(pairs))


def test_half_of_the_bridges_bear_another_name_that_is_stated() -> None:
    world = make_world(5, SPEC)
    stated = {frozenset(fact.names) for fact in world.facts if fact.relation == ALIAS}
    renamed = {frozenset((b.name, b.other_name)) for b in world.bridges if b.name != b.other_name}
    assert len(world.bridges) == 6
    assert len(renamed) == 3
    assert renamed == stated


def test_literatures_share_only_bridges() -> None:
    world = make_world(5, SPEC)
    told: dict[int, set[str]] = {}
    for placed in world.placed:
        if placed.fact.relation != ALIAS:
            told.setdefault(placed.literature, set()).update(placed.fact.names)
    bridging = {name for bridge in world.bridges for name in (bridge.name, bridge.other_name)}
    for one, other in itertools.combinations(told.values(), 2):
        assert one & other <= bridging


@pytest.mark.parametrize("preset", ["small", "standard"])
def test_no_factor_acts_on_itself_through_others_whatever_their_names(preset: str) -> None:
    spec = load_preset(preset).world
    for seed in range(40):
        world = make_world(seed, spec)
        true_names = {bridge.other_name: bridge.name for bridge in world.bridges}
        causes: dict[str, set[str]] = {}
        for fact in world.facts:
            if fact.relation in (RAISES, LOWERS):
                cause, effect = (true_names.get(name, name) for name in fact.names)
                causes.setdefault(effect, set()).add(cause)
        graphlib.TopologicalSorter(causes).prepare()  # raises CycleError at a ring


def test_a_few_pairs_in_a_hundred_compose() -> None:
    facts = home_world().facts
    pairs = list(itertools.combinations(facts, 2))
    share = sum(chain(a, b) is not None for a, b in pairs) / len(pairs)
    assert 0.01 < share < 0.04


def test_names_of_another_world_can_be_kept_out() -> None:
    taken = frozenset(name for fact in make_world(5, SPEC).facts for name in fact.names)
    other = make_world(5, SPEC, taken=taken)
    assert not taken & {name for fact in other.facts for name in fact.names}
    assert all(kind_of(name) for fact in other.facts for name in fact.names)


def test_growth_is_linear_in_the_size() -> None:
    started = time.monotonic()
    large = WorldSpec(
        substances=20_000, factors=8_000, ailments=15_000, literatures=50, bridges=500
    )
    assert len(make_world(1, large).placed) > 50_000
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"factors": 0},
        {"factors": 2, "literatures": 3},
        {"skew": 0},
        {"skew": math.nan},
        {"substance_degree": math.nan},
        {"alias_share": -5},
        {"asides": -5},
        {"substance_degree": 1.0e9},
        {"ailment_degree": math.inf},
        {"substances": 1, "ailments": 1, "literatures": 3, "asides": 5},
    ],
)
def test_an_impossible_world_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        WorldSpec(**({"substances": 3, "factors": 3, "ailments": 3} | wrong))
