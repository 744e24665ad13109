"""The oracle against hand-made worlds, and against composing everything with everything."""

import random

import pytest

from ddl_train.config import WakeConfig
from ddl_train.records import AXES, LIKELIHOODS
from ddl_train.roles.admission import admit
from ddl_train.world.census import composing_pairs
from ddl_train.world.critic import OracleCritic
from ddl_train.world.graph import Placed, WorldSpec, make_world
from ddl_train.world.language import (
    ALIAS,
    CAUSAL,
    DOCUMENT,
    HIGH_CAUSES,
    LOW_CAUSES,
    LOWERS,
    OPPOSITE,
    RAISES,
    RELIEVES,
    WORSENS,
    Fact,
    canonical,
    chain,
    compose,
    document,
    parse,
)
from ddl_train.world.oracle import Oracle
from tests.world.proposals import proposal

S, T = "dolotium", "toremate"
F, G, H, OTHER_F = "kefergen", "volintone", "punimtone", "lufitfantone"
A, B = "raferminemia", "hadostorosis"


def oracle(*facts: Fact, literatures: tuple[int, ...] = ()) -> Oracle:
    homes = literatures or (0,) * len(facts)
    return Oracle([Placed(fact, home) for fact, home in zip(facts, homes, strict=True)])


@pytest.mark.parametrize(
    ("facts", "sentence", "truth", "depth"),
    [
        ([Fact(LOWERS, S, F), Fact(HIGH_CAUSES, F, A)], f"{S} may relieve {A}", "true", 1),
        ([Fact(LOWERS, S, F), Fact(HIGH_CAUSES, F, A)], f"{S} may worsen {A}", "false", 1),
        ([Fact(LOWERS, S, F), Fact(LOW_CAUSES, F, A)], f"{S} may worsen {A}", "true", 1),
        ([Fact(RAISES, S, F), Fact(LOWERS, F, G)], f"{S} lowers {G}", "true", 1),
        ([Fact(LOWERS, S, F), Fact(LOWERS, F, G)], f"{S} raises {G}", "true", 1),
        ([Fact(RAISES, F, G), Fact(LOW_CAUSES, G, A)], f"low {F} causes {A}", "true", 1),
        ([Fact(RAISES, S, F)], f"{S} raises {F}", "already_stated", 0),
        ([Fact(RAISES, S, F)], f"more {S} means more {F}", "already_stated", 0),
        ([Fact(RAISES, S, F)], f"{S} lowers {F}", "false", 0),
        ([Fact(RAISES, S, F)], f"{S} raises {G}", "unsupported", None),
        ([Fact(RAISES, S, F)], f"{S} rises {F}", "unreadable", None),
        ([Fact(RAISES, S, F)], f"{F} raises {F}", "unreadable", None),
        ([Fact(ALIAS, F, OTHER_F)], f"{OTHER_F} is also called {F}", "already_stated", 0),
        ([Fact(ALIAS, F, OTHER_F)], f"{F} raises {OTHER_F}", "unsupported", None),
        # an alias renames the object before it, and the subject after it
        ([Fact(RAISES, S, F), Fact(ALIAS, F, OTHER_F)], f"{S} raises {OTHER_F}", "true", 1),
        ([Fact(RAISES, S, F), Fact(ALIAS, OTHER_F, F)], f"{S} raises {OTHER_F}", "true", 1),
        ([Fact(ALIAS, OTHER_F, F), Fact(RAISES, F, G)], f"{OTHER_F} raises {G}", "true", 1),
        # two facts that only the alias joins: three statements, two rounds
        (
            [Fact(RAISES, S, F), Fact(ALIAS, F, OTHER_F), Fact(HIGH_CAUSES, OTHER_F, A)],
            f"{S} may worsen {A}",
            "true",
            2,
        ),
        # four facts in a row need two rounds, because both halves compose first
        (
            [Fact(LOWERS, S, F), Fact(LOWERS, F, G), Fact(LOWERS, G, H), Fact(HIGH_CAUSES, H, A)],
            f"{S} may relieve {A}",
            "true",
            2,
        ),
        # two chains that disagree, and what lies behind them
        (
            [Fact(RAISES, S, F), Fact(RAISES, F, G), Fact(LOWERS, S, H), Fact(RAISES, H, G)],
            f"{S} raises {G}",
            "contested",
            1,
        ),
        (
            [
                Fact(RAISES, S, F),
                Fact(RAISES, F, G),
                Fact(LOWERS, S, H),
                Fact(RAISES, H, G),
                Fact(HIGH_CAUSES, G, A),
            ],
            f"{S} may worsen {A}",
            "contested",
            2,
        ),
        # two chains that agree are no contest
        (
            [Fact(RAISES, S, F), Fact(RAISES, F, G), Fact(LOWERS, S, H), Fact(LOWERS, H, G)],
            f"{S} raises {G}",
            "true",
            1,
        ),
        # a stated fact that a chain speaks against
        ([Fact(LOWERS, S, G), Fact(RAISES, S, F), Fact(RAISES, F, G)], f"{S} lowers {G}", "contested", 0),
    ],
)  # fmt: skip
def test_the_oracle_judges_sentences(
    facts: list[Fact], sentence: str, truth: str, depth: int | None
) -> None:
    judged = oracle(*facts).judge(sentence)
    assert (judged.truth, judged.depth) == (truth, depth)


def test_an_insight_is_across_when_its_chain_needs_two_literatures() -> None:
    facts = [Fact(LOWERS, S, F), Fact(HIGH_CAUSES, F, A), Fact(HIGH_CAUSES, F, B)]
    told = oracle(*facts, literatures=(0, 0, 1))
    found = {c.fact.object: c.is_across for c in told.closure()}
    assert found == {A: False, B: True}
    assert told.judge(f"{S} may relieve {B}").is_across is True


def test_derivations_name_every_pair_that_yields_an_insight() -> None:
    facts = [Fact(LOWERS, S, F), Fact(LOWERS, F, G), Fact(HIGH_CAUSES, G, A)]
    ways = oracle(*facts, literatures=(0, 0, 1)).derivations(Fact(WORSENS, S, A))
    assert {(canonical(w.first), canonical(w.second), w.depth, w.is_across) for w in ways} == {
        (f"{S} lowers {F}", f"low {F} causes {A}", 2, True),
        (f"{S} raises {G}", f"high {G} causes {A}", 2, True),
    }


def _everything(facts: set[Fact], rounds: int) -> dict[Fact, int]:
    """Compose all with all, round after round: the definition that the oracle must agree with."""
    depths = dict.fromkeys(facts, 0)
    for depth in range(1, rounds + 1):
        known = list(depths)
        for first in known:
            for second in known:
                found = compose(first, second)
                if found is not None:
                    depths.setdefault(found, depth)
    return depths


@pytest.mark.parametrize("seed", range(6))
def test_the_closure_is_what_composing_everything_yields(seed: int) -> None:
    spec = WorldSpec(
        substances=8, factors=8, ailments=6, literatures=2, bridges=3, asides=4, notes=2
    )
    world = make_world(seed, spec)
    facts = {fact for fact in world.facts if fact.composes}
    depths = _everything(facts, 3)
    knows = Oracle.of(world)
    sure = {
        fact: depth
        for fact, depth in depths.items()
        if depth > 0
        and knows.judge_fact(fact).truth != "contested"
        and not knows.are_one(fact.subject, fact.object)
    }
    found = {c.fact: c.depth for c in knows.closure(max_depth=3)}
    assert found == sure
    assert len(found) > 20
    for fact in depths:
        is_disputed = fact.relation in CAUSAL and _flip(fact) in depths
        is_disputed &= not knows.are_one(fact.subject, fact.object)
        assert not is_disputed or knows.judge_fact(fact).truth == "contested"
    for fact in found:
        assert knows.judge_fact(_flip(fact)).truth == "false"
        assert all(compose(way.first, way.second) == fact for way in knows.derivations(fact))
        assert knows.derivations(fact)


def _flip(fact: Fact) -> Fact:
    return Fact(OPPOSITE[fact.relation], fact.subject, fact.object)


def test_composing_pairs_are_those_that_chain() -> None:
    world = make_world(3, WorldSpec(substances=9, factors=8, ailments=7, literatures=2, bridges=2))
    facts = sorted(set(world.facts), key=str)
    slow = {
        frozenset((a, b))
        for place, a in enumerate(facts)
        for b in facts[:place]
        if chain(a, b) is not None
    }
    assert {frozenset((a, b)) for a, b, _ in composing_pairs(facts)} == slow


def test_every_wording_is_read_back_and_judged_alike() -> None:
    rng = random.Random(0)
    world = make_world(5, WorldSpec(substances=6, factors=6, ailments=6, literatures=2, bridges=2))
    knows = Oracle.of(world)
    for fact in world.facts:
        wordings = [document(fact, number) for number in range(len(DOCUMENT[fact.relation]))]
        rng.shuffle(wordings)
        for sentence in (canonical(fact), *wordings, f"{wordings[0]}."):
            assert parse(sentence) == fact
            assert knows.judge(sentence).truth in ("already_stated", "contested")


@pytest.mark.parametrize(
    ("conclusion", "passes"),
    [
        (f"{S} may relieve {A}", True),
        (f"{S} may worsen {A}", False),
        (f"{S} lowers {F}", False),
        (f"{S} may relieve {B}", False),
        ("nothing of the kind", False),
    ],
)
def test_the_oracle_critic_lets_only_what_is_true_pass(conclusion: str, passes: bool) -> None:
    critic = OracleCritic(oracle(Fact(LOWERS, S, F), Fact(HIGH_CAUSES, F, A)))
    (scores,), usage = critic.score([proposal(conclusion)])
    assert scores is not None
    assert usage.num_tokens == 0
    everything = {f"min_{axis}": 6 for axis in AXES} | {f"min_{name}": 0.9 for name in LIKELIHOODS}
    assert (admit(scores, WakeConfig.model_validate(everything)) is None) is passes
    (why,), _ = critic.explain([proposal(conclusion)])
    assert (why == f"follows from: {S} lowers {F}; high {F} causes {A}") is passes


def test_relieves_is_judged_against_worsens() -> None:
    knows = oracle(Fact(RAISES, T, F), Fact(HIGH_CAUSES, F, A))
    assert knows.holds(Fact(WORSENS, T, A))
    assert not knows.is_open(Fact(RELIEVES, T, A))
