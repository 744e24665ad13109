"""Study writes what is lacking, once; a night goes from rows to an adapter that says what it did."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ddl_train.config import SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import Interrupted
from ddl_train.records import BASE, StudyItem
from ddl_train.roles.prompts import load_pack
from ddl_train.sleep import Material, Night, questions_due, sleep, study
from tests.fakes import EchoEngine, a_concept, an_insight
from tests.training.nights import quick, tiny_engine

PACK = load_pack("terse")
REJECTED = [(a_concept(1), a_concept(2))]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


def student() -> EchoEngine:
    return EchoEngine(answer=lambda prompt: f"what of {prompt.partition(' |')[0]}? miritis")


def items_of(insight_id: int) -> list[StudyItem]:
    return [
        StudyItem(insight_id=insight_id, kind=kind, question=f"{kind} {insight_id}?", answer="it")
        for kind in ("restate", "forward", "reverse")
    ]


def run_night(
    engine: TransformersEngine,
    night_dir: Path,
    *,
    items: list[StudyItem] | None = None,
    **changes: Any,
) -> Night:
    material = Material(
        tonight=[an_insight(1)],
        earlier=[an_insight(2)],
        items=[*items_of(1), *items_of(2)] if items is None else items,
        rejected=REJECTED,
        general=[],
    )
    given: dict[str, Any] = {
        "config": quick(num_train_epochs=1),
        "seed": 3,
        "night_dir": night_dir,
    }
    return sleep(engine, PACK, material, **(given | changes))


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


def test_a_night_says_what_it_trained_on(engine: TransformersEngine, tmp_path: Path) -> None:
    night = run_night(engine, tmp_path)
    assert night.adapter_dir is not None
    assert (night.adapter_dir / "adapter_model.safetensors").is_file()
    assert night.failed_because is None
    assert night.insight_ids == (1, 2)
    assert night.concept_ids == (1, 2)
    origins = [row.origin for row in night.rows]
    assert (origins.count("new"), origins.count("replay"), origins.count("no_link")) == (4, 4, 1)
    assert night.usage.num_tokens > 0
    assert night.notes == ("general_share 0.1 is unused: sleep.general is empty",)


def test_a_night_can_be_asked_for_again(engine: TransformersEngine, tmp_path: Path) -> None:
    assert run_night(engine, tmp_path) == run_night(engine, tmp_path)


def test_a_night_stops_when_asked_to(engine: TransformersEngine, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run_night(engine, tmp_path, should_stop=lambda: True)
    assert run_night(engine, tmp_path).metrics["num_steps"] == 5


def test_without_usable_items_there_is_no_adapter(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    night = run_night(engine, tmp_path, items=[], config=quick(kinds=["forward"]))
    assert night.adapter_dir is None
    assert night.failed_because is not None
    assert "nothing to train on" in night.failed_because
    assert "1 of tonight's insights have no usable study item" in night.notes
    assert not any(tmp_path.iterdir())


def test_from_base_takes_no_heed_of_the_current_adapter(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    first = run_night(engine, tmp_path / "first")
    second = run_night(engine, tmp_path / "second", start_from=first.adapter_dir)
    assert first.adapter_dir is not None
    assert second.adapter_dir is not None
    name = "adapter_model.safetensors"
    assert (first.adapter_dir / name).read_bytes() == (second.adapter_dir / name).read_bytes()
