"""What the world bench counts, on records made by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ddl_train.bench.arms import ARMS, find_arms
from ddl_train.bench.discovery import measure_discovery
from ddl_train.bench.goals import FIRST_SEED, SHOWN, check_goals
from ddl_train.bench.learning import Change
from ddl_train.bench.measures_awake import awake_gain
from ddl_train.bench.placebo import shuffle_answers
from ddl_train.bench.tables import figure, write_tables
from ddl_train.config import load_config
from ddl_train.errors import ConfigError
from ddl_train.records import (
    BASE,
    Concept,
    Insight,
    JsonObject,
    Scores,
    StudyItem,
    Verdict,
)
from ddl_train.world.graph import Placed
from ddl_train.world.language import HIGH_CAUSES, LOWERS, Fact
from ddl_train.world.oracle import Oracle
from tests.world.cells import DISCOVERY, an_exam, cell
from tests.world.proposals import proposal

S, F, A, B = "dolotium", "kefergen", "raferminemia", "hadostorosis"
ORACLE = Oracle(
    [
        Placed(Fact(LOWERS, S, F), 0),
        Placed(Fact(HIGH_CAUSES, F, A), 0),
        Placed(Fact(HIGH_CAUSES, F, B), 1),
    ]
)
SCORES = Scores(novelty=9, coherence=9, utility=9)
CONCEPTS = {
    1: ("document", f"{S} pushes {F} down."),
    2: ("document", f"high {F} causes {A}"),
    3: ("insight", f"{S} may relieve {A}"),
}


def concept(number: int) -> Concept:
    kind, text = CONCEPTS[number]
    return Concept(
        concept_id=number,
        text=text,
        kind="document" if kind == "document" else "insight",
        source="a.md",
        position=0,
        sha256=str(number),
    )


def verdict(conclusion: str, *, a: int = 1, b: int = 2, is_none: bool = False) -> Verdict:
    made = proposal(conclusion, is_none=is_none)
    pair = replace(made.pair, a=concept(a), b=concept(b))
    return Verdict(proposal=replace(made, pair=pair), scores=SCORES)


def insight(number: int, conclusion: str, cycle: int, parents: tuple[int, int] = (1, 2)) -> Insight:
    return Insight(
        insight_id=number,
        concept_id=100 + number,
        text=conclusion,
        reasoning="",
        conclusion=conclusion,
        parents=parents,
        depth=1,
        cycle=cycle,
        adapter=BASE,
        scores=SCORES,
        rationale=None,
        parent_texts=("", ""),
    )


def test_discovery_counts_what_is_true_and_what_could_have_been_found() -> None:
    verdicts = {
        0: [verdict(f"{S} may relieve {A}"), verdict("", is_none=True), verdict(f"{S} may worsen {A}")],
        1: [verdict(f"{S} may relieve {A}", a=1, b=1)],
    }  # fmt: skip
    insights = [
        insight(1, f"{S} may relieve {A}", 0),
        insight(2, f"{S} may worsen {B}", 0),
        insight(3, f"{S} may relieve {B}", 1, parents=(3, 2)),
        insight(4, f"{S} helped against {A}", 1),
    ]
    first, second = measure_discovery(
        lambda cycle: verdicts[cycle], insights, concept, ORACLE, num_cycles=2
    )
    assert (first.num_pairs, first.num_opportunities, first.num_taken) == (3, 3, 1)
    assert (first.num_opportunities_across, first.num_taken_across) == (0, 0)
    assert first.proposed == {"true": 1, "false": 1}
    assert first.admitted == {"true": 1, "false": 1}
    assert (second.num_opportunities, second.num_taken) == (0, 0)
    assert second.admitted == {"true": 2}
    assert first.by_lineage == {"1": {"true": 1, "false": 1}}
    assert second.new_by_depth == {"1": 1}  # the fourth says again what the first said
    assert second.num_resting == 1


def test_a_chance_that_needs_two_literatures_is_counted_apart() -> None:
    across = verdict(f"{S} may relieve {B}")
    pair = replace(across.proposal.pair, b=replace(concept(2), text=f"high {F} causes {B}"))
    across = replace(across, proposal=replace(across.proposal, pair=pair))
    [found] = measure_discovery(
        lambda _: [across, verdict(f"{S} may relieve {A}")], [], concept, ORACLE, num_cycles=1
    )
    assert (found.num_opportunities, found.num_taken) == (2, 2)
    assert (found.num_opportunities_across, found.num_taken_across) == (1, 1)


def table(cells: Sequence[JsonObject], title: str) -> list[str]:
    """Lines of one of the tables: header, rule, and an arm each."""
    text = write_tables(cells).split(f"## {title}")[1].split("##")[0]
    return [line for line in text.split("\n") if line.startswith("|")]


def test_what_is_believed_of_flipped_insights_counts_every_true_one() -> None:
    assert "| 0.100 [0.018, 0.404] n=10 s=1 |" in write_tables([cell()])


def test_what_is_asked_in_wordings_never_heard_has_columns_of_its_own() -> None:
    lived = cell()
    exam = lived["exam"]
    right = {  # of ten: whoever is in use, the base, the base when told
        "flip/named": (1, 5, 2),
        "flip/not named": (3, 4, 0),
        "forward": (6, 2, 9),
        "reverse": (7, 1, 8),
        "home/forward": (4, 6, 0),
        "home/reverse": (5, 8, 0),
    }
    for group, numbers in right.items():
        exam["items"] += [[f"unheard/{group}", f"{group} {n}", 0] for n in range(10)]
        for who in exam["answers"]:
            number = numbers[{"base": 1, "told": 2}.get(who, 0)]
            exam["answers"][who] += "1" * number + "0" * (10 - number)
    expected = {
        "What the nights taught": {
            "uptake forward": "0.900",
            "believes flipped insights": "0.100",
            "forward in wordings never heard": "0.600",
            "home forward so, of the base": "0.600",
            "reverse in wordings never heard": "0.700",
            "home reverse so, of the base": "0.800",
            "believes flips in wordings never heard": "0.200",
            "where both sides are named": "0.100",
            "where none is": "0.300",
        },
        "What they cost": {"home in wordings never heard, less than base": "0.250"},
        "Instead of nights": {
            "told forward in wordings never heard": "0.900",
            "told reverse in wordings never heard": "0.800",
            "told, believes the flip in wordings never heard": "0.100",
        },
    }
    for title, columns in expected.items():
        header, _, row = table([lived], title)
        names, values = (line.strip("| ").split(" | ") for line in (header, row))
        shown = dict(zip(names, values, strict=True))
        assert {name: shown[name].split()[0] for name in columns} == columns


def test_what_is_shown_beside_the_goals_decides_nothing() -> None:
    goals = {goal.name: goal for goal in check_goals(five_worlds())}
    assert goals["uptake forward as a share of the ceiling"].applies
    for name in (*SHOWN, "forward in wordings never heard", "believes decoys"):
        assert not goals[name].applies


def test_precision_is_told_apart_by_what_an_insight_rests_on_and_strictly() -> None:
    mixed = DISCOVERY | {
        "proposed": {"true": 8, "false": 2, "contested": 3, "already_stated": 5},
        "admitted": {"true": 6, "false": 1, "contested": 3},
        "by_lineage": {"1": {"true": 4, "contested": 3}, "2": {"true": 2, "false": 1}},
    }
    header, _, row = table([cell(discovery=[mixed])], "Discovery")
    shown = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert shown["precision, contested aside"].startswith("0.857")
    assert shown["precision, contested as wrong"].startswith("0.600")
    assert shown["precision of what was proposed"].startswith("0.800")
    assert shown["true proposals refused"].startswith("0.250")
    assert shown["precision on documents"].startswith("1.000")
    assert shown["on insights"].startswith("0.667")


def test_who_kept_no_night_has_lost_nothing_that_could_be_measured() -> None:
    shares = {"retention/all": [9, 10]}
    asked = {"cycle": 0, "adapter": "x", "base": shares, "in_use": shares, "kl": None}
    kept, refused = (cell(exam=an_exam([who]), suites=[asked]) for who in ("x", "base"))
    for lived, is_measured in ((kept, True), (refused, False)):
        header, _, row = table([lived], "What they cost")
        shown = dict(zip(header.split(" | "), row.split(" | "), strict=True))
        for name in ("home in the gate's suite, less than base", "skill, less than base"):
            assert (shown[name] != "-") is is_measured


def test_a_change_of_one_world_has_the_interval_of_its_error() -> None:
    assert str(figure([Change(0.1, 0.02, 40)])) == "0.100 [0.061, 0.139] n=40 s=1"
    two = figure([Change(0.1, 0.02, 40), Change(0.3, 0.02, 20)])
    assert two.value == pytest.approx(0.2)
    assert two.num_items == 60
    assert str(figure([Change(0.0, math.inf, 1)])) == "0.000 n=1 s=1"  # one thing says nothing


def test_worlds_that_agree_have_the_interval_of_their_items() -> None:
    assert str(figure([(10, 10)] * 3)) == "1.000 [0.886, 1.000]* n=30 s=3"
    assert figure([(7, 10)] * 3).low < 0.6
    assert str(figure([Change(0.0, 0.03, 40)] * 3)) == "0.000 [-0.034, 0.034]* n=120 s=3"


def test_a_goal_is_not_met_by_leaving_a_world_out() -> None:
    silent = cell(seed=FIRST_SEED + 5, exam=an_exam(["base"], uptake=[]), **FULL)
    found = {goal.name: goal.value for goal in check_goals([*five_worlds(), silent])}
    assert found["uptake forward as a share of the ceiling"] is None


def test_waking_is_compared_on_the_same_pairs_over_all_nights() -> None:
    hits = {"base": "1100", "x": "1010", "y": "1110"}
    paired = {"num_pairs": 8, "hits": hits, "untrue": {"base": 1, "x": 1, "y": 2}}
    lived = cell(exam=an_exam(["x", "y"]), paired_waking=paired)
    gain = awake_gain(lived)
    assert gain is not None
    assert gain.value == pytest.approx((0 - 0.5 + 1 + 0) / 4)


def test_shares_are_pooled_over_few_seeds_and_averaged_over_many() -> None:
    few = figure([(9, 10), (1, 10)])
    assert (few.value, few.num_items, few.num_seeds, few.is_over_items) == (0.5, 20, 2, True)
    assert few.low < 0.5 < few.high
    many = figure([(9, 10), (10, 10), (8, 10), None])
    assert many.value == pytest.approx(0.9)
    assert (many.num_items, many.num_seeds, many.is_over_items) == (30, 3, False)
    assert math.isnan(figure([None, (0, 0)]).value)
    assert math.isnan(figure([1.5]).low)


def study_item(number: int, kind: str) -> StudyItem:
    return StudyItem(insight_id=number, kind=kind, question=f"q{number}?", answer=f"a{number}")


def test_a_placebo_keeps_questions_and_answers_but_no_pair_of_them() -> None:
    items = [study_item(n, kind) for kind in ("forward", "reverse") for n in range(5)]
    shuffled = shuffle_answers(items)
    assert [one.question for one in shuffled] == [one.question for one in items]
    assert sorted(one.answer for one in shuffled) == sorted(one.answer for one in items)
    assert all(new.answer != old.answer for new, old in zip(shuffled, items, strict=True))
    assert shuffle_answers(items) == shuffled
    assert shuffle_answers(items[:1]) == items[:1]


def test_a_placebo_never_answers_with_another_item_of_the_same_insight() -> None:
    items = [
        replace(study_item(n, "forward"), question=f"{wording} {n}?")
        for n in range(4)
        for wording in ("what of", "which of", "name one of")[: 1 + n % 3]
    ]
    answers = [item.answer for item in shuffle_answers(items)]
    assert all(new != old.answer for new, old in zip(answers, items, strict=True))
    assert sorted(answers) == sorted(item.answer for item in items)


def test_every_arm_is_a_config_that_loads() -> None:
    assert len({arm.name for arm in ARMS}) == len(ARMS)
    for arm in find_arms(["all"]):
        load_config("configs/quickstart.yaml", list(arm.overrides))
    assert [arm.name for arm in find_arms(["bare", "first"])][:2] == ["bare", "default"]
    with pytest.raises(ConfigError, match="no arm 'best'"):
        find_arms(["best"])


def test_tables_show_n_and_an_interval() -> None:
    text = write_tables([cell()])
    row = next(line for line in text.split("\n") if line.startswith("| default"))
    columns = [column.strip() for column in row.strip("|").split("|")]
    assert columns[3].startswith("1.000 [")
    assert columns[3].endswith("n=4 s=1")
    assert "| 100 s=1 | 4 s=1 |" in row
    assert "0.900 [0.596, 0.982] n=10 s=1" in text


def test_a_share_over_seeds_has_an_interval_that_ends_at_one() -> None:
    over = figure([(10, 10), (10, 10), (9, 10)])
    assert over.low < over.value < over.high == 1.0


def flips(arm: str, seed: int, believed: int) -> JsonObject:
    return cell(arm=arm, seed=seed, exam=an_exam(["x"], num_believed=believed))


def test_arms_are_held_against_the_default_world_by_world() -> None:
    cells = [
        flips("default", seed, believed) for seed, believed in ((1, 1), (2, 4), (3, 7), (4, 9))
    ]
    cells += [flips("merged", seed, believed) for seed, believed in ((1, 2), (2, 5), (3, 8))]
    beside = write_tables(cells).split("## Less the default on the same worlds")[1]
    row = next(line for line in beside.split("\n") if line.startswith("| merged"))
    assert "| 0.100 [-] s=3 |" in row  # worlds differ by 0.6, arms by 0.1 on each
    assert "| default" not in beside


def test_a_promoted_placebo_or_a_leak_misses_a_goal_on_every_preset() -> None:
    assert all(goal.is_met for goal in check_goals([cell()]))
    assert not all(goal.is_met for goal in check_goals([cell(arm="placebo")]))
    unasked = check_goals([cell(arm="placebo", nights=[])])
    assert not all(goal.is_met for goal in unasked)
    assert not all(goal.is_met for goal in check_goals([cell(leaks=["row 3 joins"])]))


FULL: dict[str, Any] = {"preset": "standard", "num_cycles": 8}
REFUSED = {"promoted": False, "tokens": 1, "seconds": 1.0}


def five_worlds(**changes: Any) -> list[JsonObject]:
    return [cell(seed=seed, **FULL, **changes) for seed in range(FIRST_SEED, FIRST_SEED + 5)]


def missed(cells: Sequence[JsonObject]) -> list[str]:
    return [goal.name for goal in check_goals(cells) if not goal.is_met]


def test_placebos_are_refused_often_enough_by_a_gate_that_lets_something_pass() -> None:
    for num_nights, is_met in ((3, False), (4, True)):
        placebo = five_worlds(arm="placebo", nights=[REFUSED] * num_nights)
        name = f"placebo nights promoted, of {5 * num_nights}"
        assert (name not in missed([*placebo, *five_worlds()])) is is_met
        assert name in missed([*placebo, *five_worlds(nights=[REFUSED])])


def test_a_few_placebos_of_the_full_preset_decide_nothing_unless_one_is_promoted() -> None:
    few = cell(arm="placebo", seed=FIRST_SEED, nights=[REFUSED], **FULL)
    assert not missed([few])
    assert missed([few | {"nights": [REFUSED | {"promoted": True}]}])


def test_the_default_arm_is_held_to_its_goals_on_five_worlds_that_are_kept_for_reports() -> None:
    found = missed(five_worlds())
    assert "backward transfer" in found  # not measured is not met
    assert "precision, contested aside" not in found
    assert "uptake forward as a share of the ceiling" not in found
    assert not missed([cell(seed=seed, **FULL) for seed in range(1, 6)])
    assert not missed(five_worlds()[:4])
    assert missed([cell(seed=12, **FULL), *five_worlds()]) == found


def test_what_is_contested_is_shown_as_wrong_and_decides_nothing() -> None:
    contested = DISCOVERY | {"admitted": {"true": 4, "contested": 4}}
    [strict] = [
        goal
        for goal in check_goals(five_worlds(discovery=[contested]))
        if goal.name == "precision, contested as wrong"
    ]
    assert (strict.value, strict.applies) == (0.5, False)


def test_home_is_held_to_its_goal_by_the_exam_and_by_what_the_gate_asks() -> None:
    asked = {"base": {"retention/all": [10, 10], "retention/direction": [5, 5]}}
    asked |= {"in_use": {"retention/all": [9, 10], "retention/direction": [4, 5]}}
    lived = [{"cycle": 0, "adapter": "x", "kl": 0.5, **asked}]
    goals = {goal.name: goal for goal in check_goals(five_worlds(suites=lived))}
    gate, signs = (
        goals["home in the gate's suite, less than base"],
        goals["signs in it, less than base"],
    )
    assert gate.value == pytest.approx(0.1)
    assert gate.applies and not gate.is_met
    assert signs.value == pytest.approx(0.2)
    assert not signs.applies
    assert not goals["home, less than base"].is_met
    unasked = {goal.name: goal for goal in check_goals(five_worlds())}
    assert unasked["home in the gate's suite, less than base"].value is None


def test_decoys_that_are_said_decide_and_those_that_are_chosen_of_five_are_shown() -> None:
    goals = {goal.name: goal for goal in check_goals(five_worlds())}
    assert goals["says decoys"].applies
    assert not goals["says decoys"].is_met  # not measured is not met
    assert not goals["believes decoys"].applies


def test_recall_is_of_the_depths_that_were_counted() -> None:
    deep = DISCOVERY | {"new_by_depth": {"1": 10, "4": 90}}
    rows = write_tables([cell(discovery=[deep])]).split("## The default, cycle by cycle")[1]
    assert "| 1 | 100 | 0.25 |" in rows
    both = DISCOVERY | {"new_by_depth": {"1": 10, "2": 5}}
    lived = cell(discovery=[both], world={"num_true": {"1": 40, "2": 10}})
    rows = write_tables([lived]).split("## The default, cycle by cycle")[1]
    assert "| after cycle | true so far | recall so far | depth 1 | depth 2 |" in rows
    assert "| 1 | 15 | 0.3 | 0.25 | 0.5 |" in rows


def test_tables_say_which_worlds_were_lived_in_and_what_guessing_brings() -> None:
    text = write_tables([cell(seed=1), cell(seed=2), cell(arm="merged", num_cycles=3)])
    assert "default: seeds 1, 2, 1 cycles; merged: seed 1, 3 cycles" in text
    assert "1 in 5 for uptake" in text
