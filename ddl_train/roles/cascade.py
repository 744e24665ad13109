"""The cascade: what refuses a proposal before the full critic is asked, from cheap to dear.

    guards -> near-duplicate -> distance -> short critic      each over what the one before let pass

A random share of the proposals goes on to the full critic whatever most of these say, so that what
they lose can be measured. Which, depends on the pair and the seed alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ddl_train.config import ScreenConfig, WakeConfig
from ddl_train.records import Critic, Embedder, FloatArray, Proposal, Usage, VectorSpace
from ddl_train.roles import guards

STAGES: Mapping[str, str] = {
    "short": "guards",
    "copied": "guards",
    "touch": "guards",
    "duplicate": "near-duplicate",
    "restated": "distance",
    "strayed": "distance",
    "screen": "short critic",
    "unscored": "short critic",
}
"""Rule -> stage, of refusals that an audit passes over: they are about what an idea is worth. All
others stand for an audit too. They are about text that says nothing, that breaks off, or that is
made to work on whoever reads it, and asking a critic about that is what they prevent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sifted:
    """What the cascade said of a batch."""

    refusals: Mapping[int, str]
    """Number of the proposal -> why."""
    screened: Mapping[int, float | None] | None = None
    """Number -> the short critic's answer; None when it is off."""
    usages: Mapping[str, Usage] = field(default_factory=dict)
    """By role: embedder, and screen when it is on."""


def sift(
    proposals: Sequence[Proposal],
    *,
    critic: Critic,
    embedder: Embedder,
    space: VectorSpace,
    special_tokens: Sequence[str],
    common: frozenset[str],
    config: WakeConfig,
) -> Sifted:
    """Put a batch through every stage that is on.

    Args:
        proposals: as they were made.
        critic: is asked the short question, where there is one.
        embedder: for conclusions, in the space of memory.
        space: of memory.
        special_tokens: of the tokenizer.
        common: content that so many concepts have that to share it is no touch.
        config: guards and cascade.
    """
    refusals: dict[int, str] = {}
    for number, proposal in enumerate(proposals):
        reason = guards.check(proposal, config.guards, special_tokens=special_tokens, common=common)
        if reason:
            refusals[number] = reason
    near, embedding = _refuse_by_place(
        proposals, _left(proposals, refusals), embedder, space, config
    )
    refusals |= near
    usages = {"embedder": embedding}
    if config.cascade.screen is None:
        return Sifted(refusals=refusals, usages=usages)
    alive = _left(proposals, refusals)
    answers, usages["screen"] = critic.screen([proposals[number] for number in alive])
    screened = dict(zip(alive, answers, strict=True))
    for number, answer in screened.items():
        if reason := refuse_on_screen(answer, config.cascade.screen):
            refusals[number] = reason
    return Sifted(refusals=refusals, screened=screened, usages=usages)


def refuse_on_screen(answer: float | None, screen: ScreenConfig) -> str | None:
    """Why the short critic refuses, or None."""
    if answer is None:
        return "unscored: the short critic's reply could not be read"
    if not answer >= screen.least:
        return f"screen: {screen.ask} {answer:.3g} is below {screen.least:g}"
    return None


def draw_audits(
    proposals: Sequence[Proposal], refusals: Mapping[int, str], *, share: float, seed: int
) -> dict[int, str]:
    """Number -> what the cascade said ("" for nothing) of those that are judged all the same."""
    drawn = {}
    for number, proposal in enumerate(proposals):
        reason = refusals.get(number, "")
        can_skip = not reason or reason.partition(":")[0] in STAGES
        if can_skip and _lot(seed, proposal.pair.pair_number) < share:
            drawn[number] = reason
    return drawn


def _lot(seed: int, pair_number: int) -> float:
    """A number in [0, 1) that is this pair's under this seed."""
    digest = hashlib.sha256(f"audit/{seed}/{pair_number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _left(proposals: Sequence[Proposal], refusals: Mapping[int, str]) -> list[int]:
    return [number for number in range(len(proposals)) if number not in refusals]


def _refuse_by_place(
    proposals: Sequence[Proposal],
    alive: Sequence[int],
    embedder: Embedder,
    space: VectorSpace,
    config: WakeConfig,
) -> tuple[dict[int, str], Usage]:
    """Near-duplicates of memory or of the batch, then what lies too near or too far for an idea."""
    limit = config.guards.max_cosine if config.guards.is_enabled else None
    bounds = config.cascade.distance
    is_on = limit is not None or bounds.least is not None or bounds.most is not None
    if not alive or not is_on:
        return {}, Usage()
    vectors, usage = embedder.embed([proposals[number].conclusion for number in alive])
    to_memory = space.nearest(vectors, 1)[1][:, 0]
    vectors = space.centre(vectors)
    refused = {} if limit is None else _near_duplicates(alive, vectors, to_memory, limit)
    to_parents = to_memory
    if bounds.most is not None:
        to_parents = _to_parents([proposals[number] for number in alive], vectors, space)
    for row, number in enumerate(alive):
        reason = guards.distance(1 - float(to_memory[row]), 1 - float(to_parents[row]), bounds)
        if reason and number not in refused:
            refused[number] = reason
    return refused, usage


def _near_duplicates(
    alive: Sequence[int], vectors: FloatArray, to_memory: FloatArray, limit: float
) -> dict[int, str]:
    """What memory, or an earlier proposal of this batch that is none itself, says already."""
    refused: dict[int, str] = {}
    kept: list[int] = []
    for row, number in enumerate(alive):
        in_batch = float(np.max(vectors[kept] @ vectors[row])) if kept else -1.0
        reason = guards.near_duplicate(float(to_memory[row]), in_batch, limit)
        if reason is None:
            kept.append(row)
        else:
            refused[number] = reason
    return refused


def _to_parents(
    proposals: Sequence[Proposal], vectors: FloatArray, space: VectorSpace
) -> FloatArray:
    """Cosine of each conclusion to the nearer of the two concepts that it came from."""
    cosines = [
        np.einsum("nw,nw->n", vectors, space.vectors([one.concept_id for one in parents]))
        for parents in (
            [proposal.pair.a for proposal in proposals],
            [proposal.pair.b for proposal in proposals],
        )
    ]
    return np.asarray(np.maximum(*cosines), dtype=np.float32)
