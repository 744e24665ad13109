"""Study writes what is lacking, once, and asks nothing that a probe asks."""

from collections import Counter
from typing import Any

from ddl_train.config import SleepConfig
from ddl_train.records import BASE
from ddl_train.roles.prompts import load_pack
from ddl_train.study import questions_due, study
from tests.fakes import EchoEngine, an_insight

PACK = load_pack("terse")


def student() -> EchoEngine:
    return EchoEngine(answer=lambda prompt: f"what of {prompt.partition(' |')[0]}? miritis")


def test_study_writes_items_to_train_on_and_items_to_ask_about() -> None:
    student_engine = student()
    items, usage = study(
        student_engine,
        PACK,
        tonight=[an_insight(1)],
        earlier=[an_insight(2)],
        stored=[],
        config=SleepConfig(kinds=["restate", "forward", "propose"], min_answer_support=None),
    )
    assert {(item.insight_id, item.family, item.kind) for item in items} == {
        (number, family, kind)
        for number in (1, 2)
        for family, kinds in (("study", ("restate", "forward")), ("probe", ("forward", "reverse")))
        for kind in kinds
    }
    assert set(student_engine.adapters_used) == {BASE}
    assert usage.num_tokens > 0


def test_study_asks_a_kind_as_often_as_configured_and_probes_once() -> None:
    engine = EchoEngine()
    config = SleepConfig(kinds=["forward"], items_per_kind=3, min_answer_support=None)
    study(engine, PACK, tonight=[an_insight(1)], earlier=[], stored=[], config=config)
    counts = Counter(prompt.partition(" |")[0] for prompt in engine.asked)
    assert counts["study forward"] == 3
    assert {counts[kind] for kind in counts if kind.startswith("probe")} == {1}


def test_what_a_probe_asks_of_an_insight_is_not_studied() -> None:
    engine = EchoEngine(
        answer=lambda prompt: "What of it? miritis" if "forward" in prompt else "who? x"
    )
    config = SleepConfig(kinds=["forward", "reverse"], min_answer_support=None)
    items, _ = study(engine, PACK, tonight=[an_insight(1)], earlier=[], stored=[], config=config)
    assert [(item.family, item.kind) for item in items] == [
        ("probe", "forward"),
        ("probe", "reverse"),
    ]


def test_an_insight_that_has_items_is_not_asked_again() -> None:
    config = SleepConfig(min_answer_support=None)
    given: dict[str, Any] = {"earlier": [], "config": config}
    first, _ = study(student(), PACK, tonight=[an_insight(1)], stored=[], **given)
    engine = student()
    both = [an_insight(1), an_insight(2)]
    more, _ = study(engine, PACK, tonight=both, stored=first, **given)
    assert {item.insight_id for item in more} == {2}
    none, usage = study(engine, PACK, tonight=both, stored=[*first, *more], **given)
    assert none == []
    assert usage.num_tokens == 0


def test_a_question_that_brought_no_item_is_not_put_again() -> None:
    config = SleepConfig(kinds=["forward"], min_answer_support=None)
    tonight = [an_insight(1)]
    silent = EchoEngine(answer=lambda prompt: "I cannot say")
    nothing, usage = study(silent, PACK, tonight=tonight, earlier=[], stored=[], config=config)
    assert nothing == []
    assert usage.num_tokens > 0
    due = questions_due(PACK, tonight, [], [], (), config)
    assert (1, "study", "forward") in due
    again: dict[str, Any] = {"tonight": tonight, "earlier": [], "stored": [], "asked": due}
    _, second = study(silent, PACK, config=config, **again)
    assert second.num_tokens == 0
    more = config.model_copy(update={"kinds": ["forward", "reverse"]})
    asked = EchoEngine(answer=lambda prompt: "I cannot say")
    study(asked, PACK, config=more, **again)
    assert len(asked.asked) == 1, "a kind that was never put is"
