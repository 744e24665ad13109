"""What `forget` recommends leads to no adapter that saw the forgotten source."""

import json
from pathlib import Path

from ddl_train.memory.forget import adapters_that_saw
from ddl_train.memory.store import Memory
from ddl_train.records import Promotion
from ddl_train.storage.run import Run
from tests.cli.calling import CommandLine
from tests.fakes import HashEmbedder
from tests.storage.made import a_run, chunks, install

TEXTS = [f"fact {number} of the matter" for number in range(4)]


def promote_in_turn(folder: Path, seen: list[list[int]]) -> tuple[Path, list[str]]:
    """A run in which adapters that quoted these concepts were promoted one after the other."""
    with a_run(folder) as run:
        Memory(run, HashEmbedder()).add_chunks(chunks(TEXTS), cycle=-1)
        versions = []
        for number, concepts in enumerate(seen):
            versions.append(install(run, f"weights{number}", concept_ids=concepts))
            run.record_promotion(
                0,
                Promotion(
                    candidate=versions[-1], promoted=True, reasons=("ok: x",), decided_by="person"
                ),
            )
        run.drop_night(0)
    return run.dir, versions


def first_concept_of(folder: Path, source: str) -> int:
    with Run.read(folder) as run:
        row = run.database.execute("SELECT concept_id FROM concepts WHERE source = ?", (source,))
        return int(row.fetchone()[0])


def test_rollback_is_recommended_when_it_leads_to_a_clean_adapter(
    ddl: CommandLine, tmp_path: Path
) -> None:
    run, versions = promote_in_turn(tmp_path, [[2], [1]])
    assert first_concept_of(run, "doc0.md") == 1
    out = ddl("forget", run, "--source", "doc0.md").out
    assert f"rollback {run}` goes back to {versions[0]}" in out


def test_rollback_to_another_adapter_that_saw_it_is_not_recommended(
    ddl: CommandLine, tmp_path: Path
) -> None:
    run, versions = promote_in_turn(tmp_path, [[2], [1], [1]])
    out = ddl("forget", run, "--source", "doc0.md").out
    assert "ddl-train rollback" not in out
    assert f"promote {run} {versions[0]} --why" in out
    assert "trains the next night from the base without it" in out


def test_status_says_that_the_adapter_in_use_saw_what_is_forgotten(
    ddl: CommandLine, tmp_path: Path
) -> None:
    run, versions = promote_in_turn(tmp_path, [[2], [1]])
    assert "forgotten" not in ddl("status", run).out
    ddl("forget", run, "--source", "doc0.md")
    assert f"{versions[1]} was trained on what was forgotten since" in ddl("status", run).out
    adapters = json.loads(ddl("status", run, "--json").out)["adapters"]
    assert [one["saw_forgotten"] for one in adapters] == [False, True]
    ddl("rollback", run)
    assert "forgotten" not in ddl("status", run).out


def test_what_is_continued_from_an_adapter_that_saw_it_has_seen_it(tmp_path: Path) -> None:
    run_dir, versions = promote_in_turn(tmp_path, [[1]])
    with Run.open(run_dir) as run:
        Memory(run, HashEmbedder()).forget("doc0.md")
        later = install(run, "later", parent=versions[0])
        assert adapters_that_saw(run.database) == [versions[0], later]


def test_what_is_ingested_again_is_not_forgotten(tmp_path: Path) -> None:
    run_dir, _ = promote_in_turn(tmp_path, [[1]])
    with Run.open(run_dir) as run:
        memory = Memory(run, HashEmbedder())
        memory.forget("doc0.md")
        memory.add_chunks(chunks(TEXTS), cycle=0, is_explicit=True)
        assert adapters_that_saw(run.database) == []


def test_without_any_clean_adapter_the_base_is_left(ddl: CommandLine, tmp_path: Path) -> None:
    run, _ = promote_in_turn(tmp_path, [[1], [1]])
    out = ddl("forget", run, "--source", "doc0.md").out
    assert "ddl-train rollback" not in out
    assert f"promote {run} base --why" in out
