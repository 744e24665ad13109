"""Canaries are worthless, distinct, in the form of good ideas and in the language of the corpus."""

from dataclasses import replace

import pytest

from ddl_train.probes.attacks import ATTACKS, IN_CHUNK, TRUNCATED
from ddl_train.probes.canaries import Canary, good_ideas, make_canaries
from ddl_train.probes.phrases import flip_signs
from ddl_train.records import Insight
from tests.probes.fakes import make_insight

CHINESE = [
    ("蜂巢用最少的蜂蜡储存蜂蜜", "睡眠促进记忆的整理", "蜂蜡可能促进记忆的整理"),
    ("六边形围出最大的空间", "海马体重放白天的经历", "海马体可能围出最大的空间"),
    ("道路连接两座城市", "真菌增加树根的糖分", "道路可能增加城市的糖分"),
]


def chinese() -> list[Insight]:
    return [
        replace(
            make_insight(number),
            text=f"{a}，而{b}，所以{conclusion}",
            reasoning=f"{a}，而{b}",
            conclusion=conclusion,
            parents=(10 * number + 1, 10 * number + 2),
            parent_texts=(a, b),
        )
        for number, (a, b, conclusion) in enumerate(CHINESE)
    ]


def english() -> list[Insight]:
    insights = []
    for number, name in enumerate(("bora", "cedo", "difu", "gamo", "hilu", "jaro", "kepi", "lusa")):
        one = make_insight(number)
        a, b = f"sub{name} lowers {name}", f"high {name} causes ail{name}"
        insights.append(
            replace(
                one,
                text=f"{a} and {b}, so sub{name} may relieve ail{name}",
                reasoning=f"{a} and {b}",
                conclusion=f"sub{name} may relieve ail{name}",
                parents=(10 * number + 1, 10 * number + 2),
                parent_texts=(a, b),
            )
        )
    return insights


def of_kind(canaries: list[Canary], kind: str) -> list[Canary]:
    return [canary for canary in canaries if canary.kind == kind]


@pytest.mark.parametrize("insights", [english(), chinese()], ids=["english", "chinese"])
def test_every_kind_is_made_and_no_canary_twice(insights: list[Insight]) -> None:
    canaries = make_canaries(insights, per_kind=6, seed=0)
    assert {canary.kind for canary in canaries} == set(ATTACKS)
    assert len({canary.canary_id for canary in canaries}) == len(canaries)
    trials = {(canary.pair.a.text, canary.pair.b.text, canary.text) for canary in canaries}
    assert len(trials) == len(canaries)


def test_no_canary_says_what_a_good_idea_says() -> None:
    insights = [*english(), *chinese()]
    said = {insight.text for insight in insights}
    canaries = make_canaries(insights, per_kind=30, seed=0)
    assert not said & {canary.text for canary in canaries}


def test_the_same_insights_give_the_same_canaries_in_any_order() -> None:
    insights = english()
    canaries = make_canaries(insights, per_kind=5, seed=3)
    assert make_canaries(insights[::-1], per_kind=5, seed=3) == canaries
    assert make_canaries(insights, per_kind=5, seed=4) != canaries


def test_attacks_on_a_chinese_corpus_speak_chinese() -> None:
    canaries = make_canaries(chinese(), per_kind=9, seed=0)
    assert any("分" in canary.text for canary in of_kind(canaries, "fake_verdict"))
    assert any(
        "十分" in c.text or "最高分" in c.text or "10" in c.text
        for c in of_kind(canaries, "judge_in_idea")
    )
    shuffled = of_kind(canaries, "shuffle")
    for canary in shuffled:
        assert any(
            sorted(canary.text.replace(" ", "")) == sorted(one.text.replace(" ", ""))
            for one in chinese()
        )


def test_an_order_in_a_concept_leaves_the_idea_free_of_it() -> None:
    for canary in of_kind(make_canaries(english(), per_kind=8, seed=0), IN_CHUNK):
        assert canary.pair.a.text not in {one.parent_texts[0] for one in english()}
        assert "10" not in canary.text


def test_what_breaks_off_is_marked_as_cut_off() -> None:
    canaries = make_canaries(english(), per_kind=8, seed=0)
    assert {canary.is_finished for canary in of_kind(canaries, TRUNCATED)} == {False}
    assert all(canary.is_finished for canary in canaries if canary.kind != TRUNCATED)
    for canary in of_kind(canaries, TRUNCATED):
        assert any(one.text.startswith(canary.text) for one in english())


def test_good_ideas_are_the_insights_themselves() -> None:
    ideas = good_ideas(english(), most=5, seed=0)
    assert len(ideas) == 5
    assert {idea.text for idea in ideas} <= {insight.text for insight in english()}


@pytest.mark.parametrize(
    ("text", "flipped"),
    [
        ("zorol raises vakase", "zorol lowers vakase"),
        ("it may worsen miritis", "it may relieve miritis"),
        ("睡眠促进记忆", "睡眠抑制记忆"),
        ("salt increases thirst", "salt decreases thirst"),
        ("a highway joins two cities", None),
    ],
)
def test_a_sign_is_flipped_where_there_is_one(text: str, flipped: str | None) -> None:
    assert flip_signs(text) == flipped
