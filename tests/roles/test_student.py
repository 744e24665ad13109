"""The student: items are parsed, doubles dropped, and checked against their insight."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ddl_train.errors import ConfigError
from ddl_train.records import BASE, Completion, Continuation, Sampling, Usage
from ddl_train.roles.prompts import load_pack
from ddl_train.roles.student import write_items
from tests.fakes import EchoEngine, an_insight

PACK = load_pack("terse")
ANSWERS = {
    "study forward": "what may zorol relieve? miritis",
    "study reverse": "what may relieve miritis? zorol",
    "study restate": "what may zorol relieve? miritis",  # the same again
    "study application": "no question here",
    "probe forward": "zorol may ease which one? miritis",
}


def answer(prompt: str) -> str:
    return ANSWERS[prompt.partition(" |")[0]]


def test_each_kind_asks_once_and_is_taken_apart() -> None:
    insights = [an_insight(1), an_insight(2)]
    items, _ = write_items(
        EchoEngine(answer=answer), PACK, insights, ["forward", "reverse"], "study"
    )
    assert [(item.insight_id, item.kind) for item in items] == [
        (1, "forward"),
        (1, "reverse"),
        (2, "forward"),
        (2, "reverse"),
    ]
    assert (items[0].question, items[0].answer) == ("what may zorol relieve?", "miritis")


def test_what_cannot_be_read_is_dropped() -> None:
    items, _ = write_items(
        EchoEngine(answer=answer), PACK, [an_insight()], ["application", "forward"], "study"
    )
    assert [item.kind for item in items] == ["forward"]


def test_the_same_item_twice_is_kept_once() -> None:
    items, _ = write_items(
        EchoEngine(answer=answer), PACK, [an_insight()], ["forward", "restate"], "study"
    )
    assert [item.kind for item in items] == ["forward"]


class WordyEngine(EchoEngine):
    """Words every question another way when it is not greedy, and once answers one differently."""

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        answers, usage = super().generate(prompts, sampling=sampling, adapter=adapter, seed=seed)
        if sampling.temperature == 0:
            return answers, usage
        texts = ["who eases miritis? zorol", "what may zorol relieve? hadosis"] * len(answers)
        return [replace(one, text=text) for one, text in zip(answers, texts, strict=False)], usage


def test_a_kind_that_is_asked_for_several_items_has_each_question_once_the_greedy_first() -> None:
    items, _ = write_items(
        WordyEngine(answer=answer), PACK, [an_insight(1)], ["forward"], "study", num_items=4
    )
    assert [(item.kind, item.question, item.answer) for item in items] == [
        ("forward", "what may zorol relieve?", "miritis"),
        ("forward", "who eases miritis?", "zorol"),
    ]


def test_items_stand_in_order_of_insight_however_many_are_asked_for() -> None:
    insights = [an_insight(1), an_insight(2)]
    items, _ = write_items(
        WordyEngine(answer=answer), PACK, insights, ["forward", "reverse"], "study", num_items=2
    )
    assert [(item.insight_id, item.kind) for item in items] == [
        (number, kind) for number in (1, 2) for kind in ("forward", "forward", "reverse", "reverse")
    ]


def test_an_answer_that_the_insight_does_not_hold_is_never_used() -> None:
    def log_prob(item: Continuation) -> float:
        return math.log(0.9 if item.continuation == "miritis" else 0.05)

    items, _ = write_items(
        EchoEngine(answer=answer, log_prob=log_prob),
        PACK,
        [an_insight()],
        ["forward", "reverse"],
        "study",
        min_answer_support=0.2,
    )
    assert [(item.kind, item.is_checked) for item in items] == [
        ("forward", True),
        ("reverse", False),
    ]


def test_the_check_shows_the_insight_as_context() -> None:
    asked: list[str] = []

    def log_prob(item: Continuation) -> float:
        asked.append(item.prompt)
        return 0.0

    insight = an_insight()
    engine = EchoEngine(answer=answer, log_prob=log_prob)
    write_items(engine, PACK, [insight], ["forward"], "study")
    assert insight.text in asked[0]
    assert "what may zorol relieve?" in asked[0]


def test_the_base_writes_and_checks() -> None:
    engine = EchoEngine(answer=answer)
    write_items(engine, PACK, [an_insight()], ["forward"], "study")
    assert set(engine.adapters_used) == {BASE}


def test_probe_items_come_from_probe_templates() -> None:
    items, _ = write_items(EchoEngine(answer=answer), PACK, [an_insight()], ["forward"], "probe")
    assert [(item.family, item.question) for item in items] == [
        ("probe", "zorol may ease which one?")
    ]


def test_a_kind_without_a_template_is_named() -> None:
    with pytest.raises(ConfigError, match="study_rhyme"):
        write_items(EchoEngine(), PACK, [an_insight()], ["rhyme"], "study")
