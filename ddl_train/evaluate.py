"""Evaluate: probes x adapter -> EvalReport.

What is asked is fixed first (`probes.suites.build_suites`), once a cycle; then each adapter answers
the same items in the same order, so that the gate can pair them. Suites:

    uptake        held-out wordings of tonight's insights and of a sample of earlier ones
    truth         the user's or an oracle's questions, apart for what was dreamt and what was not
    retention     the user's questions, and token loss on held-out documents and text files
    skill         what the base can do in context
    false_memory  falsehoods; `is_correct` means that the falsehood is believed

A suite that was asked for and has nothing to ask is named in `missing`; the gate refuses then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ddl_train.config import EvaluateConfig
from ddl_train.probes.score import score_probes
from ddl_train.probes.suites import Suites
from ddl_train.probes.text import normalise
from ddl_train.records import Engine, EvalReport, ItemResult, Probe, Prompts, Usage


def evaluate(
    engine: Engine,
    adapter: str,
    suites: Suites,
    *,
    cycle: int,
    prompts: Prompts,
    config: EvaluateConfig,
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
    fresh, usage = score_probes(
        engine,
        waiting,
        adapter=adapter,
        prompts=prompts,
        max_new_tokens=config.max_new_tokens,
        dreamt=suites.dreamt,
        progress=progress,
    )
    results = old | {(one.suite, one.probe_id): one for one in fresh}
    losses = {}
    for name, texts in suites.texts.items():
        losses[name], cost = _losses(engine, texts, adapter)
        usage += cost
        if progress:
            progress(len(texts))
    return EvalReport(
        adapter=adapter,
        cycle=cycle,
        items=tuple(
            _now_dreamt(results[one.suite, one.probe.probe_id], one.probe, suites.dreamt)
            for one in suites.asked
        ),
        losses=losses,
        missing=suites.missing,
        usage=usage,
    )


def _losses(engine: Engine, texts: Sequence[str], adapter: str) -> tuple[tuple[float, ...], Usage]:
    likelihoods, usage = engine.text_loss(texts, adapter=adapter)
    return tuple(-likelihood.mean for likelihood in likelihoods), usage


def _now_dreamt(result: ItemResult, probe: Probe, dreamt: Mapping[str, bool]) -> ItemResult:
    """A result taken over from an earlier cycle may since have been dreamt."""
    if probe.about is None:
        return result
    return replace(result, is_dreamt=dreamt.get(normalise(probe.about)))
