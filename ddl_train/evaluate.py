"""Evaluate: probes x adapter -> EvalReport.

What is asked is fixed first (`probes.suites.build_suites`), once a cycle; then each adapter answers
the same items in the same order, so that the gate can pair them. Suites:

    uptake        held-out wordings of tonight's insights and of a sample of earlier ones
    truth         the user's or an oracle's questions, apart for what was dreamt and what was not
    retention     the user's questions, and token loss on held-out documents and text files
    skill         what the base can do in context
    false_memory  falsehoods; `is_correct` means that the falsehood is believed
    context       some uptake questions again, with the insight or with what memory holds nearest
    iteration     puzzles whose answers follow step by step
    wake          the same pairs dreamt on by every adapter: is the proposal admitted?
    diversity     are these proposals all different?

One adapter answers everything in one go, so that it is swapped in once; the critic's opinion of
what it dreamt comes last, from the base. A suite that was asked for and has nothing to ask is named in `missing`; the gate refuses then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ddl_train.config import EvaluateConfig, WakeConfig
from ddl_train.probes.dreams import SUITES as DREAM_SUITES
from ddl_train.probes.dreams import dream_ids, dream_items, is_idea
from ddl_train.probes.score import score_probes
from ddl_train.probes.suites import Suites
from ddl_train.probes.text import normalise
from ddl_train.records import (
    ConceptPair,
    Critic,
    Embedder,
    Engine,
    EvalReport,
    Generator,
    ItemResult,
    Probe,
    Prompts,
    Proposal,
    Space,
    TextLoss,
    Usage,
    Verdict,
)
from ddl_train.roles import guards
from ddl_train.roles.admission import admit

NEAR_DUPLICATE = 0.98
"""Cosine from which two conclusions say the same, where the guards have no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dreamer:
    """What it takes to dream on the pairs of `wake` and `diversity`."""

    generator: Generator
    critic: Critic
    embedder: Embedder
    space: Space
    special_tokens: Sequence[str]
    config: WakeConfig
    seed: int
    """The same for every adapter and in every cycle."""


def evaluate(
    engine: Engine,
    adapter: str,
    suites: Suites,
    *,
    cycle: int,
    prompts: Prompts,
    config: EvaluateConfig,
    dreamer: Dreamer | None = None,
    known: EvalReport | None = None,
    progress: Callable[[int], None] | None = None,
) -> EvalReport:
    """Put every item to one adapter.

    Args:
        engine: has the adapter loaded.
        adapter: version, or `base`.
        suites: from `build_suites`.
        cycle: written into the report.
        prompts: the run's prompt pack.
        config: how long generated answers may be.
        dreamer: dreams on `suites.pairs`; without one they are left out.
        known: an earlier report of this very adapter: its results are taken over for probes that
            are the same to the letter. Texts are measured again.
        progress: told "n more of `suites.num_items` done".
    """
    if known is not None and known.adapter != adapter:
        raise ValueError(f"known is a report of {known.adapter}; expected one of {adapter}")
    old = {(one.suite, one.probe_id): one for one in known.items} if known else {}
    waiting = [one for one in suites.asked if (one.suite, one.probe.probe_id) not in old]
    if progress and len(waiting) < len(suites.asked):
        progress(len(suites.asked) - len(waiting))
    fresh, answering = score_probes(
        engine,
        waiting,
        adapter=adapter,
        prompts=prompts,
        max_new_tokens=config.max_new_tokens,
        dreamt=suites.dreamt,
        progress=progress,
    )
    results = old | {(one.suite, one.probe_id): one for one in fresh}
    answered = (
        _as_of_now(results[one.suite, one.probe.probe_id], one.probe, suites)
        for one in suites.asked
    )
    texts, weighing = _weigh_texts(engine, suites.texts, adapter, progress)
    dreamt, figures, dreaming = _dream(dreamer, adapter, suites, known, progress)
    return EvalReport(
        adapter=adapter,
        cycle=cycle,
        items=(*answered, *dreamt),
        losses={name: tuple(one.loss for one in found) for name, found in texts.items()},
        divergences={name: tuple(one.divergence for one in found) for name, found in texts.items()},
        missing=suites.missing,
        usage=answering + weighing + dreaming,
        figures=figures,
    )


def _dream(
    dreamer: Dreamer | None,
    adapter: str,
    suites: Suites,
    known: EvalReport | None,
    progress: Callable[[int], None] | None,
) -> tuple[list[ItemResult], Mapping[str, float], Usage]:
    """Items and figures of one adapter; taken over whole where it dreamt on the very same pairs."""
    if dreamer is None or not suites.pairs:
        return [], {}, Usage()
    ids = dream_ids(suites.pairs, dreamer.config, dreamer.seed)
    old = [item for item in known.items if item.suite in DREAM_SUITES] if known else []
    if known and [item.probe_id for item in old] == [*ids, *ids]:
        items, figures, usage = old, known.figures, Usage()
    else:
        items, figures, usage = _dream_anew(dreamer, adapter, suites.pairs, ids)
    if progress:
        progress(len(suites.pairs))
    return items, figures, usage


def _dream_anew(
    dreamer: Dreamer, adapter: str, pairs: Sequence[ConceptPair], ids: Sequence[str]
) -> tuple[list[ItemResult], Mapping[str, float], Usage]:
    proposals, usage = dreamer.generator.propose(pairs, adapter=adapter, seed=dreamer.seed)
    verdicts, scoring = _judge(dreamer, proposals)
    conclusions = [one.proposal.conclusion for one in verdicts if is_idea(one)]
    vectors, embedding = np.zeros((0, 1), dtype=np.float32), Usage()
    if conclusions:
        vectors, embedding = dreamer.embedder.embed(conclusions)
        vectors = dreamer.space.centre(vectors)
    limit = dreamer.config.guards.max_cosine or NEAR_DUPLICATE
    items, figures = dream_items(ids, verdicts, vectors, max_cosine=limit)
    return items, figures, usage + scoring + embedding


def _judge(dreamer: Dreamer, proposals: Sequence[Proposal]) -> tuple[list[Verdict], Usage]:
    """As in wake, but for comparison with memory, which grows between cycles."""
    reasons = [
        guards.check(one, dreamer.config.guards, special_tokens=dreamer.special_tokens)
        for one in proposals
    ]
    alive = [number for number, reason in enumerate(reasons) if reason is None]
    scores, usage = dreamer.critic.score([proposals[number] for number in alive])
    given = dict(zip(alive, scores, strict=True))
    verdicts = []
    for number, proposal in enumerate(proposals):
        found = given.get(number)
        reason = reasons[number]
        if reason is None:
            reason = admit(found, dreamer.config) if found else "unscored: it could not be read"
        verdicts.append(Verdict(proposal=proposal, scores=found, rejected_because=reason))
    return verdicts, usage


def _weigh_texts(
    engine: Engine,
    sets: Mapping[str, Sequence[str]],
    adapter: str,
    progress: Callable[[int], None] | None,
) -> tuple[dict[str, list[TextLoss]], Usage]:
    """Token loss of each text of each set, and its divergence from the base."""
    found, usage = {}, Usage()
    for name, texts in sets.items():
        found[name], cost = engine.text_loss(texts, adapter=adapter)
        usage += cost
        if progress:
            progress(len(texts))
    return found, usage


def _as_of_now(result: ItemResult, probe: Probe, suites: Suites) -> ItemResult:
    """A result taken over from an earlier cycle may since have been dreamt, or be of last night."""
    if result.suite == "uptake":
        result = replace(result, is_tonight=probe.insight_id in suites.tonight)
    if probe.about is None:
        return result
    return replace(result, is_dreamt=suites.dreamt.get(normalise(probe.about)))
