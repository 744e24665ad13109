"""Fixed pairs stay fixed, and what is dreamt on them becomes items that pair up."""

from dataclasses import replace

import numpy as np
import pytest

from ddl_train.config import WakeConfig
from ddl_train.probes.dreams import (
    MIN_PAIRS,
    dream_ids,
    dream_items,
    fixed_pairs,
    is_idea,
    pool_of,
)
from ddl_train.records import Concept, ConceptPair, FloatArray, Verdict
from tests.fakes import HashEmbedder, a_concept, a_pair, a_proposal, a_scores


def documents(count: int) -> list[Concept]:
    """Two sources that speak of the same things."""
    return [
        replace(a_concept(n + 1, f"topic{n // 2} word{n}"), source=f"{n % 2}.md")
        for n in range(count)
    ]


def vectors_of(pool: list[Concept]) -> FloatArray:
    return HashEmbedder().embed([one.text for one in pool])[0]


def pairs_of(pool: list[Concept], num: int, barred: set[int] | None = None) -> list[ConceptPair]:
    return fixed_pairs(pool, vectors_of(pool), num_pairs=num, barred=barred or set())


def test_insights_do_not_move_the_pairs() -> None:
    concepts = documents(60)
    insights = [a_concept(100 + n, f"insight {n}", kind="insight") for n in range(9)]
    assert pool_of([*insights, *concepts], num_pairs=2, seed=1) == pool_of(
        concepts, num_pairs=2, seed=1
    )


def test_a_pair_joins_near_concepts_of_two_sources() -> None:
    pairs = pairs_of(documents(60), 12)
    assert len(pairs) == 12
    assert len({pair.pair_number for pair in pairs}) == 12
    for pair in pairs:
        assert pair.a.source != pair.b.source
        assert pair.a.text.split()[0] == pair.b.text.split()[0]


def test_a_pair_that_was_dreamt_on_makes_room_for_the_next() -> None:
    pool = documents(60)
    before = pairs_of(pool, 12)
    after = pairs_of(pool, 12, {before[0].pair_number})
    assert before[0] not in after
    assert after[:11] == before[1:]
    assert len(after) == 12


def test_a_handful_of_pairs_is_not_asked() -> None:
    assert pairs_of(documents(2 * MIN_PAIRS - 2), 12) == []
    assert len(pairs_of(documents(2 * MIN_PAIRS), 12)) == MIN_PAIRS


def test_other_thresholds_make_other_probes() -> None:
    pairs = [a_pair("a", "b")]
    ids = dream_ids(pairs, WakeConfig(), 1)
    assert dream_ids(pairs, WakeConfig(), 1) == ids
    assert dream_ids(pairs, WakeConfig(min_novelty=9), 1) != ids
    assert dream_ids(pairs, WakeConfig(), 2) != ids


def verdict(text: str, *, merit: float = 8.0, refused: str | None = None) -> Verdict:
    scores = None if text == "NONE" else a_scores(merit, merit, merit)
    return Verdict(proposal=a_proposal(text), scores=scores, rejected_because=refused)


def test_both_suites_are_read_from_the_same_dreams() -> None:
    verdicts = [
        verdict("a b c, so zorol may relieve miritis"),
        verdict("NONE", refused="none: the generator saw no link"),
        verdict("d e f, so bees pack cells", merit=3.0, refused="coherence: 3.0 is below 6"),
    ]
    assert [is_idea(one) for one in verdicts] == [True, False, True]
    items, figures = dream_items(
        ["1", "2", "3"], verdicts, np.eye(2, dtype=np.float32), max_cosine=0.98
    )
    wake = [item for item in items if item.suite == "wake"]
    diversity = [item for item in items if item.suite == "diversity"]
    assert [item.probe_id for item in wake] == [item.probe_id for item in diversity]
    assert [item.is_correct for item in wake] == [True, False, False]
    assert [item.margin for item in wake] == [8.0, 0.0, 3.0]
    assert [item.is_correct for item in diversity] == [True, False, True]
    assert diversity[1].margin == 1
    assert 0 < diversity[0].margin < 1
    assert figures["wake/admitted"] == pytest.approx(1 / 3)
    assert figures["diversity/ideas"] == pytest.approx(2 / 3)


def test_the_same_idea_about_every_pair_is_no_diversity() -> None:
    said = [verdict("a b c, so zorol may relieve miritis")] * 3
    vectors = np.ones((3, 1), dtype=np.float32)
    items, _ = dream_items(["1", "2", "3"], said, vectors, max_cosine=0.98)
    of_diversity = [item for item in items if item.suite == "diversity"]
    assert not any(item.is_correct for item in of_diversity)
    assert [item.margin for item in of_diversity] == pytest.approx([0, 0, 0])
