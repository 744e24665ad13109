"""Uptake probes rank an answer against others of its kind, none of which is right."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from ddl_train.probes.uptake import build_probes
from ddl_train.records import Probe, StudyItem
from tests.probes.fakes import make_insight, make_items

ALL = [item for number in range(8) for item in make_items(number)]


def build(items: list[StudyItem] = ALL, numbers: Any = range(8), seed: int = 0) -> list[Probe]:
    insights = [make_insight(number) for number in numbers]
    return build_probes(insights, items, num_distractors=4, seed=seed)


def item(number: int, question: str, answer: str, kind: str = "forward") -> StudyItem:
    return StudyItem(insight_id=number, kind=kind, question=question, answer=answer, family="probe")


def test_each_item_is_asked_against_answers_of_its_kind() -> None:
    probes = build()
    assert len(probes) == 16
    for probe in probes:
        stem = "ail" if probe.kind == "forward" else "sub"
        assert len(set(probe.choices)) == 4
        assert all(choice.startswith(stem) for choice in probe.choices)
        assert not set(probe.choices) & set(probe.answers)
    assert probes[0].about == "sub0 may relieve ail0"


def test_the_order_of_items_has_no_say_and_the_seed_has() -> None:
    assert build(ALL[::-1]) == build()
    assert build(seed=1) != build()


def test_other_insights_lend_distractors_without_being_asked_about() -> None:
    probes = build(numbers=[3])
    assert {probe.insight_id for probe in probes} == {3}
    assert all(len(probe.choices) == 4 for probe in probes)


def test_too_few_distractors_are_no_probe() -> None:
    assert build(ALL[:8], range(4)) == []


def test_what_is_right_for_the_same_question_is_no_distractor() -> None:
    shared = [item(n, "What would bark be given for?", f"ail{n}") for n in (20, 21)]
    other = item(22, "what would bark be given for", "ail3")
    probes = build([*ALL, *shared, other], numbers=[20])
    assert not {"ail20", "ail21", "ail3"} & set(probes[0].choices)


def test_what_another_insight_says_of_the_same_subject_is_no_distractor() -> None:
    rival = replace(make_insight(21), conclusion="sub21 may relieve ail0")
    items = [*ALL, item(21, "name something to relieve ail0?", "sub21", kind="reverse")]
    (probe,) = [
        one
        for one in build_probes(
            [make_insight(0)],
            items,
            num_distractors=4,
            seed=0,
            others=[*map(make_insight, range(1, 8)), rival],
        )
        if one.kind == "reverse"
    ]
    assert len(probe.choices) == 4
    assert "sub21" not in probe.choices
    worsens = replace(rival, conclusion="sub21 may worsen ail21")
    insights = [*map(make_insight, range(1, 8)), worsens]
    lent = [
        choice
        for seed in range(20)
        for one in build_probes(
            [make_insight(0)], items, num_distractors=4, seed=seed, others=insights
        )
        for choice in one.choices
    ]
    assert "sub21" in lent


def test_the_same_answer_in_other_letters_is_no_distractor() -> None:
    probes = build([*ALL, item(30, "which one?", "AIL0.")], numbers=[0])
    assert "AIL0." not in probes[0].choices


def test_distractors_of_like_length_come_first() -> None:
    long = [item(n, f"why {n}?", f"a much longer answer number {n}") for n in range(40, 50)]
    like = [item(n, f"why {n}?", f"one longer answer number {n}") for n in range(50, 55)]
    probes = build([*ALL, *long, *like], numbers=[0, 50])
    forward = [probe for probe in probes if probe.kind == "forward"]
    assert all(choice.startswith("ail") for choice in forward[0].choices)
    assert all(choice.startswith("one longer") for choice in forward[1].choices)


def hubs(sizes: list[int]) -> list[StudyItem]:
    """One question an insight; the first answer is right for `sizes[0]` of them, and so on."""
    answers = [f"ail{hub}" for hub, size in enumerate(sizes) for _ in range(size)]
    return [item(n, f"what would sub{n} help?", answer) for n, answer in enumerate(answers)]


FEW_HUBS = hubs([8, 6, 5, 4, 3, 3, 2, 2, *[1] * 17])


def test_an_answer_is_lent_in_proportion_to_how_often_it_is_right() -> None:
    probes = build(FEW_HUBS, range(50))
    right = Counter(probe.answers[0] for probe in probes)
    lent = Counter(choice for probe in probes for choice in probe.choices)
    assert len(probes) == 50
    assert all(abs(lent[answer] - 4 * right[answer]) <= 1 for answer in right)


def test_who_knows_only_which_answers_are_frequent_gains_next_to_nothing() -> None:
    probes = build(FEW_HUBS, range(50))
    often = Counter(one.answer for one in FEW_HUBS)
    found = [max(probe.choices, key=lambda one: often[one]) for probe in probes]
    better = sum(
        often[probe.answers[0]] > often[best] for probe, best in zip(probes, found, strict=True)
    )
    assert better / len(probes) < 0.3  # chance is 0.2; any four other answers give 0.38


def test_an_answer_to_more_than_one_question_in_five_is_asked_for_less_often() -> None:
    probes = build(hubs([20, *[1] * 20]), range(40))
    right = Counter(probe.answers[0] for probe in probes)
    assert right["ail0"] == 5
    assert len(probes) == 25


@pytest.mark.parametrize("change", [{"family": "study"}, {"is_checked": False}])
def test_only_checked_probe_items_are_asked(change: dict[str, Any]) -> None:
    assert build([replace(one, **change) for one in ALL]) == []
