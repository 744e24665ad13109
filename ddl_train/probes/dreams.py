"""`wake` and `diversity`: every adapter dreams on the same pairs, and both suites read the dreams.

The pairs are fixed: concepts of documents in a pseudo-random order that does not change, each with
the nearest one of another source. A pair that the run has dreamt on is passed over, so that no
adapter was taught about it; the next in the order takes its place.

    wake        right: the proposal would be admitted. Its margin is the critic's opinion, the mean
                of the axes (times the likelihoods that are asked for), 0 without one
    diversity   right: an idea that is no near-duplicate of another. Its margin is 1 less the mean
                BLEU-4 against each other idea; silence repeats nothing, and `wake` sees it
"""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np

from ddl_train.config import WakeConfig
from ddl_train.probes.diversity import diversity_figures, is_near_duplicate, pairwise_bleu
from ddl_train.probes.examination import merit
from ddl_train.records import (
    Concept,
    ConceptPair,
    FloatArray,
    ItemResult,
    Verdict,
)

SUITES = ("wake", "diversity")
MIN_PAIRS = 10
"""Fewer say nothing about an adapter."""
POOL = 16
"""Concepts looked at for each pair that is wanted."""


def pool_of(concepts: Sequence[Concept], *, num_pairs: int, seed: int) -> list[Concept]:
    """Document concepts that pairs are made of, in their fixed order."""
    documents = [one for one in concepts if one.kind == "document"]
    ranked = sorted(documents, key=lambda one: _digest(seed, one.text))
    return ranked[: POOL * num_pairs]


def fixed_pairs(
    pool: Sequence[Concept],
    vectors: FloatArray,
    *,
    num_pairs: int,
    barred: Collection[int],
) -> list[ConceptPair]:
    """The first `num_pairs` in the fixed order; none when there are fewer than `MIN_PAIRS`.

    Args:
        pool: from `pool_of`.
        vectors: of the pool, unit rows in memory's space.
        num_pairs: wanted.
        barred: numbers of pairs that were dreamt on.
    """
    if len(pool) < 2:
        return []
    cosines = np.asarray(vectors @ vectors.T, dtype=np.float64)
    sources = np.array([one.source for one in pool])
    cosines[sources[:, None] == sources[None, :]] = -np.inf
    pairs: dict[int, ConceptPair] = {}
    for row, concept in enumerate(pool):
        column = int(np.argmax(cosines[row]))
        if len(pairs) == num_pairs or not np.isfinite(cosines[row, column]):
            continue
        high, low = sorted((concept.concept_id, pool[column].concept_id), reverse=True)
        number = high * (high - 1) // 2 + low
        if number not in barred:
            pairs.setdefault(
                number,
                ConceptPair(
                    pair_number=number,
                    a=concept,
                    b=pool[column],
                    sampler="probe",
                    probability=1.0,
                ),
            )
    return list(pairs.values()) if len(pairs) >= MIN_PAIRS else []


def dream_ids(pairs: Sequence[ConceptPair], config: WakeConfig, seed: int) -> list[str]:
    """What each pair is called in a report; other thresholds or another seed is another probe.

    What an adapter says about one pair depends on the draws for the others, so all are named.
    """
    texts = [(pair.a.text, pair.b.text) for pair in pairs]
    together = _digest(texts, config.model_dump_json(), seed)[:8]
    return [f"{_digest(*text)[:8]}#{together}" for text in texts]


def dream_items(
    ids: Sequence[str],
    verdicts: Sequence[Verdict],
    vectors: FloatArray,
    *,
    max_cosine: float,
) -> tuple[list[ItemResult], dict[str, float]]:
    """Items of both suites, and the figures of diversity.

    Args:
        ids: from `dream_ids`.
        verdicts: on the proposal about each pair.
        vectors: of the conclusions of those that hold an idea, in order.
        max_cosine: above it two conclusions are near-duplicates.
    """
    ideas = [number for number, one in enumerate(verdicts) if is_idea(one)]
    texts = [verdicts[number].proposal.text for number in ideas]
    repeated = dict(zip(ideas, is_near_duplicate(vectors, max_cosine), strict=True))
    overlap = dict(zip(ideas, pairwise_bleu(texts), strict=True))
    items = []
    for number, (probe_id, verdict) in enumerate(zip(ids, verdicts, strict=True)):
        scores, text = verdict.scores, verdict.proposal.text
        items += [
            _item("wake", probe_id, verdict.admitted, merit(scores) if scores else 0.0, text),
            _item(
                "diversity",
                probe_id,
                not repeated.get(number, True),
                1.0 - overlap.get(number, 0.0),
                text,
            ),
        ]
    figures = diversity_figures(texts, vectors, num_pairs=len(ids), max_cosine=max_cosine)
    figures = {f"diversity/{name}": value for name, value in figures.items()}
    figures["wake/admitted"] = float(np.mean([one.admitted for one in verdicts]))
    return sorted(items, key=lambda item: SUITES.index(item.suite)), figures


def is_idea(verdict: Verdict) -> bool:
    """Whether something was concluded at all."""
    return not verdict.proposal.is_none and bool(verdict.proposal.conclusion.strip())


def _item(suite: str, probe_id: str, is_correct: bool, margin: float, text: str) -> ItemResult:
    return ItemResult(
        probe_id=probe_id,
        suite=suite,
        kind="pair",
        is_correct=is_correct,
        margin=margin,
        chance=0.0,
        answer=text,
        cluster=probe_id,
    )


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8")).hexdigest()
