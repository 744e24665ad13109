"""The promotion gate: may tonight's adapter become the current one?

Pure: the same reports give the same decision. It fails closed: whatever is missing, unequal, no
number or too little is a refusal. Every check is a sentence, and all are made even after one
refused, so that a person sees the whole picture. The rules:

    complete      the three reports hold the same items and texts in the same order, all finite,
                  with no suite missing
    uptake        more right answers than the current adapter: the lower confidence bound of the
                  paired difference is above zero, with at least `min_items` items
    truth         the same for `mode: strict`, on questions not known to be about undreamt things
    retention     accuracy against the *base*: the drop is at most `max_retention_drop`, and its
    skill         upper confidence bound at most twice that: a loss of twice the limit must be
    false_memory  excluded, so a handful of items cannot wave a night through
    loss          token loss on each set of texts rises by at most `max_loss_rise` over the base

Accuracy decides, not the margin of likelihoods: an adapter that only makes the model surer of what
it thinks anyway moves every margin and no answer. Margins are reported beside it.

Against the base, not the current adapter, so that small losses cannot add up unseen over nights.

Not covered: several looks at the data. `history` is taken and counted; spending the confidence over
the planned nights belongs here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ddl_train.config import PromoteConfig
from ddl_train.probes.statistics import Interval, items_needed, paired_interval
from ddl_train.records import BASE, EvalReport, ItemResult, Promotion


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One rule applied."""

    passed: bool
    sentence: str
    numbers: dict[str, float] = field(default_factory=dict)


def promote(
    candidate: EvalReport,
    current: EvalReport,
    base: EvalReport,
    history: Sequence[Promotion],
    config: PromoteConfig,
) -> Promotion:
    """Decide about one night.

    Args:
        candidate: report of tonight's adapter.
        current: of the adapter in use; the base's report again when there is none.
        base: of the untouched base.
        history: earlier decisions of this run, oldest first.
        config: limits.
    """
    checks = _completeness(candidate, current, base)
    if all(check.passed for check in checks):
        checks.append(_gain("uptake", candidate, current, config))
        if config.mode == "strict":
            checks.append(_gain("truth", candidate, current, config))
        checks += _losses_of_answers(candidate, base, config)
        checks += _loss_rises(candidate, base, config)
    numbers = {"num_earlier_decisions": float(len(history))}
    for check in checks:
        numbers |= {key: value for key, value in check.numbers.items() if math.isfinite(value)}
    return Promotion(
        candidate=candidate.adapter,
        promoted=all(check.passed for check in checks),
        reasons=tuple(
            f"{'ok' if check.passed else 'refused'}: {check.sentence}" for check in checks
        ),
        numbers=numbers,
    )


def _completeness(candidate: EvalReport, current: EvalReport, base: EvalReport) -> list[Check]:
    """Whether the reports can be compared at all. One passed check when they can."""
    problems = []
    if candidate.adapter in (current.adapter, BASE):
        problems.append(f"the candidate {candidate.adapter} is already in use")
    if base.adapter != BASE:
        problems.append(f"the report of the base is one of {base.adapter}")
    for name, report in (("candidate", candidate), ("current", current), ("base", base)):
        problems += [f"not measured: {why}" for why in report.missing]
        problems += _faults(name, report)
    for name, report in (("current", current), ("base", base)):
        if _item_keys(report) != _item_keys(candidate):
            problems.append(f"the {name} was not asked the same items in the same order")
        if _text_sizes(report) != _text_sizes(candidate):
            problems.append(f"the {name} was not measured on the same texts")
    if not candidate.losses and not _suite(candidate, "retention"):
        problems.append("retention was not measured: no held-out documents and no retention file")
    problems = list(dict.fromkeys(problems))
    if problems:
        return [Check(passed=False, sentence=problem) for problem in problems]
    count = f"{len(candidate.items)} items and {sum(_text_sizes(candidate).values())} texts"
    return [Check(passed=True, sentence=f"all three reports hold the same {count}")]


def _faults(name: str, report: EvalReport) -> list[str]:
    faults = []
    keys = _item_keys(report)
    if len(set(keys)) < len(keys):
        faults.append(f"the report of the {name} holds an item twice")
    bad = [item for item in report.items if not math.isfinite(item.margin)]
    if bad:
        faults.append(
            f"{len(bad)} likelihoods of the {name} are no numbers, first in {bad[0].suite}"
        )
    for texts, losses in report.losses.items():
        if not losses:
            faults.append(f"no loss of the {name} on {texts}")
        elif not all(math.isfinite(loss) for loss in losses):
            faults.append(f"a loss of the {name} on {texts} is no number")
    return faults


def _gain(suite: str, candidate: EvalReport, current: EvalReport, config: PromoteConfig) -> Check:
    """The target: more right answers than the adapter in use."""
    after = [item for item in _suite(candidate, suite) if suite == "uptake" or _counts(item)]
    before = [item for item in _suite(current, suite) if suite == "uptake" or _counts(item)]
    if len(after) < config.min_items:
        of_what = "items" if suite == "uptake" else "items about what was dreamt"
        return Check(
            passed=False,
            sentence=f"{suite} has {len(after)} {of_what}; at least {config.min_items} are needed",
            numbers={f"{suite}_items": float(len(after))},
        )
    interval = _compare(after, before, config)
    passed = interval.is_known and interval.low > 0
    verb = "rose" if interval.mean >= 0 else "fell"
    return Check(
        passed=passed,
        sentence=(
            f"{suite} {verb} by {abs(interval.mean):.3f} over the current adapter, from "
            f"{_accuracy(before):.3f} to {_accuracy(after):.3f} ({_size(interval)}), and by "
            f"{interval.low:+.3f} at least, at {100 * config.confidence:g} % confidence"
        ),
        numbers={
            f"{suite}_gain": interval.mean,
            f"{suite}_gain_low": interval.low,
            f"{suite}_gain_high": interval.high,
            f"{suite}_items": float(interval.num_items),
            f"{suite}_candidate": _accuracy(after),
            f"{suite}_current": _accuracy(before),
            f"{suite}_margin_gain": _mean([item.margin for item in after])
            - _mean([item.margin for item in before]),
        },
    )


def _losses_of_answers(
    candidate: EvalReport, base: EvalReport, config: PromoteConfig
) -> list[Check]:
    checks = []
    for suite, limit in (
        ("retention", config.max_retention_drop),
        ("skill", config.max_skill_drop),
        ("false_memory", config.max_false_memory_rise),
    ):
        after, before = _suite(candidate, suite), _suite(base, suite)
        if not after:
            continue
        if suite == "false_memory":
            what, interval = "rise", _compare(after, before, config)
        else:
            what, interval = "drop", _compare(before, after, config)
        checks.append(_harm(suite, what, interval, limit, config))
    return checks


def _harm(suite: str, what: str, interval: Interval, limit: float, config: PromoteConfig) -> Check:
    """Non-inferiority: the estimate within the limit, and twice the limit excluded."""
    sentence = (
        f"{suite} {what} against the base is {interval.mean:+.3f} of {limit:.3f} allowed, at most "
        f"{interval.high:+.3f} at {100 * config.confidence:g} % confidence ({_size(interval)})"
    )
    if not interval.is_known or interval.mean > limit:
        passed = False
    else:
        passed = interval.high <= 2 * limit
        needed = items_needed(interval, 2 * limit - interval.mean)
        if not passed and needed:
            sentence += f"; that does not exclude {2 * limit:.3f}: about {needed} items would"
        elif not passed:
            sentence += f"; that does not exclude {2 * limit:.3f}"
    return Check(
        passed=passed,
        sentence=sentence,
        numbers={
            f"{suite}_{what}": interval.mean,
            f"{suite}_{what}_high": interval.high,
            f"{suite}_items": float(interval.num_items),
        },
    )


def _loss_rises(candidate: EvalReport, base: EvalReport, config: PromoteConfig) -> list[Check]:
    checks = []
    for name, losses in candidate.losses.items():
        rise = _mean(losses) - _mean(base.losses[name])
        checks.append(
            Check(
                passed=rise <= config.max_loss_rise,
                sentence=(
                    f"token loss on {name} changed by {rise:+.3f} nats against the base, "
                    f"{config.max_loss_rise:.3f} allowed ({len(losses)} texts)"
                ),
                numbers={f"loss_rise/{name}": rise},
            )
        )
    return checks


def _compare(
    after: Sequence[ItemResult], before: Sequence[ItemResult], config: PromoteConfig
) -> Interval:
    """Paired difference in accuracy, after minus before."""
    return paired_interval(
        [
            float(new.is_correct) - float(old.is_correct)
            for new, old in zip(after, before, strict=True)
        ],
        [item.cluster or item.probe_id for item in after],
        confidence=config.confidence,
        num_resamples=config.num_resamples,
    )


def _counts(item: ItemResult) -> bool:
    """A night cannot be blamed for what was never dreamt."""
    return item.is_dreamt is not False


def _suite(report: EvalReport, suite: str) -> list[ItemResult]:
    return [item for item in report.items if item.suite == suite]


def _item_keys(report: EvalReport) -> list[tuple[str, str]]:
    return [(item.suite, item.probe_id) for item in report.items]


def _text_sizes(report: EvalReport) -> dict[str, int]:
    return {name: len(losses) for name, losses in report.losses.items()}


def _accuracy(items: Sequence[ItemResult]) -> float:
    return _mean([float(item.is_correct) for item in items])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _size(interval: Interval) -> str:
    return f"{interval.num_items} items in {interval.num_clusters} clusters"
