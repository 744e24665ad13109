"""What an arm makes of memory, on concepts and study items made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ddl_train.bench.arms import find_arms
from ddl_train.bench.life import ForgetfulMemory, WithinMemory, as_arm
from ddl_train.config import WakeConfig
from ddl_train.cycle import sleep_stage
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Concept, ConceptPair, SilentProgress, StudyItem, Usage
from ddl_train.roles.prompts import load_pack
from ddl_train.session import Session
from ddl_train.sleep import Material, Night
from ddl_train.storage.run import Run
from tests.fakes import EchoEngine, HashEmbedder, ScriptedGenerator, TableCritic
from tests.memory.conftest import quick_disk
from tests.storage.made import a_memory, a_run, a_verdict, chunks, dream, idea

__all__ = ["quick_disk"]


def lives(memory: Memory, *, num_batches: int = 6) -> list[list[ConceptPair]]:
    """Pairs of each batch of one cycle, every second one admitted."""
    for folder in ("left", "right"):
        texts = [f"{folder} fact {n}" for n in range(8)]
        memory.add_chunks(chunks(texts, prefix=f"docs/{folder}/"), cycle=-1)
    batches = []
    for index in range(num_batches):
        pairs = memory.next_batch(0, index, 6, WakeConfig(), BASE, 3)
        verdicts = [a_verdict(pair, idea(pair) if n % 2 else None) for n, pair in enumerate(pairs)]
        memory.log_verdicts(0, index, verdicts)
        batches.append(pairs)
    return batches


def sides(memory: Memory, concept: Concept) -> set[str]:
    """Folders that a concept goes back to."""
    if concept.kind == "document":
        return {Path(concept.source).parent.name}
    (made,) = [one for one in memory.insights() if one.concept_id == concept.concept_id]
    return set().union(*(sides(memory, memory.concept(parent)) for parent in made.parents))


@pytest.mark.usefixtures("quick_disk")
def test_who_draws_within_one_literature_never_joins_two_and_takes_them_in_turn(
    tmp_path: Path,
) -> None:
    with a_run(tmp_path) as run:
        memory = WithinMemory(run, HashEmbedder())
        batches = lives(memory)
        found = [
            set().union(*(sides(memory, one) for pair in pairs for one in (pair.a, pair.b)))
            for pairs in batches
        ]
    assert all(len(pairs) == 6 for pairs in batches)
    assert found == [{"left"}, {"right"}] * 3
    assert any(one.kind == "insight" for pairs in batches for pair in pairs for one in (pair.a, pair.b))  # fmt: skip


@pytest.mark.usefixtures("quick_disk")
def test_who_is_not_fed_its_insights_draws_documents_only(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        batches = lives(ForgetfulMemory(run, HashEmbedder()))
        assert len(batches[-1]) == 6
        assert {one.kind for pairs in batches for pair in pairs for one in (pair.a, pair.b)} == {
            "document"
        }


def a_session(run: Run) -> Session:
    """A run with four insights, each with what it is studied and asked by."""
    memory = a_memory(run)
    insights = dream(memory, 0, 0, idea)
    engine: Any = EchoEngine()
    items = [
        StudyItem(
            insight_id=one.insight_id,
            kind="forward",
            question=f"{family} of {one.insight_id}?",
            answer=f"answer of {one.insight_id}",
            family=family,
        )
        for one in insights
        for family in ("study", "probe")
    ]
    memory.save_study_items(items)
    return Session(
        run=run,
        memory=memory,
        engine=engine,
        embedder=HashEmbedder(),
        pack=load_pack("terse"),
        generator=ScriptedGenerator(["NONE"]),
        critic=TableCritic(),
    )


def num_right(items: Sequence[StudyItem]) -> int:
    return sum(item.answer == f"answer of {item.insight_id}" for item in items)


@pytest.mark.usefixtures("quick_disk")
def test_a_placebo_is_asked_what_it_is_asked_and_nothing_that_is_stored_is_changed(
    tmp_path: Path,
) -> None:
    with a_run(tmp_path) as run:
        session = a_session(run)
        placebo = as_arm(session, find_arms(["placebo"])[0]).memory
        ids = [one.insight_id for one in placebo.insights()]
        studied, probes = (placebo.study_items(ids, family) for family in ("study", "probe"))
        assert (num_right(studied), len(studied)) == (0, 4)
        assert (num_right(probes), len(probes)) == (4, 4)
        assert placebo.study_items(ids) == session.memory.study_items(ids)


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize(("arm", "right"), [("placebo", 0), ("default", 4)])
def test_a_night_of_the_placebo_is_trained_on_no_right_answer_and_any_other_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str, right: int
) -> None:
    nights: list[Material] = []

    def sleeps(engine: Any, pack: Any, material: Material, **others: Any) -> Night:
        nights.append(material)
        return Night(
            rows=(),
            insight_ids=(),
            concept_ids=(),
            adapter_dir=None,
            failed_because="nothing is trained here",
            usage=Usage(),
            metrics={},
            notes=(),
        )

    monkeypatch.setattr("ddl_train.cycle.sleep", sleeps)
    with a_run(tmp_path, evaluate={"canaries_per_kind": None}) as run:
        run.start_cycle(0)
        session = a_session(run)
        run.finish_stage(0, "wake")
        sleep_stage(as_arm(session, find_arms([arm])[0]), 0, progress=SilentProgress())
    [material] = nights
    assert len(material.items) == len(material.tonight) == 4
    assert {item.family for item in material.items} == {"study"}
    assert num_right(material.items) == right
