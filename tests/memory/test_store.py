"""What memory holds: each text once, each dream once, and nothing half."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddl_train.config import WakeConfig
from ddl_train.errors import SourceError
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Chunk, FloatArray, Scores, StudyItem, Usage
from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder
from tests.storage.made import a_memory, a_run, a_verdict, chunks, dream, idea


def documents(number: int) -> list[Chunk]:
    return chunks([f"document {n} says {n * n}" for n in range(number)])


class ToldOf:
    """A `Progress` that remembers the stages it was told of."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.num_done = 0

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator["ToldOf"]:
        self.stages.append((name, total))
        yield self

    def advance(self, n: int, **_: object) -> None:
        self.num_done += n


def nearest_id(memory: Memory, text: str, *, embedder: HashEmbedder | None = None) -> int:
    vectors, _ = (embedder or HashEmbedder()).embed([text])
    ids, _ = memory.nearest(vectors, 1)
    return int(ids[0, 0])


def test_embedding_is_told_with_how_much_there_is(tmp_path: Path) -> None:
    told = ToldOf()
    with a_run(tmp_path) as run:
        Memory(run, HashEmbedder()).add_chunks(documents(300), cycle=-1, progress=told)
    assert (told.stages, told.num_done) == ([("embed", 300)], 300)


def test_reading_what_is_known_tells_of_no_embedding(tmp_path: Path) -> None:
    told = ToldOf()
    with a_run(tmp_path) as run:
        memory = Memory(run, HashEmbedder())
        memory.add_chunks(documents(3), cycle=-1)
        memory.add_chunks(documents(3), cycle=-1, progress=told)
    assert told.stages == []


def test_a_text_is_one_concept_however_often_it_comes(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = Memory(run, HashEmbedder())
        assert memory.add_chunks(chunks(["One thing.", "ONE  thing.", "Another."]), cycle=-1) == 2
        assert memory.add_chunks(chunks(["one thing."], prefix="copy"), cycle=0) == 0
        assert [concept.text for concept in memory.concepts()] == ["One thing.", "Another."]


def test_less_than_two_concepts_is_one_sentence_and_keeps_nothing(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = Memory(run, HashEmbedder())
        with pytest.raises(SourceError, match="two are the least"):
            memory.add_chunks(chunks(["Lonely."]), cycle=-1)
        assert memory.num_concepts == 0
        assert memory.known_sources() == {}


def test_a_changed_source_adds_what_is_new_and_retires_what_is_gone(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 4)
        assert memory.add_chunks(chunks(["a new fact"], version="2"), cycle=0) == 1
        assert memory.num_concepts == 5
        pairs = memory.next_batch(0, 0, 99, WakeConfig(), BASE, 3)
        drawn = {concept.concept_id for pair in pairs for concept in (pair.a, pair.b)}
        assert drawn == {2, 3, 4, 5}


def test_a_piece_that_comes_back_is_drawn_again(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 4)
        memory.add_chunks(chunks(["a new fact"], version="2"), cycle=0)
        memory.add_chunks(chunks(["fact 0 of the matter"], version="3"), cycle=1)
        pairs = memory.next_batch(0, 0, 99, WakeConfig(), BASE, 3)
        drawn = {concept.concept_id for pair in pairs for concept in (pair.a, pair.b)}
        assert drawn == {1, 2, 3, 4}


def test_a_piece_that_moved_to_another_source_stays_drawable(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 3)
        moved = chunks(["other", "fact 0 of the matter"], version="2")
        memory.add_chunks(moved, cycle=0)
        pairs = memory.next_batch(0, 0, 99, WakeConfig(), BASE, 3)
        drawn = {concept.text for pair in pairs for concept in (pair.a, pair.b)}
        assert drawn == {"other", "fact 0 of the matter", "fact 2 of the matter"}


@pytest.mark.parametrize(("number", "num_held_out"), [(2, 0), (3, 1), (9, 1), (10, 1), (57, 5)])
def test_a_tenth_of_the_documents_is_held_out(
    tmp_path: Path, number: int, num_held_out: int
) -> None:
    with a_run(tmp_path, memory={"held_out_share": 0.1}) as run:
        memory = Memory(run, HashEmbedder())
        assert memory.add_chunks(documents(number), cycle=-1) == number - num_held_out
        held_out = memory.held_out_texts()
        assert len(held_out) == num_held_out
        assert not {concept.text for concept in memory.concepts()} & set(held_out)


def test_two_documents_are_left_to_wake_however_large_the_share(tmp_path: Path) -> None:
    with a_run(tmp_path, memory={"held_out_share": 0.9}) as run:
        memory = Memory(run, HashEmbedder())
        assert memory.add_chunks(documents(4), cycle=-1) == 2


def test_what_is_held_out_stays_held_out_when_more_comes(tmp_path: Path) -> None:
    with a_run(tmp_path, memory={"held_out_share": 0.1}) as run:
        memory = Memory(run, HashEmbedder())
        memory.add_chunks(documents(40), cycle=-1)
        before = set(memory.held_out_texts())
        memory.add_chunks(documents(90), cycle=0)
        copies = chunks(sorted(before), prefix="copy")
        assert memory.add_chunks(copies, cycle=1) == 0
        assert before < set(memory.held_out_texts())
        assert len(memory.held_out_texts()) == 9


def test_a_held_out_document_is_held_out_with_its_copies(tmp_path: Path) -> None:
    twice = [*documents(9), *chunks([one.text for one in documents(9)], prefix="copy")]
    with a_run(tmp_path, memory={"held_out_share": 0.1}) as run:
        memory = Memory(run, HashEmbedder())
        assert memory.add_chunks(twice, cycle=-1) == 8
        assert len(memory.held_out_texts()) == 1


def test_copies_do_not_count_as_documents_to_hold_out(tmp_path: Path) -> None:
    thrice = [one for n in range(3) for one in chunks(["one", "two"], prefix=f"copy{n}-")]
    with a_run(tmp_path, memory={"held_out_share": 0.5}) as run:
        memory = Memory(run, HashEmbedder())
        assert memory.add_chunks(thrice, cycle=-1) == 2
        assert not run.database.execute("SELECT 1 FROM sources WHERE is_held_out").fetchall()


def test_a_copy_that_comes_later_stands_where_the_first_does(tmp_path: Path) -> None:
    copies = chunks([one.text for one in documents(10)], prefix="copy")
    with a_run(tmp_path, memory={"held_out_share": 0.1}) as run:
        memory = Memory(run, HashEmbedder())
        memory.add_chunks(documents(10), cycle=-1)
        secret = memory.held_out_texts()
        assert memory.add_chunks(copies, cycle=0) == 0
        assert memory.held_out_texts() == secret
        sides = run.database.execute(
            "SELECT count(DISTINCT is_held_out) FROM sources GROUP BY sha256"
        )
        assert [row[0] for row in sides] == [1] * 10


def test_a_text_that_is_a_concept_too_is_no_held_out_text(tmp_path: Path) -> None:
    with a_run(tmp_path, memory={"held_out_share": 0.1}) as run:
        memory = Memory(run, HashEmbedder())
        memory.add_chunks(documents(20), cycle=-1)
        secret = memory.held_out_texts()[0]
        pairs = memory.next_batch(0, 0, 1, WakeConfig(), BASE, 3)
        memory.log_verdicts(0, 0, [a_verdict(pairs[0], secret)])
        assert secret not in memory.held_out_texts()


def test_what_is_admitted_is_a_concept_at_once(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pair = memory.next_batch(0, 0, 1, WakeConfig(), BASE, 3)[0]
        (insight,) = memory.log_verdicts(0, 0, [a_verdict(pair, "A wholly new idea")])
        concept = memory.concept(insight.concept_id)
        assert (concept.text, concept.kind, concept.depth) == ("A wholly new idea", "insight", 1)
        assert insight.parents == (pair.a.concept_id, pair.b.concept_id)
        assert insight.parent_texts == (pair.a.text, pair.b.text)
        assert nearest_id(memory, "a wholly new idea") == insight.concept_id


def test_a_verdict_comes_back_as_it_was_given(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pairs = memory.next_batch(0, 0, 3, WakeConfig(), BASE, 3)
        verdicts = [
            a_verdict(pairs[0], "A new idea"),
            a_verdict(pairs[1], None),
            a_verdict(pairs[2], "A dull idea", rejected_because="novelty: 2.0 is below 5.0"),
        ]
        memory.log_verdicts(0, 0, verdicts)
        assert memory.verdicts() == verdicts
        assert memory.verdicts(is_admitted=True) == verdicts[:1]
        assert memory.verdicts(cycle=0, limit=1) == verdicts[2:]


def test_keeping_a_batch_twice_changes_nothing(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pairs = memory.next_batch(0, 0, 4, WakeConfig(), BASE, 3)
        verdicts = [a_verdict(pair, idea(pair)) for pair in pairs]
        assert memory.log_verdicts(0, 0, verdicts) == memory.log_verdicts(0, 0, verdicts)
        assert memory.num_concepts == 10


def test_verdicts_of_other_pairs_are_our_bug(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pairs = memory.next_batch(0, 0, 4, WakeConfig(), BASE, 3)
        with pytest.raises(ValueError, match="has 4 pairs; got 1"):
            memory.log_verdicts(0, 0, [a_verdict(pairs[0], None)])


@pytest.mark.parametrize(
    ("conclusion", "reason"),
    [("FACT 3 of  the matter", "duplicate: memory holds this as concept 4"), (" ", "empty: ")],
)
def test_what_cannot_be_a_concept_is_kept_as_refused(
    tmp_path: Path, conclusion: str, reason: str
) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pairs = memory.next_batch(0, 0, 1, WakeConfig(), BASE, 3)
        assert memory.log_verdicts(0, 0, [a_verdict(pairs[0], conclusion)]) == []
        assert str(memory.verdicts()[0].rejected_because).startswith(reason)


def test_the_second_of_two_equal_ideas_is_refused(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        assert len(dream(memory, 0, 0, lambda pair: "The same idea", size=3)) == 1


def test_scores_that_are_no_numbers_admit_nothing(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pairs = memory.next_batch(0, 0, 1, WakeConfig(), BASE, 3)
        broken = Scores(novelty=math.nan, coherence=8.0, utility=7.0)
        assert memory.log_verdicts(0, 0, [a_verdict(pairs[0], "An idea", scores=broken)]) == []
        assert str(memory.verdicts()[0].rejected_because).startswith("unscored: ")


def test_insights_rest_on_insights(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 3)
        dream(memory, 0, 0, idea, size=3)
        for index in range(1, 4):
            dream(memory, 0, index, idea, size=20)
        deepest = max(memory.insights(), key=lambda insight: insight.depth)
        assert deepest.depth >= 3
        lineage = memory.lineage(deepest.insight_id)
        assert lineage[-1] == deepest
        assert {parent for one in lineage for parent in one.parents} >= {1, 2}


def test_strength_grows_with_children_and_fades_with_age(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 3)
        first = dream(memory, 0, 0, idea, size=1)[0]
        assert first.strength == 1.0
        child = dream(memory, 0, 1, idea, size=99)
        num_children = sum(first.concept_id in insight.parents for insight in child)
        assert num_children
        assert memory.insight(first.insight_id).strength == 1.0 + num_children
        dream(memory, 4, 0, lambda pair: None, size=1)
        assert memory.insight(first.insight_id).strength == (1.0 + num_children) / 2
        assert memory.concept(1).strength == 1.0


def test_rejected_pairs_are_those_without_a_link(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        pairs = memory.next_batch(0, 0, 5, WakeConfig(), BASE, 3)
        verdicts = [
            a_verdict(pairs[0], "A new idea"),
            a_verdict(pairs[1], None),
            a_verdict(pairs[2], "A dull idea", rejected_because="novelty: 2.0 is below 5.0"),
            replace(a_verdict(pairs[3], "x", rejected_because="short: 1"), scores=None),
            a_verdict(pairs[4], "Fine", rejected_because="quota: 20 are not among the best 1"),
        ]
        memory.log_verdicts(0, 0, verdicts)
        expected = {(pair.a, pair.b) for pair in pairs[1:3]}
        assert set(memory.rejected_pairs(0, 9, 1)) == expected
        assert memory.rejected_pairs(0, 1, 1) == memory.rejected_pairs(0, 1, 1)
        assert memory.rejected_pairs(-1, 9, 1) == []


def test_study_items_are_kept_once_and_found_by_family(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        first, second = dream(memory, 0, 0, idea, size=2)
        items = [
            StudyItem(insight_id=second.insight_id, kind="forward", question="q", answer="a"),
            StudyItem(
                insight_id=first.insight_id,
                kind="forward",
                question="p",
                answer="b",
                family="probe",
            ),
        ]
        memory.save_study_items(items)
        memory.save_study_items([replace(items[0], answer="better", is_checked=False)])
        assert memory.study_items([second.insight_id]) == [
            replace(items[0], answer="better", is_checked=False)
        ]
        assert memory.study_items(family="probe") == [items[1]]


class NarrowEmbedder(HashEmbedder):
    """Texts in a narrow cone, as mean-pooled hidden states lie."""

    def embed(self, texts: Any) -> Any:
        rows, usage = super().embed(texts)
        rows = rows * 0.4 + 1 / np.sqrt(rows.shape[1])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True), usage


def test_the_common_part_of_all_vectors_is_taken_off(tmp_path: Path) -> None:
    words = [f"{a} {b} {c}" for a in "abcde" for b in "fghij" for c in "klmn"]
    with a_run(tmp_path) as run:
        embedder = NarrowEmbedder()
        memory = Memory(run, embedder)
        memory.add_chunks(chunks(words), cycle=-1)
        raw, _ = embedder.embed(["a f k", "e j n"])
        assert float(raw[0] @ raw[1]) > 0.8
        centred = memory.centre(raw)
        assert abs(float(centred[0] @ centred[1])) < 0.5
        (ids, cosines) = memory.nearest(raw, 3)
        assert cosines[:, 0] == pytest.approx([1.0, 1.0], abs=1e-5)
        assert memory.concept(int(ids[0, 0])).text == "a f k"
        before = memory.centre(raw)
        memory.add_chunks(chunks(["z z z", "y y y"], prefix="more"), cycle=0)
        assert np.array_equal(memory.centre(raw), before)


def test_another_embedder_embeds_everything_again_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with a_run(tmp_path) as run:
        a_memory(run).close()
        memory = Memory(run, HashEmbedder(width=16))
        assert "6 concepts are embedded again" in caplog.text
        assert nearest_id(memory, "fact 2 of the matter", embedder=HashEmbedder(width=16)) == 3


def ingest_cost(run: Run) -> list[tuple[int, int]]:
    """Texts and tokens of each entry of the ledger for what was read."""
    rows = [row for row in run.usage() if (row.role, row.item) == ("embedder", "ingest")]
    return [(row.num_calls, row.usage.num_prompt_tokens) for row in rows]


def test_what_is_read_is_entered_in_the_ledger_once(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = Memory(run, HashEmbedder())
        memory.add_chunks(documents(300), cycle=0)
        _, whole = HashEmbedder().embed([one.text for one in documents(300)])
        assert ingest_cost(run) == [(300, whole.num_prompt_tokens)]
        memory.add_chunks(documents(300), cycle=0)
        Memory(run, HashEmbedder())
        assert ingest_cost(run) == [(300, whole.num_prompt_tokens)]
        memory.add_chunks(documents(305), cycle=1)
        assert [num_calls for num_calls, _ in ingest_cost(run)] == [300, 5]


class DyingEmbedder(HashEmbedder):
    """Embeds one slice and then dies."""

    def __init__(self) -> None:
        super().__init__()
        self._num_calls = 0

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        self._num_calls += 1
        if self._num_calls > 1:
            raise KeyboardInterrupt
        return super().embed(texts)


def test_what_was_embedded_before_a_crash_is_neither_lost_nor_entered_twice(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        with pytest.raises(KeyboardInterrupt):
            Memory(run, DyingEmbedder()).add_chunks(documents(300), cycle=0)
        assert [num_calls for num_calls, _ in ingest_cost(run)] == [256]
        Memory(run, HashEmbedder())
        _, whole = HashEmbedder().embed([one.text for one in documents(300)])
        assert ingest_cost(run) == [(300, whole.num_prompt_tokens)]


def test_embedding_what_was_admitted_is_entered_with_it(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        admitted = dream(a_memory(run), 0, 0, idea)
        rows = [row for row in run.usage(0) if (row.role, row.item) == ("embedder", "memory")]
        assert [row.num_calls for row in rows] == [len(admitted)]


def test_texts_are_all_of_them_or_evenly_spread(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 9)
        dream(memory, 0, 0, idea)
        told = [one.text for one in memory.concepts() if one.depth == 0]
        assert list(memory.sample_texts()) == told
        assert list(memory.sample_texts(4)) == told[2::3]


def test_a_memory_without_an_embedder_can_be_read(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        insights = dream(a_memory(run), 0, 0, idea)
    with Run.read(run.dir) as reader:
        assert Memory(reader).insights() == insights


def index_of(memory: Memory) -> tuple[list[int], FloatArray]:
    vectors = memory._vectors
    assert vectors is not None and vectors._index is not None
    return vectors._index.ids.tolist(), vectors._index.vectors(vectors._index.ids)


operations = st.lists(
    st.sampled_from(["add", "dream", "forget", "reopen", "crash", "tear"]), max_size=12
)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations)
def test_the_index_equals_one_built_anew_after_anything(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    run = a_run(tmp_path_factory.mktemp("life"))
    memory = a_memory(run)
    for number, step in enumerate(steps):
        if step == "add":
            memory.add_chunks(chunks([f"new {number}"], prefix=f"new{number}-"), cycle=0)
        elif step == "dream":
            dream(memory, 0, memory.num_batches(0), idea, size=3)
        elif step == "forget" and number < 5:
            memory.forget(f"doc{number}.md")
        else:
            if step == "reopen":
                memory.close()
            if step == "tear" and run.index_path.exists():
                run.index_path.write_bytes(run.index_path.read_bytes()[:-1])
            run.close()
            run = Run.open(run.dir)
            memory = Memory(run, HashEmbedder())
    ids, vectors = index_of(memory)
    assert ids == [concept.concept_id for concept in memory.concepts()]
    memory.close()
    run.close()
    assert fsck(run.dir, repair=False) == []
    run.index_path.unlink()
    with Run.open(run.dir) as again:
        rebuilt_ids, rebuilt = index_of(Memory(again, HashEmbedder()))
    assert rebuilt_ids == ids
    assert np.array_equal(rebuilt, vectors)
