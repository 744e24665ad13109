"""Wake: a batch of pairs in, verdicts out.

The generator dreams on each pair, cheap guards refuse first, the frozen critic scores what is
left, and the admission gate decides. Nothing is stored here: `cycle.py` keeps what comes back, and
what was admitted is a concept for the very next batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ddl_train.config import WakeConfig
from ddl_train.records import (
    ConceptPair,
    Critic,
    Embedder,
    Generator,
    Proposal,
    Scores,
    Usage,
    VectorSpace,
    Verdict,
)
from ddl_train.roles import guards
from ddl_train.roles.admission import admit, pick_quota


@dataclass(frozen=True, kw_only=True, slots=True)
class Wakening:
    """What one batch brought."""

    verdicts: tuple[Verdict, ...]
    """One for each pair, in order."""
    usages: Mapping[str, Usage]
    """By role: generator, embedder, critic, rationale."""


def wake(
    pairs: Sequence[ConceptPair],
    *,
    generator: Generator,
    critic: Critic,
    embedder: Embedder,
    space: VectorSpace,
    special_tokens: Sequence[str],
    config: WakeConfig,
    adapter: str,
    seed: int,
    common: frozenset[str] = frozenset(),
    room: int | None = None,
) -> Wakening:
    """Dream on each pair and judge what came of it.

    Args:
        pairs: drawn by memory.
        generator: proposes; asked with `adapter` and `seed`.
        critic: scores with frozen weights.
        embedder: for conclusions, in the space of memory.
        space: of memory.
        special_tokens: of the tokenizer; a proposal that holds one is refused.
        config: thresholds, guards, quota.
        adapter: version that dreams, or `base`.
        seed: of this batch.
        common: content that so many concepts have that to share it is no touch.
        room: with `config.quota`, how many may still be admitted in this batch.
    """
    proposals, generating = generator.propose(pairs, adapter=adapter, seed=seed)
    refusals: dict[int, str] = {}
    for number, proposal in enumerate(proposals):
        reason = guards.check(proposal, config.guards, special_tokens=special_tokens, common=common)
        if reason:
            refusals[number] = reason
    embedding = _refuse_near_duplicates(proposals, refusals, embedder, space, config)
    survivors = [number for number in range(len(proposals)) if number not in refusals]
    scores, scoring = critic.score([proposals[number] for number in survivors])
    verdicts = _judge(proposals, refusals, dict(zip(survivors, scores, strict=True)), config, room)
    verdicts, explaining = _explain(verdicts, critic, config)
    return Wakening(
        verdicts=tuple(verdicts),
        usages={
            "generator": generating,
            "embedder": embedding,
            "critic": scoring,
            "rationale": explaining,
        },
    )


def _refuse_near_duplicates(
    proposals: Sequence[Proposal],
    refusals: dict[int, str],
    embedder: Embedder,
    space: VectorSpace,
    config: WakeConfig,
) -> Usage:
    """Add to `refusals` what memory, or an earlier proposal of this batch, says already."""
    alive = [number for number in range(len(proposals)) if number not in refusals]
    limit = config.guards.max_cosine
    if not alive or limit is None or not config.guards.is_enabled:
        return Usage()
    vectors, usage = embedder.embed([proposals[number].conclusion for number in alive])
    in_memory = space.nearest(vectors, 1)[1][:, 0]
    vectors = space.centre(vectors)
    kept: list[int] = []
    for row, number in enumerate(alive):
        in_batch = float(np.max(vectors[kept] @ vectors[row])) if kept else -1.0
        reason = guards.near_duplicate(float(in_memory[row]), in_batch, limit)
        if reason is None:
            kept.append(row)
        else:
            refusals[number] = reason
    return usage


def _judge(
    proposals: Sequence[Proposal],
    refusals: Mapping[int, str],
    scores: Mapping[int, Scores | None],
    config: WakeConfig,
    room: int | None,
) -> list[Verdict]:
    verdicts = []
    for number, proposal in enumerate(proposals):
        given = scores.get(number)
        if number in refusals:
            reason: str | None = refusals[number]
        elif given is None:
            reason = "unscored: the critic's reply could not be read"
        elif config.quota is not None:
            reason = None
        else:
            reason = admit(given, config)
        verdicts.append(Verdict(proposal=proposal, scores=given, rejected_because=reason))
    if config.quota is not None:
        verdicts = pick_quota(verdicts, config.quota if room is None else room)
    return verdicts


def _explain(
    verdicts: Sequence[Verdict], critic: Critic, config: WakeConfig
) -> tuple[list[Verdict], Usage]:
    admitted = [verdict.proposal for verdict in verdicts if verdict.admitted]
    if not admitted or not config.explain:
        return list(verdicts), Usage()
    rationales, usage = critic.explain(admitted)
    waiting = iter(rationales)
    return [
        replace(verdict, rationale=next(waiting)) if verdict.admitted else verdict
        for verdict in verdicts
    ], usage
