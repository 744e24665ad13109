"""One row of the database as one record."""

import sqlite3

from ddl_train.records import Concept, ConceptPair, Insight, Proposal, Scores, Verdict

STRENGTH_HALF_LIFE = 4.0
"""Cycles after which an insight that nobody builds upon has half its strength."""


def strength_of(num_children: int, age: int) -> float:
    """Strength of an insight: it grows with what rests on it and fades with time.

    (1 + num_children) x 0.5 ** (age / STRENGTH_HALF_LIFE), where `age` counts the cycles since it
    was admitted or last built upon. Derived, never stored. A document's strength is 1.
    """
    return float((1 + num_children) * 0.5 ** (max(age, 0) / STRENGTH_HALF_LIFE))


def as_concept(row: sqlite3.Row, now: int) -> Concept:
    """A row of `concepts` with its children; `now` is the latest cycle."""
    is_document = row["kind"] == "document"
    return Concept(
        concept_id=row["concept_id"],
        text=row["text"],
        kind=row["kind"],
        source=row["source"],
        position=row["position"],
        sha256=row["sha256"],
        depth=row["depth"],
        strength=1.0 if is_document else strength_of(row["num_children"], now - row["last_cycle"]),
        cycle=row["cycle"],
    )


def as_pair(row: sqlite3.Row, concepts: dict[int, Concept]) -> ConceptPair:
    """A row of `pairs`, with the concepts it names."""
    return ConceptPair(
        pair_number=row["pair_number"],
        a=concepts[row["a_id"]],
        b=concepts[row["b_id"]],
        sampler=row["sampler"],
        probability=row["probability"],
        is_revisit=bool(row["is_revisit"]),
        stratum=row["stratum"],
        operator=row["operator"],
    )


def as_verdict(row: sqlite3.Row, pair: ConceptPair) -> Verdict:
    """A row of `verdicts` joined with its proposal."""
    return Verdict(
        proposal=Proposal(
            pair=pair,
            text=row["text"],
            reasoning=row["reasoning"],
            conclusion=row["conclusion"],
            is_none=bool(row["is_none"]),
            adapter=row["dreamer"],
            num_prompt_tokens=row["num_prompt_tokens"],
            num_completion_tokens=row["num_completion_tokens"],
        ),
        scores=_scores(row),
        rejected_because=row["rejected_because"],
        rationale=row["rationale"],
        audit=row["audit"],
    )


def _scores(row: sqlite3.Row) -> Scores | None:
    if row["novelty"] is None:
        return None
    return Scores(
        novelty=row["novelty"],
        coherence=row["coherence"],
        utility=row["utility"],
        support=row["support"],
        rederived=row["rederived"],
        disagreement=row["disagreement"],
    )


def as_insight(row: sqlite3.Row, strength: float) -> Insight:
    """A row of `insights` joined with its proposal, its scores and the texts of its parents."""
    scores = _scores(row)
    assert scores is not None
    return Insight(
        insight_id=row["insight_id"],
        concept_id=row["concept_id"],
        text=row["text"],
        reasoning=row["reasoning"],
        conclusion=row["conclusion"],
        parents=(row["parent_a"], row["parent_b"]),
        depth=row["depth"],
        cycle=row["cycle"],
        adapter=row["adapter"],
        scores=scores,
        rationale=row["rationale"],
        parent_texts=(row["a_text"], row["b_text"]),
        strength=strength,
    )
