"""The loop, through its public interface, on a tiny model at random weights."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import ddl_train
from ddl_train.config import Config, parse_config
from ddl_train.cycle import evaluate_stage, promote_stage, sleep_stage, wake_stage
from ddl_train.errors import ResourceError
from ddl_train.ingest import ingest
from ddl_train.measure import cycle_suites, evaluate_adapter
from ddl_train.records import BASE, Promotion, SilentProgress, Usage
from ddl_train.session import Session, open_run
from tests.tight import small_memory
from tests.tiny import make_tiny

QUIET = SilentProgress()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def config(base: Path, tmp_path: Path) -> Config:
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(6):
        (notes / f"{number}.md").write_text(f"Note {number} is about bees and trees.\n")
    values = {
        "name": "tiny",
        "checkpoints_dir": str(tmp_path / "checkpoints"),
        "num_cycles": 2,
        "model": {"base": str(base), "max_length": 2000, "batch_size": 16, "device": "cpu"},
        "memory": {"sources": [str(notes)], "unit": "sentence", "held_out_share": 0.2},
        "wake": {
            "num_pairs": 4,
            "batch_size": 3,
            "max_new_tokens": 8,
            "quota": 2,
            "guards": {"is_enabled": False},
            "explain": False,
            "max_disagreement": None,
        },
        "sleep": {"num_train_epochs": 1, "max_length": 2000, "kinds": ["propose"]},
    }
    return parse_config(values, where="test")


@pytest.fixture
def session(config: Config) -> Iterator[Session]:
    with open_run(config) as opened:
        yield opened


def live_up_to_promote(session: Session, cycle: int) -> str:
    """A cycle but for its last stage; the candidate."""
    session.run.start_cycle(cycle)
    wake_stage(session, cycle, progress=QUIET)
    sleep_stage(session, cycle, progress=QUIET)
    evaluate_stage(session, cycle, progress=QUIET)
    return session.run.adapters()[-1].version


def test_the_public_interface_runs_every_cycle(config: Config) -> None:
    with ddl_train.open_run(config) as session:
        ddl_train.run_cycles(session)
        assert [state.stage for state in session.run.cycles()] == ["done", "done"]


def test_what_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ddl_train.nonsense  # noqa: B018


def test_the_quota_is_filled_when_the_last_batch_is_small(session: Session) -> None:
    session.run.start_cycle(0)
    wake_stage(session, 0, progress=QUIET)
    assert len(session.memory.insights(cycle=0)) == 2


def test_a_night_has_no_more_insights_than_its_cap_and_says_how_many_wait(config: Config) -> None:
    capped = config.sleep.model_copy(update={"max_insights": 1})
    with ddl_train.open_run(config.model_copy(update={"sleep": capped})) as session:
        session.run.start_cycle(0)
        wake_stage(session, 0, progress=QUIET)
        sleep_stage(session, 0, progress=QUIET)
        facts = session.run.cycles()[0].facts["sleep"]
        assert len(session.memory.insights()) == 2
        assert len(session.run.taught(facts["candidate"])) == 1
        assert "1 insights exceed max_insights 1" in facts["notes"]


@pytest.mark.slow
def test_an_adapter_that_a_person_put_to_use_in_between_is_measured_too(session: Session) -> None:
    first = live_up_to_promote(session, 0)
    assert promote_stage(session, 0, progress=QUIET) is not None
    second = live_up_to_promote(session, 1)
    assert second != first
    why = Promotion(candidate=first, promoted=True, reasons=("ok: to see",), decided_by="person")
    session.run.record_promotion(0, why)
    decision = promote_stage(session, 1, progress=QUIET)
    assert decision is not None
    assert {report.adapter for report in session.run.reports(1)} == {"base", first, second}
    assert "suites again" in {row.item for row in session.run.usage(1)}


def test_a_file_of_a_single_piece_can_be_added_to_a_run(session: Session, tmp_path: Path) -> None:
    ingest(session, session.config.memory.sources, cycle=-1)
    (tmp_path / "one.md").write_text("A single sentence about whales.")
    assert ingest(session, [str(tmp_path / "one.md")], cycle=-1, is_explicit=True) == 1


def test_an_insight_without_usable_items_is_asked_about_once(
    session: Session, config: Config
) -> None:
    session.run.start_cycle(0)
    wake_stage(session, 0, progress=QUIET)
    sleep_stage(session, 0, progress=QUIET)
    assert session.memory.study_items(family="probe") == [], "random weights write none"
    put = session.memory.asked()
    assert {insight_id for insight_id, _, _ in put} == {1, 2}
    database = session.run.database
    database.execute("DELETE FROM usage WHERE role = 'student'")
    database.execute("DELETE FROM stages WHERE stage = 'sleep'")
    database.execute("UPDATE cycles SET stage = 'sleep'")
    sleep_stage(session, 0, progress=QUIET)
    assert [row for row in session.run.usage() if row.role == "student"] == []


def test_what_choosing_the_questions_cost_is_in_the_report_of_the_base_alone(
    session: Session,
) -> None:
    nothing = replace(cycle_suites(session), asked=(), texts={}, pairs=())
    cost = Usage(num_prompt_tokens=7, seconds=1.0)
    suites = replace(nothing, usage=cost)
    report = evaluate_adapter(session, BASE, suites, cycle=0, progress=QUIET)
    assert report.usage.num_prompt_tokens == 7


def test_choosing_pairs_to_dream_on_costs_what_embedding_them_does(session: Session) -> None:
    ingest(session, session.config.memory.sources, cycle=0)
    config = session.config.evaluate.model_copy(update={"num_dream_pairs": 2})
    assert cycle_suites(session, config=config).usage.num_prompt_tokens > 0


def test_a_wake_whose_memory_runs_out_goes_on_by_half_and_the_run_remembers(config: Config) -> None:
    with open_run(config) as session:
        session.run.start_cycle(0)
        with small_memory(session.engine, 2):
            wake_stage(session, 0, progress=QUIET)
        wake = session.run.cycles()[0].facts["wake"]
        assert (wake["pairs"], wake["engine"]["batch_size"]) == (4, {"asked": 16, "fits": 2})
    with open_run(config) as session:
        assert session.engine.room.batch_size == 2


def test_a_wake_that_cannot_fit_keeps_what_was_judged_and_goes_on_later(config: Config) -> None:
    wake = config.wake.model_copy(update={"batch_size": 4})
    config = config.model_copy(update={"wake": wake})
    with pytest.raises(ResourceError, match="ran out again"), open_run(config) as session:
        session.run.start_cycle(0)
        with small_memory(session.engine, 1):
            wake_stage(session, 0, progress=QUIET)
    with open_run(config) as session:
        assert session.memory.num_insights == 0
        assert session.engine.room.batch_size == 1
        wake_stage(session, 0, progress=QUIET)
        assert session.run.cycles()[0].facts["wake"]["pairs"] == 4


def test_how_texts_are_written_is_settled_once_and_said(config: Config) -> None:
    with open_run(config) as session:
        session.run.start_cycle(0)
        wake_stage(session, 0, progress=QUIET)
        settled = session.run.cycles()[0].facts["wake"]["engine"]["batching"]
        assert (settled["kind"], settled["device"]) == ("static", "cpu")
        assert settled["because"].startswith("on a CPU")
    with open_run(config) as session:
        assert session.engine.writing.batching is not None
