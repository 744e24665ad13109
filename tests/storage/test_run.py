"""A run directory: made whole, taken up again, one writer, honest about what changed."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddl_train.errors import AdapterError, ResourceError, RunError
from ddl_train.records import BASE, Promotion, Usage
from ddl_train.storage.run import Run
from tests.storage.made import (
    TO_THE_FIRST_VERSION,
    a_config,
    a_memory,
    a_pack,
    a_report,
    a_run,
    an_adapter_dir,
    chunks,
    install,
)

pytestmark = pytest.mark.usefixtures("quick_disk")


def test_a_new_run_holds_its_config_its_prompts_and_no_adapter(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        assert run.current == BASE
        assert run.next_cycle == 0
        assert (run.prompts_dir / "pack.yaml").is_file()
        assert "a-base" in (run.dir / "config.yaml").read_text()


def test_a_run_goes_on_with_the_prompts_it_began_with(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    (a_pack(tmp_path) / "pack.yaml").write_text("none: NOTHING\n")
    with a_run(tmp_path) as run:
        assert (run.prompts_dir / "pack.yaml").read_text() == "none: NONE\n"


def test_another_pack_in_the_config_replaces_the_prompts_and_keeps_the_old(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    (tmp_path / "pack" / "pack.yaml").unlink()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pack.yaml").write_text("none: NIX\n")
    config = a_config(tmp_path, wake={"prompts": "other"})
    with Run.create(config, pack_dir=tmp_path / "other") as run:
        assert (run.prompts_dir / "pack.yaml").read_text() == "none: NIX\n"
        kept = next(run.dir.glob("prompts-before-*"))
        assert (kept / "pack.yaml").read_text() == "none: NONE\n"


def test_what_may_change_is_taken_over_and_told(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    with a_run(tmp_path, num_cycles=9) as run:
        assert run.changes == [("num_cycles", 3, 9)]
    with Run.open(run.dir) as again:
        assert again.config.num_cycles == 9
        assert again.changes == []


def test_what_may_not_change_is_refused_with_old_and_new(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    with pytest.raises(RunError, match=r"seed: 0 -> 4; .*|.*model\.base: 'a-base' -> 'b'"):
        a_run(tmp_path, seed=4, model={"base": "b"})
    with a_run(tmp_path) as run:
        assert run.config.seed == 0


def test_a_moved_run_is_the_same_run(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "checkpoints", tmp_path / "elsewhere" / "checkpoints")
    config = a_config(tmp_path, checkpoints_dir=str(tmp_path / "elsewhere" / "checkpoints"))
    with Run.create(config, pack_dir=a_pack(tmp_path)) as run:
        assert run.changes == []


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "run"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("do not lose me")
    with pytest.raises(RunError, match="no run directory"):
        a_run(tmp_path)
    assert (folder / "thesis.txt").read_text() == "do not lose me"


def test_a_half_made_run_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ddl_train.storage.create.write_config", die)
        patch.setattr("ddl_train.storage.create.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            a_run(tmp_path)
    left = list((tmp_path / "checkpoints").glob(".tmp-*"))
    assert left and not (tmp_path / "checkpoints" / "run").exists()
    with a_run(tmp_path) as run:
        assert run.current == BASE
    assert list((tmp_path / "checkpoints").iterdir()) == [run.dir]


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        with pytest.raises(RunError, match=f"process {os.getpid()}"):
            Run.open(run.dir)
        code = f"from ddl_train.storage.run import Run; Run.open({str(run.dir)!r})"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert f"process {os.getpid()}" in other.stderr
    Run.open(run.dir).close()


def test_a_run_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    with a_run(tmp_path) as run, Run.read(run.dir) as reader:
        run.finish_stage(0, "wake", num_pairs=4)
        assert reader.stage(0) == "sleep"


def test_a_missing_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run directory"):
        Run.open(tmp_path / "nowhere")


def test_stages_follow_one_another_and_keep_their_facts(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        run.start_cycle(0)
        run.finish_stage(0, "wake", num_pairs=4)
        run.finish_stage(0, "wake", num_admitted=1)
        with pytest.raises(ValueError, match="in stage sleep"):
            run.finish_stage(0, "promote")
        assert run.cycles()[0].facts == {"wake": {"num_pairs": 4, "num_admitted": 1}}
        assert run.next_cycle == 0


def test_checkpoints_go_when_their_night_is_over(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        (run.night_dir(0) / "checkpoint").write_text("state")
        for stage in ("wake", "sleep", "evaluate", "promote"):
            assert (run.dir / "nights" / "0").exists()
            run.finish_stage(0, stage)
        assert not (run.dir / "nights" / "0").exists()
        assert run.next_cycle == 1


def decision(candidate: str, *, promoted: bool = True, decided_by: str = "gate") -> Promotion:
    return Promotion(
        candidate=candidate, promoted=promoted, reasons=("ok: it is",), decided_by=decided_by
    )


def test_a_promotion_moves_the_pointer_and_ends_the_cycle(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run)
        for stage in ("wake", "sleep", "evaluate"):
            run.finish_stage(0, stage)
        run.record_promotion(0, decision(version))
        assert run.current == version
        assert run.stage(0) == "done"


def test_the_same_decision_twice_is_one_decision(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run)
        run.record_promotion(0, decision(version))
        run.record_promotion(0, decision(version))
        assert len(run.promotions()) == 1
        with pytest.raises(RunError, match="has been decided"):
            run.record_promotion(0, decision(version, promoted=False))


def test_a_refused_night_leaves_the_current_adapter(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        run.record_promotion(0, decision(install(run), promoted=False))
        assert run.current == BASE


def test_the_pointer_moves_only_from_what_was_seen(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run)
        run.database.execute("UPDATE state SET value = 'other' WHERE key = 'current'")
        with pytest.raises(RunError, match="not base any more"):
            run.record_promotion(0, decision(version))
        assert run.current == "other"
        assert run.promotions() == []


def test_a_damaged_candidate_is_never_promoted(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run)
        (run.adapter(version).path / "adapter_model.safetensors").write_bytes(b"torn")
        with pytest.raises(AdapterError, match="damaged"):
            run.record_promotion(0, decision(version))
        assert run.current == BASE


def test_rollbacks_walk_back_through_what_was_promoted(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        first, second = install(run, "one"), install(run, "two", cycle=1)
        run.record_promotion(0, decision(first))
        run.record_promotion(1, decision(second))
        assert run.rollback("it forgot things") == first
        assert run.rollback("still") == BASE
        with pytest.raises(RunError, match="base is in use already, so there is nothing"):
            run.rollback("more")
        assert [row.is_rollback for row in run.promotions()] == [False, False, True, True]
        assert run.promotions()[-1].promotion.decided_by == "person"


def test_an_unknown_adapter_is_named_with_those_there_are(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run)
        with pytest.raises(AdapterError, match=version):
            run.adapter("beef")


def test_the_beginning_of_a_version_names_the_adapter_when_only_one_fits(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run)
        assert run.adapter(version[:4]).version == version
        with pytest.raises(AdapterError, match="has no adapter"):
            run.adapter(version[:3])


def test_of_a_beginning_that_several_have_all_are_named(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        install(run)
        for version in ("a1cf01", "a1cf02", "a1cf0"):
            run.database.execute(
                "INSERT INTO adapters SELECT NULL, ?, cycle, base, base_sha256, parent, num_rows, "
                "num_insights, created_at FROM adapters LIMIT 1",
                (version,),
            )
        with pytest.raises(AdapterError, match=r"begin with 'a1cf': a1cf01, a1cf02, a1cf0$"):
            run.adapter("a1cf")
        assert run.adapter("a1cf0").version == "a1cf0"


def test_an_adapter_knows_what_it_was_taught(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        version = install(run, insight_ids=[1, 2], concept_ids=[7])
        assert run.taught(version) == {1, 2}


def test_an_adapter_knows_what_those_it_goes_on_from_were_taught(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        first = install(run, "one", insight_ids=[1, 2], concept_ids=[])
        second = install(run, "two", insight_ids=[3], concept_ids=[], parent=first)
        third = install(run, "three", insight_ids=[4], concept_ids=[], parent=second)
        other = install(run, "four", insight_ids=[5], concept_ids=[])
        assert run.taught(third) == {1, 2, 3, 4}
        assert run.taught(first) == {1, 2}
        assert run.taught(other) == {5}


def test_costs_add_up_and_a_repeated_batch_is_entered_once(tmp_path: Path) -> None:
    usage = Usage(num_prompt_tokens=10, num_completion_tokens=2, seconds=0.5, flops=1e9)
    with a_run(tmp_path) as run:
        run.record_usage(0, "generator", usage, 4, item="batch 0")
        run.record_usage(0, "generator", usage, 4, item="batch 0")
        run.record_usage(0, "generator", usage, 4)
        run.record_usage(1, "critic", usage, 4)
        assert [row.role for row in run.usage()] == ["generator", "generator", "critic"]
        assert run.usage(1)[0].usage == usage


def test_a_report_of_the_same_cycle_and_adapter_is_replaced(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        run.save_report(a_report())
        run.save_report(a_report())
        run.save_report(a_report(cycle=1))
        assert run.reports() == [a_report(), a_report(cycle=1)]
        assert run.reports(1) == [a_report(cycle=1)]


def test_a_torn_line_of_metrics_does_not_spoil_the_next(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        run.metrics({"loss": 1.5})
        with (run.dir / "metrics.jsonl").open("a") as file:
            file.write('{"loss": ')
        run.metrics({"loss": 1.0})
        assert (run.dir / "metrics.jsonl").read_text().splitlines()[-1] == '{"loss": 1.0}'


def test_a_read_only_run_says_so(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    reader = Run.read(tmp_path / "checkpoints" / "run")
    with reader, pytest.raises(RunError, match="cannot be written to"):
        reader.start_cycle(0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=640k", "none", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    return filler


def test_a_full_disk_is_one_sentence_and_leaves_the_run_as_it_was(small_disk: Path) -> None:
    with a_run(small_disk) as run:
        memory = a_memory(run)
        adapter_dir = an_adapter_dir(run.night_dir(0) / "candidate")
        facts: dict[str, Any] = {
            "cycle": 0,
            "base": "b",
            "base_sha256": "0",
            "num_rows": 1,
            "num_insights": 1,
        }
        filler = fill(small_disk)
        with pytest.raises(ResourceError, match="disk is full"):
            while True:
                run.record_usage(0, "generator", Usage(), 1)
        with pytest.raises(ResourceError, match="disk is full"):
            run.add_adapter(adapter_dir, parent=None, **facts)
        with pytest.raises(ResourceError, match="disk is full"):
            memory.add_chunks(chunks(["a new fact " * 2000], version="2"), cycle=0)
        assert run.adapters() == []
        filler.unlink()
        assert memory.num_concepts == 6
        version = run.add_adapter(adapter_dir, parent=None, **facts).version
    with Run.open(run.dir) as again:
        assert again.adapter(version).version == version
        assert again.database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_no_room_for_a_new_run_leaves_nothing_behind(small_disk: Path) -> None:
    pack = a_pack(small_disk)
    fill(small_disk)
    with pytest.raises(ResourceError, match="disk is full"):
        Run.create(a_config(small_disk), pack_dir=pack)
    assert not list(small_disk.glob("checkpoints/*"))


def test_what_was_ingested_by_command_stays_when_the_config_does_not_name_it(
    tmp_path: Path,
) -> None:
    config = a_config(tmp_path, memory={"sources": ["a.md"]})
    with Run.create(config, pack_dir=a_pack(tmp_path)) as run:
        run.ingest(["more.md"])
    with Run.create(config, pack_dir=a_pack(tmp_path)) as run:
        assert run.config.memory.sources == ["a.md", "more.md"]
        assert run.changes == []


def test_a_config_that_changes_its_own_sources_changes_only_those(tmp_path: Path) -> None:
    with a_run(tmp_path, memory={"sources": ["a.md"]}) as run:
        run.ingest(["more.md"])
    with a_run(tmp_path, memory={"sources": ["b.md"]}) as run:
        assert run.changes == [("memory.sources", ["a.md", "more.md"], ["b.md", "more.md"])]


def test_looking_at_a_run_of_an_older_version_brings_it_to_this_one(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        run_dir = run.dir
    with sqlite3.connect(run_dir / "run.sqlite") as plain:
        plain.executescript(TO_THE_FIRST_VERSION)
    plain.close()
    with Run.read(run_dir) as run:
        assert run.is_read_only
        assert run.database.execute("SELECT count(operator) FROM pairs").fetchone()[0] == 0
