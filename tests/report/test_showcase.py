"""The best, the strangest, what the deepest rest on, and where all of it lies on the map."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ddl_train.memory.reading import all_concepts, read_insights
from ddl_train.records import Concept, Insight, Scores
from ddl_train.report.landscape import parent_cosines, read_landscape
from ddl_train.report.showcase import (
    MAX_LETTERS,
    MAX_UNFOLDED,
    best,
    card,
    deepest_lineages,
    shortened,
    source_root,
    strangest,
)
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import add_vectors, made_run


def insight(number: int, *, novelty: float = 5.0, parents: tuple[int, int] = (1, 2)) -> Insight:
    return Insight(
        insight_id=number,
        concept_id=100 + number,
        text=f"idea {number}",
        reasoning="because",
        conclusion=f"conclusion {number}",
        parents=parents,
        depth=1 + max((parent - 100 for parent in parents if parent > 100), default=0),
        cycle=0,
        adapter="base",
        scores=Scores(novelty=novelty, coherence=8.0, utility=6.0),
        rationale=None,
        parent_texts=("a", "b"),
    )


def concept(number: int, source: str = "notes/a.md") -> Concept:
    return Concept(
        concept_id=number,
        text=f"text {number}",
        kind="insight" if number > 100 else "document",
        source="dream" if number > 100 else source,
        position=2,
        sha256=str(number),
    )


def test_the_best_have_the_highest_sum_of_scores() -> None:
    given = [insight(n, novelty=n) for n in range(1, 8)]
    assert [one.insight_id for one in best(given)] == [7, 6, 5, 4]


def test_the_strangest_have_parents_far_apart_and_are_not_shown_twice() -> None:
    given = [insight(n) for n in range(1, 5)]
    cosines = {1: 0.9, 2: -0.5, 3: 0.1}
    assert [one.insight_id for one in strangest(given, cosines)] == [2, 3, 1]
    assert [one.insight_id for one in strangest(given, cosines, but=given[1:2])] == [3, 1]


def test_without_vectors_the_strangest_are_the_most_novel() -> None:
    given = [insight(n, novelty=n) for n in range(1, 4)]
    assert [one.insight_id for one in strangest(given, {})] == [3, 2, 1]


def test_a_card_names_parents_by_source_or_by_insight() -> None:
    child = insight(2, parents=(1, 101))
    concepts = {number: concept(number, "notes/deep/a.md") for number in (1, 101, 102)}
    shown = card(child, concepts, {101: insight(1), 102: child}, {2: 0.25}, "notes/")
    assert [one.place for one in shown.parents] == ["deep/a.md, piece 3", "insight 1"]
    assert shown.cosine == 0.25


def test_a_lineage_is_unfolded_once() -> None:
    insights = [insight(1), insight(2, parents=(1, 101)), insight(3, parents=(101, 102))]
    concepts = {number: concept(number) for number in (1, 2, 101, 102, 103)}
    (tree,) = deepest_lineages(insights, concepts)
    first, second = tree.parents
    assert (tree.insight_id, first.insight_id, second.insight_id) == (3, 1, 2)
    assert (first.note, len(first.parents)) == ("", 2)
    assert (second.parents[1].note, second.parents[1].parents) == ("as above", ())


def test_a_lineage_ends_where_the_page_would_not() -> None:
    insights = [insight(1)] + [insight(n, parents=(1, 99 + n)) for n in range(2, 60)]
    concepts = {number: concept(number) for number in (1, 2, *range(101, 160))}
    node, depth = deepest_lineages(insights, concepts)[0], 0
    while node.parents:
        node, depth = node.parents[1], depth + 1
    assert depth == MAX_UNFOLDED
    assert node.note == f"more: ddl-train insights RUN --lineage {59 - MAX_UNFOLDED}"


def test_insights_on_documents_alone_have_no_lineage_to_show() -> None:
    assert deepest_lineages([insight(1)], {n: concept(n) for n in (1, 2, 101)}) == []


@pytest.mark.parametrize(
    ("sources", "root"),
    [
        (["notes/a.md", "notes/b/c.md"], "notes/"),
        (["/home/x/a.md", "/home/x/b.md"], "/home/x/"),
        (["notes/a.md"], "notes/"),
        (["a.md", "b.md"], ""),
        (["notes/a.md", "notebook/a.md"], ""),
        (["/notes/a.md", "notes/a.md"], ""),
        ([], ""),
    ],
)
def test_the_folder_of_all_sources(sources: list[str], root: str) -> None:
    assert source_root({n: concept(n, source) for n, source in enumerate(sources)}) == root


def test_long_texts_are_shortened_and_say_so() -> None:
    assert shortened("a" * MAX_LETTERS) == "a" * MAX_LETTERS
    assert shortened("a" * 10_000) == "a" * (MAX_LETTERS - 1) + "…"


def test_the_map_keeps_the_two_directions_that_tell_most(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        corners = [(3.0, 0.0), (-3.0, 0.0), (0.0, 1.0), (0.0, -1.0)]
        for concept_id, (x, y) in enumerate(corners, start=1):
            vector = np.array([x, 0.0, y], dtype="<f4")
            database.execute(
                "INSERT INTO embeddings VALUES (?, 'words', ?)", (concept_id, vector.tobytes())
            )
        mean = np.zeros(3, dtype="<f4").tobytes()
        database.execute("INSERT INTO means VALUES ('words', ?)", (mean,))
    with Run.read(run_dir) as run:
        found = read_landscape(run, all_concepts(run.database), [], most=100)
    assert found is not None
    assert found.variance == pytest.approx(1.0)
    distance = np.linalg.norm(np.subtract(found.places[1], found.places[2]))
    assert distance == pytest.approx(2.0)  # opposite directions, each of length 1
    assert set(found.places) == {1, 2, 3, 4}
    assert found.num_concepts == 9


def test_a_small_map_shows_insights_and_their_parents_first(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    add_vectors(run_dir)
    with Run.read(run_dir) as run:
        insights = read_insights(run.database, cycle=None, ids=None)
        found = read_landscape(run, all_concepts(run.database), insights, most=6)
    assert found is not None
    assert {one.concept_id for one in insights} <= set(found.places)
    assert len(found.places) == 6


def test_no_vectors_no_map(tmp_path: Path) -> None:
    with Run.read(made_run(tmp_path)) as run:
        insights = read_insights(run.database, cycle=None, ids=None)
        assert read_landscape(run, all_concepts(run.database), insights, most=100) is None
        assert parent_cosines(run, insights) == {}


def test_cosines_of_parents_are_those_of_their_vectors(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    add_vectors(run_dir)
    with Run.read(run_dir) as run:
        (first, *_) = read_insights(run.database, cycle=None, ids=None)
        found = parent_cosines(run, [replace(first, parents=(1, 2))])
    one, two = np.array([1, 0.25, 1]), np.array([1, 0.5, 2])
    assert found[first.insight_id] == pytest.approx(
        one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    )
