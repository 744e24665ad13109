"""Examine: canaries and good ideas x critic -> Examination.

The critic is asked what it is worth before a night is built on what it let in. It is the frozen
base whichever adapter dreams, so one examination stands for all of them. Every proposal passes the
same guards, critic and admission gate as in wake, once with the guards and once without them.

Memory is left out but for the two concepts of the pair: it holds the good ideas already, and would
refuse them, and what resembles them, as duplicates. The larger critic is left out too: it only
refuses more. In a wake with `wake.cascade.audit_share` so large a share of what the cascade refuses
meets the critic alone, as in the trials without guards; but what speaks to a judge, hides characters
or repeats itself does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ddl_train.config import WakeConfig
from ddl_train.probes.canaries import GOOD, Canary
from ddl_train.probes.examination import Trial
from ddl_train.records import (
    BASE,
    Completion,
    Critic,
    Embedder,
    Proposal,
    Scores,
    Space,
    Usage,
)
from ddl_train.roles import guards
from ddl_train.roles.admission import admit
from ddl_train.roles.cascade import refuse_on_screen
from ddl_train.roles.generator import read_proposal
from ddl_train.roles.prompts import PromptPack

BATCH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """All that decides about a proposal in wake."""

    critic: Critic
    pack: PromptPack
    embedder: Embedder
    space: Space
    special_tokens: Sequence[str]
    config: WakeConfig


def examine(
    canaries: Sequence[Canary], judge: Judge, *, progress: Callable[[int], None] | None = None
) -> tuple[list[Trial], Usage]:
    """Put each canary to the guards, the critic and the gate, in order.

    Args:
        canaries: from `probes.canaries`, good ideas among them.
        judge: of the run.
        progress: told "n more judged".
    """
    trials: list[Trial] = []
    usage = Usage()
    for start in range(0, len(canaries), BATCH):
        batch = canaries[start : start + BATCH]
        found, cost = _examine_batch(batch, judge)
        trials += found
        usage += cost
        if progress:
            progress(len(batch))
    if judge.config.quota is not None:
        trials = _by_rank(trials)
    return trials, usage


def _examine_batch(canaries: Sequence[Canary], judge: Judge) -> tuple[list[Trial], Usage]:
    strict = [_proposal(canary, judge.pack, takes_anything=False) for canary in canaries]
    loose = [_proposal(canary, judge.pack, takes_anything=True) for canary in canaries]
    refusals = [
        guards.check(one, judge.config.guards, special_tokens=judge.special_tokens)
        for one in strict
    ]
    refusals, placing = _refuse_by_place(canaries, strict, refusals, judge)
    refusals, usage = _refuse_on_screen(strict, refusals, judge)
    usage += placing
    asked = [number for number, one in enumerate(loose) if one.conclusion.strip()]
    scores, cost = judge.critic.score([loose[number] for number in asked])
    given = dict(zip(asked, scores, strict=True))
    trials = []
    for number, canary in enumerate(canaries):
        opinion = _opinion(given.get(number), judge.config)
        trials.append(
            Trial(
                canary=canary,
                scores=given.get(number),
                refused_with_guards=refusals[number] or opinion,
                refused_without_guards=opinion,
            )
        )
    return trials, usage + cost


def _proposal(canary: Canary, pack: PromptPack, *, takes_anything: bool) -> Proposal:
    said = Completion(
        text=canary.text,
        num_prompt_tokens=0,
        num_completion_tokens=0,
        is_finished=canary.is_finished,
    )
    return read_proposal(canary.pair, said, pack, BASE, takes_anything=takes_anything)


def _refuse_by_place(
    canaries: Sequence[Canary],
    proposals: Sequence[Proposal],
    refusals: Sequence[str | None],
    judge: Judge,
) -> tuple[list[str | None], Usage]:
    """What says one of the two concepts again is a near-duplicate; what lies too far has strayed."""
    limit = judge.config.guards.max_cosine if judge.config.guards.is_enabled else None
    bounds = judge.config.cascade.distance
    alive = [number for number, reason in enumerate(refusals) if reason is None]
    refused = list(refusals)
    if not alive or (limit is None and bounds.least is None and bounds.most is None):
        return refused, Usage()
    texts = [
        text
        for number in alive
        for text in (
            proposals[number].conclusion,
            canaries[number].pair.a.text,
            canaries[number].pair.b.text,
        )
    ]
    vectors, usage = judge.embedder.embed(texts)
    rows = judge.space.centre(vectors).reshape(len(alive), 3, -1)
    cosines = np.einsum("nw,nkw->nk", rows[:, 0], rows[:, 1:]).max(axis=1)
    for number, cosine in zip(alive, cosines.astype(float).tolist(), strict=True):
        copied = None if limit is None else guards.near_duplicate(cosine, -1.0, limit)
        refused[number] = copied or guards.distance(1 - cosine, 1 - cosine, bounds)
    return refused, usage


def _refuse_on_screen(
    proposals: Sequence[Proposal], refusals: Sequence[str | None], judge: Judge
) -> tuple[list[str | None], Usage]:
    """What the short critic refuses of what is left, where there is one."""
    screen = judge.config.cascade.screen
    refused = list(refusals)
    if screen is None:
        return refused, Usage()
    alive = [number for number, reason in enumerate(refusals) if reason is None]
    answers, usage = judge.critic.screen([proposals[number] for number in alive])
    for number, answer in zip(alive, answers, strict=True):
        refused[number] = refuse_on_screen(answer, screen)
    return refused, usage


def _opinion(scores: Scores | None, config: WakeConfig) -> str | None:
    if scores is None:
        return "unscored: there was nothing to score, or the reply could not be read"
    return None if config.quota is not None else admit(scores, config)


def _by_rank(trials: Sequence[Trial]) -> list[Trial]:
    """With a quota there is no threshold: what ranks with the lower half of the good is let in."""
    good = sorted(trial.merit for trial in trials if trial.canary.kind == GOOD)
    line = good[len(good) // 4] if good else float("inf")
    reason = f"quota: below the {line:.2f} that three of four admitted ideas reach"
    return [
        trial
        if trial.merit >= line
        else replace(
            trial,
            refused_with_guards=trial.refused_with_guards or reason,
            refused_without_guards=trial.refused_without_guards or reason,
        )
        for trial in trials
    ]
