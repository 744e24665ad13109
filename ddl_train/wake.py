"""Wake: a batch of pairs in, verdicts out.

    generator -> guards -> near-duplicate -> distance -> short critic -> full critic -> larger critic
                 (the cascade, in `roles/cascade.py`)

The generator dreams on each pair, what is cheap refuses first, the frozen critic scores what is
left, the admission gate decides, and a larger critic may be asked about the best of it. Nothing is
stored here: `cycle.py` keeps what comes back, and what was admitted is a concept for the very next
batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
from ddl_train.roles.admission import admit, admit_again, best_share, pick_quota
from ddl_train.roles.cascade import Sifted, draw_audits, sift


@dataclass(frozen=True, kw_only=True, slots=True)
class Wakening:
    """What one batch brought."""

    verdicts: tuple[Verdict, ...]
    """One for each pair, in order."""
    usages: Mapping[str, Usage]
    """By role: generator, embedder, critic, rationale; screen and second where they are on."""
    num_asked: Mapping[str, int] = field(default_factory=dict)
    """Proposals that screen and second were asked about; the others count by pair."""


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
    second: Critic | None = None,
) -> Wakening:
    """Dream on each pair and judge what came of it.

    Args:
        pairs: drawn by memory.
        generator: proposes; asked with `adapter` and `seed`.
        critic: scores with frozen weights.
        embedder: for conclusions, in the space of memory.
        space: of memory.
        special_tokens: of the tokenizer; a proposal that holds one is refused.
        config: thresholds, guards, cascade, quota.
        adapter: version that dreams, or `base`.
        seed: of this batch.
        common: content that so many concepts have that to share it is no touch.
        room: with `config.quota`, how many may still be admitted in this batch.
        second: a larger critic; asked about the best of what would be admitted.
    """
    proposals, generating = generator.propose(pairs, adapter=adapter, seed=seed)
    sifted = sift(
        proposals,
        critic=critic,
        embedder=embedder,
        space=space,
        special_tokens=special_tokens,
        common=common,
        config=config,
    )
    share = config.cascade.audit_share
    audits = draw_audits(proposals, sifted.refusals, share=share, seed=seed)
    scores, scoring = _score(proposals, sifted, audits, critic)
    verdicts = _judge(proposals, sifted.refusals, audits, scores, config, room)
    verdicts, num_best, judging = _ask_second(verdicts, second, config)
    verdicts, explaining = _explain(verdicts, critic, config)
    usages = {"generator": generating, **sifted.usages, "critic": scoring}
    if second is not None:
        usages["second"] = judging
    num_screened = len(sifted.screened or {})
    return Wakening(
        verdicts=tuple(verdicts),
        usages=usages | {"rationale": explaining},
        num_asked={"screen": num_screened, "second": num_best},
    )


def _score(
    proposals: Sequence[Proposal], sifted: Sifted, audits: Mapping[int, str], critic: Critic
) -> tuple[dict[int, Scores | None], Usage]:
    """The full critic's scores of what passed the cascade, and of what is audited."""
    asked = [n for n in range(len(proposals)) if n in audits or n not in sifted.refusals]
    known = sifted.screened
    scores, usage = critic.score(
        [proposals[number] for number in asked],
        screened=None if known is None else [known.get(number) for number in asked],
    )
    return dict(zip(asked, scores, strict=True)), usage


def _judge(
    proposals: Sequence[Proposal],
    refusals: Mapping[int, str],
    audits: Mapping[int, str],
    scores: Mapping[int, Scores | None],
    config: WakeConfig,
    room: int | None,
) -> list[Verdict]:
    verdicts = []
    for number, proposal in enumerate(proposals):
        given = scores.get(number)
        if number in refusals and number not in audits:
            reason: str | None = refusals[number]
        elif given is None:
            reason = "unscored: the critic's reply could not be read"
        elif config.quota is not None:
            reason = None
        else:
            reason = admit(given, config)
        verdicts.append(
            Verdict(
                proposal=proposal,
                scores=given,
                rejected_because=reason,
                audit=audits.get(number),
            )
        )
    if config.quota is not None:
        verdicts = pick_quota(verdicts, config.quota if room is None else room)
    return verdicts


def _ask_second(
    verdicts: Sequence[Verdict], second: Critic | None, config: WakeConfig
) -> tuple[list[Verdict], int, Usage]:
    """Let the larger critic refuse among the best; how many it was asked about."""
    settings = config.cascade.second
    if second is None or settings is None:
        return list(verdicts), 0, Usage()
    best = best_share(verdicts, settings.top_share)
    opinions, usage = second.score([verdicts[number].proposal for number in best])
    judged = list(verdicts)
    for number, scores in zip(best, opinions, strict=True):
        reason = admit_again(scores, config)
        judged[number] = replace(verdicts[number], rejected_because=reason)
    return judged, len(best), usage


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
