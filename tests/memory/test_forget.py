"""What is forgotten is gone: from memory, from the file, from what is read next."""

from dataclasses import replace
from pathlib import Path

import pytest

from ddl_train.config import WakeConfig
from ddl_train.errors import RunError, SourceError
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Chunk, ConceptPair, StudyItem
from ddl_train.storage.database import open_database
from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from ddl_train.storage.students import UNFINISHED
from tests.fakes import HashEmbedder
from tests.storage.made import a_memory, a_report, a_run, a_verdict, chunks, dream, idea, install

SECRET = "xylophone7"


def secret_run(folder: Path) -> tuple[Run, Memory]:
    """Six documents, one with a secret; everything is dreamt on, two deep."""
    run = a_run(folder)
    memory = Memory(run, HashEmbedder())
    texts = [f"fact {n} of the matter" for n in range(5)] + [f"the {SECRET} is mine"]
    memory.add_chunks(chunks(texts), cycle=-1)
    dream(memory, 0, 0, quote, size=99)
    dream(memory, 0, 1, quote, size=30)
    return run, memory


def quote(pair: ConceptPair) -> str:
    """An idea that repeats what it rests on."""
    return f"{pair.pair_number} rests on {pair.a.text} and {pair.b.text}"


def test_a_source_goes_with_all_that_rests_on_it(tmp_path: Path) -> None:
    run, memory = secret_run(tmp_path)
    with run:
        tainted = [insight for insight in memory.insights() if SECRET in insight.conclusion]
        clean = [insight for insight in memory.insights() if SECRET not in insight.conclusion]
        memory.save_study_items(
            [
                StudyItem(insight_id=one.insight_id, kind="forward", question="q", answer=SECRET)
                for one in tainted
            ]
        )
        removed = memory.forget("doc5.md")
        assert removed.num_sources == 1
        assert removed.num_insights == removed.num_study_items == len(tainted)
        assert removed.num_concepts == 1 + len(tainted)
        left = {insight.insight_id for insight in memory.insights()}
        assert left == {insight.insight_id for insight in clean}
        assert not any(SECRET in concept.text for concept in memory.concepts())


def test_the_text_is_in_no_file_of_the_run(tmp_path: Path) -> None:
    run, memory = secret_run(tmp_path)
    with run:
        memory.close()
        (run.night_dir(0) / "rows.jsonl").write_text(SECRET)
        (run.dir / UNFINISHED / "rank-2").mkdir(parents=True)
        (run.dir / UNFINISHED / "rank-2" / "prompts.json").write_text(SECRET)
        assert any(holds_secret(path) for path in run.dir.rglob("*"))
        memory.forget("doc5.md")
        assert not any(holds_secret(path) for path in run.dir.rglob("*"))
    assert not any(holds_secret(path) for path in run.dir.rglob("*"))
    assert fsck(run.dir, repair=False) == []


def holds_secret(path: Path) -> bool:
    return path.is_file() and SECRET.encode() in path.read_bytes()


def test_answers_in_reports_are_blanked_and_figures_stay(tmp_path: Path) -> None:
    run, memory = secret_run(tmp_path)
    with run:
        run.save_report(a_report())
        memory.forget("doc5.md")
        item = run.reports()[0].items[0]
        assert item.answer is None
        assert item.margin == a_report().items[0].margin


def test_adapters_that_saw_it_are_named_with_those_continued_from_them(tmp_path: Path) -> None:
    run, memory = secret_run(tmp_path)
    with run:
        insights = memory.insights()
        tainted = next(one.insight_id for one in insights if SECRET in one.conclusion)
        clean = next(one.insight_id for one in insights if SECRET not in one.conclusion)
        first = install(run, "one", insight_ids=[clean, tainted])
        second = install(run, "two", cycle=1, insight_ids=[clean])
        third = install(run, "three", cycle=2, parent=first)
        fourth = install(run, "four", cycle=3, concept_ids=[6])
        assert memory.forget("doc5.md").adapters == (first, third, fourth)
        assert run.taught(second) == {clean}


def test_forgotten_pairs_are_not_drawn(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 6)
        memory.forget("doc[0-3].md")
        pairs = memory.next_batch(0, 0, 99, WakeConfig(), BASE, 3)
        assert [sorted((pair.a.concept_id, pair.b.concept_id)) for pair in pairs] == [[5, 6]]


def test_ids_are_not_given_twice(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 6)
        memory.forget("doc5.md")
        memory.add_chunks(chunks(["something else"], prefix="new"), cycle=0)
        assert [concept.concept_id for concept in memory.concepts()] == [1, 2, 3, 4, 5, 7]


def test_a_forgotten_source_stays_out_until_it_is_asked_for(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 4)
        all_chunks = chunks([f"fact {n} of the matter" for n in range(4)])
        memory.forget("doc3.md")
        assert memory.add_chunks(all_chunks, cycle=0) == 0
        renamed = chunks(["fact 3 of the matter"], prefix="renamed")
        assert memory.add_chunks(renamed, cycle=0) == 0
        assert memory.add_chunks(all_chunks[3:], cycle=0, is_explicit=True) == 1
        assert memory.add_chunks(renamed, cycle=0) == 0
        assert memory.num_concepts == 4


def test_new_rows_of_a_forgotten_file_stay_out(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 4)
        rows = [
            Chunk(text=f"row {n}", source=f"r.jsonl#{n}", position=0, source_sha256=str(n))
            for n in range(3)
        ]
        memory.add_chunks(rows[:2], cycle=0)
        assert memory.forget("r.jsonl").num_sources == 2
        assert memory.add_chunks(rows, cycle=1) == 0


def test_a_text_that_another_source_holds_stays(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 3)
        memory.add_chunks(chunks(["fact 0 of the matter"], prefix="copy"), cycle=0)
        assert memory.forget("doc0.md").num_concepts == 0
        assert memory.concept(1).source == "copy0.md"


def test_an_idea_that_a_remaining_document_states_stays_as_that_document(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 2)
        pair = memory.next_batch(0, 0, 1, WakeConfig(), BASE, 3)[0]
        (insight,) = memory.log_verdicts(0, 0, [a_verdict(pair, "a great idea")])
        memory.add_chunks(chunks(["A great idea", "and more"], prefix="book"), cycle=0)
        memory.forget("doc0.md")
        concept = memory.concept(insight.concept_id)
        assert (concept.kind, concept.source, concept.depth) == ("document", "book0.md", 0)
        assert memory.insights() == []


def test_held_out_documents_can_be_forgotten(tmp_path: Path) -> None:
    with a_run(tmp_path, memory={"held_out_share": 0.2}) as run:
        memory = a_memory(run, 20)
        assert len(memory.held_out_texts()) == 4
        memory.forget("doc1?.md")
        assert all(
            " 1" not in text or text.startswith("fact 1 ") for text in memory.held_out_texts()
        )


def test_a_glob_that_matches_nothing_is_one_sentence(tmp_path: Path) -> None:
    sentence = r"'nope\*'; it has, for example: doc0\.md"
    with a_run(tmp_path) as run, pytest.raises(SourceError, match=sentence):
        a_memory(run).forget("nope*")


@pytest.mark.parametrize("pattern", ["notes/[a] b.md", "./notes/*", "notes/?a? b.md"])
def test_a_source_is_matched_as_it_was_given(tmp_path: Path, pattern: str) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        (odd,) = chunks(["an odd name"])
        memory.add_chunks([replace(odd, source="notes/[a] b.md")], cycle=0)
        assert memory.forget(pattern).num_sources == 1


def test_a_reader_in_the_way_is_told_and_fsck_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddl_train.storage.database._BUSY_TIMEOUT_S", 0.1)
    run, memory = secret_run(tmp_path)
    with run:
        reader = open_database(run.dir / "run.sqlite", is_read_only=True)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM concepts").fetchone()
        with pytest.raises(RunError, match="close that program and run `ddl-train fsck"):
            memory.forget("doc5.md")
        assert not any(SECRET in concept.text for concept in memory.concepts())
        reader.close()
    assert "may still stand" in fsck(run.dir, repair=False)[0]
    fsck(run.dir, repair=True)
    assert not any(holds_secret(path) for path in run.dir.rglob("*"))


def test_dreaming_goes_on_after_forgetting(tmp_path: Path) -> None:
    run, memory = secret_run(tmp_path)
    with run:
        memory.forget("doc5.md")
        assert dream(memory, 1, 0, idea, size=5)
    assert fsck(run.dir, repair=False) == []


def test_a_forgotten_source_that_was_ingested_is_asked_for_no_more(tmp_path: Path) -> None:
    run, memory = secret_run(tmp_path)
    with run:
        before = run.config.memory.sources
        run.ingest(["doc5.md", "doc4.md"])
        memory.forget("doc5.md")
        assert run.ingested == ["doc4.md"]
        assert run.config.memory.sources == [*before, "doc4.md"]
