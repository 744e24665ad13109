"""The exam asks what the oracle knows, in questions whose wrong answers are wrong."""

import random
from collections import Counter
from functools import cache

import pytest

from ddl_train.bench.exam import Item, set_exam, set_upkeep, true_facts
from ddl_train.world.documents import grow
from ddl_train.world.graph import Placed
from ddl_train.world.home import Home
from ddl_train.world.language import HIGH_CAUSES, LOWERS, Fact, canonical, parse, skeleton
from ddl_train.world.names import kind_of
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import load_preset
from ddl_train.world.probes import right_answers
from ddl_train.world.questions import PROBE_SKELETONS, UNHEARD_SKELETONS
from ddl_train.world.upbringing import retention_probes, skill_probes
from tests.fakes import an_insight

PRESET = load_preset("standard")
S, F, A = "dolotium", "kefergen", "raferminemia"


@cache
def oracle() -> Oracle:
    return Oracle.of(grow(11, PRESET.world))


@cache
def exam() -> list[Item]:
    rng = random.Random(1)
    found = [
        one for name in oracle().subjects for one in oracle().conclusions_from(name, max_depth=2)
    ]
    dreamt = rng.sample([one.fact for one in found], 130)
    return set_exam(
        {fact: n // 20 for n, fact in enumerate(dreamt)}, oracle(), num_distractors=4, seed=1
    )


def of(group: str) -> list[Item]:
    return [item for item in exam() if item.group == group]


def test_only_what_is_true_is_asked_and_counts_from_its_first_cycle() -> None:
    world = Oracle([Placed(Fact(LOWERS, S, F), 0), Placed(Fact(HIGH_CAUSES, F, A), 0)])
    chain = f"{S} lowers {F} and high {F} causes {A}"
    true, false = f"{chain}, so {S} may relieve {A}", f"{chain}, so {S} may worsen {A}"
    insights = [
        an_insight(1, false, cycle=0),
        an_insight(2, true, cycle=3),
        an_insight(3, true, cycle=1),
        an_insight(4, "what is this?", cycle=1),
    ]
    assert list(true_facts(insights, world).values()) == [1]


def test_most_insights_are_asked_both_ways_and_all_with_their_sign_flipped() -> None:
    for group in ("flip", "unheard/flip/named", "unheard/flip/not named"):
        assert len(of(group)) == 130
    assert {item.cycle for item in exam()} == set(range(7))
    for way in ("forward", "reverse"):
        assert len(of(f"uptake/{way}")) > 100


def test_no_wrong_answer_is_right_and_all_are_of_the_kind_of_the_right_one() -> None:
    for way in ("forward", "reverse"):
        for item in of(f"uptake/{way}"):
            fact = parse(item.about)
            assert fact is not None
            right = right_answers(fact, way, oracle())
            assert len(set(item.probe.choices)) == 4
            assert not set(item.probe.choices) & set(right or item.probe.answers)
            names = [answer.split()[-1] for answer in (*item.probe.answers, *item.probe.choices)]
            assert len({kind_of(name) for name in names}) == 1, item


def test_it_is_asked_in_the_wordings_of_probes_and_in_some_that_were_never_used() -> None:
    for item in exam():
        wordings = UNHEARD_SKELETONS if item.group.startswith("unheard/") else PROBE_SKELETONS
        assert skeleton(item.probe.prompt)[0] in wordings


def test_uptake_in_unheard_wordings_is_of_the_same_insights_among_the_same_answers() -> None:
    for way in ("forward", "reverse"):
        known, unheard = of(f"uptake/{way}"), of(f"unheard/{way}")
        for one, other in zip(known, unheard, strict=True):
            assert (one.about, one.cycle) == (other.about, other.cycle)
            assert one.probe.answers == other.probe.answers
            assert one.probe.choices == other.probe.choices


def test_home_is_asked_in_unheard_wordings_among_the_same_answers_too() -> None:
    upkeep = set_upkeep(PRESET.probes, 1)
    home = [item for item in upkeep if item.group.startswith("home/")]
    unheard = [item for item in upkeep if item.group.startswith("unheard/home/")]
    known = {(item.about, item.probe.kind): item.probe.choices for item in home}
    assert len(unheard) > 0.9 * len(home)  # all but names of one thing
    for item in unheard:
        assert skeleton(item.probe.prompt)[0] in UNHEARD_SKELETONS
        assert known[item.about, item.probe.kind] == item.probe.choices


def test_uptake_comes_first_which_alone_is_asked_with_what_memory_holds() -> None:
    are_uptake = [item.group.startswith("uptake/") for item in exam()]
    assert are_uptake == sorted(are_uptake, reverse=True)


def test_an_unheard_flip_names_both_sides_or_none() -> None:
    sides = [{"raise", "lower"}, {"relieve", "worsen"}, {"high", "low"}]
    for group, num_named in (("named", 2), ("not named", 0)):
        for item in of(f"unheard/flip/{group}"):
            words = set(item.probe.prompt.rstrip("?").split())
            assert max(len(words & both) for both in sides) == num_named
            assert sum(len(words & both) for both in sides) == num_named


def test_who_knows_only_which_answers_are_frequent_stays_near_chance() -> None:
    asked = [*of("uptake/forward"), *of("uptake/reverse")]
    often = Counter((item.group, item.probe.answers[0]) for item in asked)
    won = 0.0
    for item in asked:
        counts = [often[item.group, one] for one in (*item.probe.answers, *item.probe.choices)]
        won += (counts[0] == max(counts)) / counts.count(max(counts))
    assert won / len(asked) < 0.3  # chance is 0.2


def test_home_is_asked_in_the_proportion_of_its_parts_and_skill_in_scenes_of_its_own() -> None:
    upkeep = set_upkeep(PRESET.probes, 1)
    sizes = Counter(item.group for item in upkeep)
    assert sizes["home/replayed"] == pytest.approx(3 * sizes["home/never replayed"], abs=2)
    assert sizes["home/never replayed"] > 100
    home = {canonical(fact): fact for fact in Home().statements}
    assert all(item.about in home for item in upkeep if item.group != "skill")
    gate = {probe.prompt for seed in range(1, 40) for probe in skill_probes(PRESET.probes, seed)}
    assert not gate & {item.probe.prompt for item in upkeep if item.group == "skill"}


def test_home_is_asked_in_no_question_that_the_gate_may_ask() -> None:
    gate = {
        probe.prompt
        for is_replayed in (True, False)
        for probe in retention_probes(PRESET.probes, 5_021, is_replayed=is_replayed)
    }
    asked = {item.probe.prompt for item in set_upkeep(PRESET.probes, 21, but_not=gate)}
    assert gate & {item.probe.prompt for item in set_upkeep(PRESET.probes, 21)}
    assert not gate & asked
