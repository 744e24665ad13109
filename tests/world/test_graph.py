"""Graphs of facts."""

import graphlib
import itertools
import math
import time
from typing import Any

import pytest

from ddl_train.world.graph import WorldSpec, home_world, make_world
from ddl_train.world.language import ALIAS, LOWERS, RAISES, chain, is_sound
from ddl_train.world.names import AILMENT, ENDINGS, FACTOR, MIDDLES, OPENINGS, kind_of
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


FEW: dict[str, Any] = {"substances": 3, "factors": 4, "ailments": 3}
"""A world that is possible."""


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
        WorldSpec(**(FEW | wrong))


NUM_NAMES = len({*OPENINGS}) * sum(len({*MIDDLES}) ** n for n in (1, 2)) * len(ENDINGS[FACTOR])
"""Of each kind."""


@pytest.mark.parametrize("kind", ["substances", "factors", "ailments"])
def test_more_names_than_can_be_drawn_are_refused_and_half_of_all_can(kind: str) -> None:
    most = NUM_NAMES // 2
    assert getattr(WorldSpec(**(FEW | {kind: most})), kind) == most
    with pytest.raises(ValueError, match=f"{kind}.*: got {most + 1}, expected {most} or fewer"):
        WorldSpec(**(FEW | {kind: most + 1}))


def test_the_second_name_of_a_bridge_counts_as_a_factor_too() -> None:
    most = NUM_NAMES // 2
    with pytest.raises(ValueError, match=f"got {most + 2}, expected {most} or fewer"):
        WorldSpec(substances=3, ailments=3, factors=most - 3, bridges=10, alias_share=0.5)


def test_as_many_names_as_are_allowed_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddl_train.world.names.OPENINGS", OPENINGS[:1])
    monkeypatch.setattr("ddl_train.world.names.MIDDLES", MIDDLES[:3])
    most = 1 * (3 + 3 * 3) * 4 // 2
    with pytest.raises(ValueError, match=f"expected {most} or fewer"):
        WorldSpec(substances=most, factors=most, ailments=most + 1)
    spec = WorldSpec(substances=most, factors=most, ailments=most)
    names = {name for fact in make_world(1, spec).facts for name in fact.names}
    assert len([name for name in names if name.endswith(ENDINGS[AILMENT])]) == most
