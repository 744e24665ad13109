"""Insights, refusals, lineage, and the datasets they are exported as."""

import io
from pathlib import Path

import pytest
from datasets import load_dataset
from rich.console import Console

from ddl_train.errors import RunError
from ddl_train.records import StudyItem
from ddl_train.report import ideas
from ddl_train.report.export import COLUMNS, export
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import made_config, made_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = made_run(tmp_path_factory.mktemp("run"))
    items = [
        StudyItem(insight_id=1, kind="forward", question="what?", answer="that"),
        StudyItem(insight_id=1, kind="forward", question="which?", answer="it", family="probe"),
    ]
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.executemany(
            "INSERT INTO study_items (insight_id, family, kind, question, answer, is_checked) "
            "VALUES (?, ?, ?, ?, ?, 1)",
            [(one.insight_id, one.family, one.kind, one.question, one.answer) for one in items],
        )
    return run_dir


def test_an_insight_tells_why_it_was_admitted_and_from_what(run_dir: Path) -> None:
    with Run.read(run_dir) as run:
        insight = ideas.admitted(run)[2]
    assert (insight["id"], insight["cycle"], insight["depth"]) == (3, 1, 2)
    assert insight["rationale"] == "it holds together"
    assert insight["scores"]["coherence"] == 8.0
    assert [parent["kind"] for parent in insight["parents"]] == ["insight", "document"]


def test_the_critics_words_are_not_given_as_the_reason(run_dir: Path) -> None:
    stream = io.StringIO()
    with Run.read(run_dir) as run:
        ideas.print_admitted(ideas.admitted(run), Console(file=stream, width=100))
    assert "the critic: it holds together" in stream.getvalue()
    assert "why it was admitted" not in stream.getvalue()


def test_a_table_of_ideas_has_the_scores_that_were_asked_for(run_dir: Path) -> None:
    stream = io.StringIO()
    with Run.read(run_dir) as run:
        insights = ideas.admitted(run)
        ideas.print_admitted(insights, Console(file=stream, width=120))
    head, first, *_ = stream.getvalue().splitlines()
    assert head.split()[3:8] == ["nov", "coh", "use", "sup", "again"]
    assert first.split()[3:8] == ["7.0", "8.0", "6.0", "0.900", "0.985"]
    for one in insights:
        one["scores"]["support"] = None
    stream = io.StringIO()
    ideas.print_admitted(insights, Console(file=stream, width=120))
    assert stream.getvalue().split()[3:7] == ["nov", "coh", "use", "again"]


def test_a_refused_idea_tells_the_rule(run_dir: Path) -> None:
    with Run.read(run_dir) as run:
        refused = ideas.rejected(run)
    assert [(one["cycle"], one["rule"]) for one in refused] == [(0, "coherence"), (1, "coherence")]
    assert refused[0]["reason"] == "coherence: 3.1 is below 6.0"


def test_lineage_goes_down_to_documents(run_dir: Path) -> None:
    with Run.read(run_dir) as run:
        tree = ideas.lineage(run, 4)
    insight, document = tree["parents"]
    assert (insight["id"], insight["kind"]) == (2, "insight")
    assert document["parents"] == []
    assert {leaf["kind"] for leaf in insight["parents"]} == {"document"}
    stream = io.StringIO()
    ideas.print_lineage(tree, Console(file=stream, width=80))
    assert "docs/1.md:0" in stream.getvalue()


def test_the_export_reads_back_as_datasets_without_held_out_items(
    run_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Run.read(run_dir) as run:
        assert export(run, out) == {"insights": 4, "verdicts": 10, "study_items": 1}
    cache = str(tmp_path / "cache")
    tables = {
        name: load_dataset(str(out), name, split="train", cache_dir=cache) for name in COLUMNS
    }
    assert {name: rows.column_names for name, rows in tables.items()} == {
        name: list(columns) for name, columns in COLUMNS.items()
    }
    assert list(tables["study_items"]["question"]) == ["what?"]
    card = (out / "README.md").read_text()
    assert card.startswith("---\n")
    assert "Nobody has checked that an insight is true" in card
    assert "held-out questions" in card


def test_an_export_overwrites_nothing_and_needs_something(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    with Run.read(run_dir) as run, pytest.raises(RunError, match="not an empty folder"):
        export(run, tmp_path)
    pack = tmp_path / "pack"
    pack.mkdir()
    with (
        Run.create(made_config(tmp_path), pack_dir=pack) as run,
        pytest.raises(RunError, match="nothing to export"),
    ):
        export(run, tmp_path / "new")
