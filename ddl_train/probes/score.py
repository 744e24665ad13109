"""One adapter under a list of probes, one result for each.

With choices: every right answer and every choice is scored by its mean log-likelihood a token, and
the best decides. Without: the answer is generated greedily and compared, normalised, with the
right ones; the likelihood of the right ones is scored beside it, so that there is a continuous
figure too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ddl_train.probes.text import normalise
from ddl_train.records import (
    Completion,
    Continuation,
    Engine,
    ItemResult,
    Likelihood,
    Probe,
    Prompts,
    Sampling,
    Usage,
)

BATCH = 64
"""Probes between two reports of progress. The engine has its own batch size."""


class Asked(NamedTuple):
    """A probe in its suite."""

    suite: str
    probe: Probe


def score_probes(
    engine: Engine,
    asked: Sequence[Asked],
    *,
    adapter: str,
    prompts: Prompts,
    max_new_tokens: int,
    dreamt: Mapping[str, bool] | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[ItemResult], Usage]:
    """Score probes of any suites, in order.

    Args:
        engine: has the adapter loaded.
        asked: probes with the suite they belong to.
        adapter: version, or `base`.
        prompts: the run's pack; its `answer` template asks the questions.
        max_new_tokens: of generated answers; a longer right answer makes room for itself.
        dreamt: normalised `about` -> whether an admitted insight states it; see `is_dreamt`.
        progress: told "n more probes done".
    """
    results: list[ItemResult] = []
    usage = Usage()
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        found, cost = _score_batch(engine, batch, adapter, prompts, max_new_tokens, dreamt or {})
        results += found
        usage += cost
        if progress:
            progress(len(batch))
    return results, usage


def user_message(probe: Probe, prompts: Prompts) -> str:
    """What the model is shown for a probe."""
    if probe.is_raw:
        return probe.prompt
    return prompts.render("answer", question=probe.prompt, context=list(probe.context))


def _score_batch(
    engine: Engine,
    batch: Sequence[Asked],
    adapter: str,
    prompts: Prompts,
    max_new_tokens: int,
    dreamt: Mapping[str, bool],
) -> tuple[list[ItemResult], Usage]:
    messages = [user_message(one.probe, prompts) for one in batch]
    continuations = [
        Continuation(prompt=message, continuation=text)
        for message, one in zip(messages, batch, strict=True)
        for text in (*one.probe.answers, *one.probe.choices)
    ]
    likelihoods, usage = engine.loglikelihood(continuations, adapter=adapter)
    open_ones = [number for number, one in enumerate(batch) if not one.probe.choices]
    written: dict[int, Completion] = {}
    if open_ones:
        longest = _longest_answer(batch, likelihoods)
        completions, cost = engine.generate(
            [messages[number] for number in open_ones],
            sampling=Sampling(max_new_tokens=max(max_new_tokens, longest)),
            adapter=adapter,
            seed=0,
        )
        usage += cost
        written = dict(zip(open_ones, completions, strict=True))
    results, place = [], 0
    for number, one in enumerate(batch):
        end = place + len(one.probe.answers) + len(one.probe.choices)
        results.append(_result(one, likelihoods[place:end], written.get(number), dreamt))
        place = end
    return results, usage


def _longest_answer(batch: Sequence[Asked], likelihoods: Sequence[Likelihood]) -> int:
    """Tokens of the longest right answer that is to be generated, and one for its end."""
    longest, place = 0, 0
    for one in batch:
        end = place + len(one.probe.answers)
        if not one.probe.choices:
            longest = max(longest, *(found.num_tokens + 1 for found in likelihoods[place:end]))
        place = end + len(one.probe.choices)
    return longest


def _result(
    asked: Asked,
    likelihoods: Sequence[Likelihood],
    written: Completion | None,
    dreamt: Mapping[str, bool],
) -> ItemResult:
    probe = asked.probe
    means = [likelihood.mean for likelihood in likelihoods]
    num_right = len(probe.answers)
    # not max(): it would drop a NaN that does not come first
    right = _best(means[:num_right])
    if probe.choices:
        margin = means[right] - means[num_right + _best(means[num_right:])]
        is_correct, chance = margin > 0, num_right / len(means)
        answer: str | None = (*probe.answers, *probe.choices)[_best(means)]
    else:
        margin, chance, answer = means[right], 0.0, written.text if written else None
        is_correct = answer is not None and normalise(answer) in map(normalise, probe.answers)
    about = normalise(probe.about) if probe.about is not None else None
    return ItemResult(
        probe_id=probe.probe_id,
        suite=asked.suite,
        kind=probe.kind,
        is_correct=is_correct,
        margin=margin,
        chance=chance,
        answer=answer,
        cluster=_cluster(probe, about),
        is_dreamt=dreamt.get(about) if about is not None else None,
        is_finished=written.is_finished if written else None,
    )


def _best(means: Sequence[float]) -> int:
    """Place of the largest; of the first NaN where there is one."""
    for place, mean in enumerate(means):
        if mean != mean:
            return place
    return max(range(len(means)), key=means.__getitem__)


def _cluster(probe: Probe, about: str | None) -> str:
    """Items of one insight, or about one statement, are not independent of each other."""
    if probe.insight_id is not None:
        return f"insight {probe.insight_id}"
    return about if about is not None else probe.probe_id
