"""What a night may cost: one line of `HARMS` for each, with its bounds in `PromoteConfig`.

Every harm is compared twice: with the adapter in use (what this night cost) and with the untouched
base (what all nights together have cost), so that small losses cannot add up unseen. Refused is an
estimate beyond `block`, or an upper confidence bound that does not exclude twice as much, so that a
handful of items cannot wave a night through. A warning is an estimate beyond `warn`, or a suite too
small to exclude `block`.

A suite that no report holds is not a harm that was measured: `check_harms` names it in a warning.
Suites that were asked for and are missing refuse the night before it comes to this.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ddl_train.config import Bounds, PromoteConfig
from ddl_train.gate.checks import Check, State, interval_of, size_of
from ddl_train.probes.statistics import Interval, items_needed, items_without_loss
from ddl_train.records import BASE, EvalReport, ItemResult

Worse = Literal["drop", "rise", "change"]


@dataclass(frozen=True, slots=True)
class Harm:
    """One line of the table."""

    name: str
    """Of the rule and of its bounds in the config."""
    suites: tuple[str, ...]
    value: Callable[[ItemResult], float | None]
    """What is compared, item by item; None leaves the item out."""
    worse: Worse
    """`change`: in either direction."""
    is_forgetting: bool = False
    """True where a smaller delta is a mend: what was there and went."""


def right(item: ItemResult) -> float | None:
    return float(item.is_correct)


def score(item: ItemResult) -> float | None:
    return item.margin


def finished(item: ItemResult) -> float | None:
    return None if item.is_finished is None else float(item.is_finished)


def log_length(item: ItemResult) -> float | None:
    is_written = item.is_finished is not None and item.answer is not None
    return math.log1p(len(item.answer or "")) if is_written else None


HARMS = (
    Harm("retention", ("retention",), right, "drop", is_forgetting=True),
    Harm("skill", ("skill",), right, "drop", is_forgetting=True),
    Harm("false_memory", ("false_memory",), right, "rise"),
    Harm("diversity", ("diversity",), score, "drop"),
    Harm("critic", ("critic",), right, "drop"),
    Harm("eos", ("retention", "skill"), finished, "drop"),
    Harm("length", ("retention", "skill"), log_length, "change"),
)
TEXT_HARMS = {"loss": "token loss", "kl": "KL to the base"}
"""What is measured on each set of texts, under the name of its bounds."""
UNASKED = ("critic", "eos", "length")
"""Harms whose absence is not said: answers are written where a suite writes any, and the critic,
which is the frozen base, is put to its canaries before the night."""


def check_harms(
    candidate: EvalReport, current: EvalReport, base: EvalReport, config: PromoteConfig
) -> list[Check]:
    """Every harm of this night and of all nights together, in the order of the table."""
    known = [("the base", base)]
    if current.adapter != BASE:
        known.insert(0, ("the current adapter", current))
    checks, silent = [], []
    for harm in HARMS:
        of_harm = [_of_items(harm, candidate, other, name, config) for name, other in known]
        checks += [check for check in of_harm if check is not None]
        if of_harm[-1] is None and harm.name not in UNASKED:
            silent.append(harm.name)
    for rule in TEXT_HARMS:
        for texts in candidate.losses:
            checks += [_of_texts(rule, texts, candidate, other, config) for other in known]
    if silent:
        sentence = f"not measured, so nothing is known about it: {', '.join(silent)}"
        checks.append(Check(rule="unmeasured", state="warn", sentence=sentence))
    return checks


def is_forgetting(rule: str) -> bool:
    """True for rules that a smaller delta may mend."""
    return rule in (*TEXT_HARMS, "earlier") or any(
        one.name == rule and one.is_forgetting for one in HARMS
    )


def _of_items(
    harm: Harm, candidate: EvalReport, other: EvalReport, against: str, config: PromoteConfig
) -> Check | None:
    """None when nothing of it was measured."""
    pairs = [
        (new, harm.value(new), harm.value(old))
        for new, old in zip(candidate.items, other.items, strict=True)
        if new.suite in harm.suites
    ]
    differences = [b - a for _, a, b in pairs if a is not None and b is not None]
    clusters = [
        item.cluster or item.probe_id for item, a, b in pairs if a is not None and b is not None
    ]
    if harm.worse == "rise":
        differences = [-value for value in differences]
    if len(differences) < config.min_items:
        if not differences or harm.name in ("eos", "length"):
            return None
        count = f"{harm.name} has {len(differences)} items; at least {config.min_items} are needed"
        return Check(rule=harm.name, state="refused", sentence=count)
    interval = interval_of(differences, clusters, 1 - config.confidence, config)
    if harm.worse == "change":
        interval = _either_way(interval)
    words = (f"{harm.name} {harm.worse}", f"{harm.name}_{harm.worse}", size_of(interval))
    is_share = harm.value is not log_length and harm.value is not score
    return _judge(harm.name, words, interval, against, config, is_share=is_share)


def _of_texts(
    rule: str,
    texts: str,
    candidate: EvalReport,
    known: tuple[str, EvalReport],
    config: PromoteConfig,
) -> Check:
    against, other = known
    rises = text_rises(rule, texts, candidate, other)
    names = [str(number) for number in range(len(rises))]
    interval = interval_of(rises, names, 1 - config.confidence, config)
    what = f"rise of {TEXT_HARMS[rule]} on {texts}"
    words = (what, f"{rule}_rise/{texts}", f"{len(rises)} texts")
    return _judge(rule, words, interval, against, config)


def text_rises(rule: str, texts: str, candidate: EvalReport, other: EvalReport) -> list[float]:
    """Of `loss` or `kl`, text by text. The base's divergence is nothing, so its rise is all of it."""
    new, old = (
        (one.losses if rule == "loss" else one.divergences)[texts] for one in (candidate, other)
    )
    return [after - before for after, before in zip(new, old, strict=True)]


def _judge(
    rule: str,
    words: tuple[str, str, str],
    interval: Interval,
    against: str,
    config: PromoteConfig,
    *,
    is_share: bool = False,
) -> Check:
    """Non-inferiority: the estimate within `block`, and twice `block` excluded.

    `words` are what was lost, its key among the numbers, and how much was measured.
    """
    what, key, size = words
    bounds: Bounds = getattr(config, rule)
    alpha = 1 - config.confidence
    needed = items_needed(interval, bounds.block, alpha=alpha)
    if is_share and interval.standard_error == interval.mean == 0 and 0 < 2 * bounds.block < 1:
        needed = items_without_loss(2 * bounds.block, alpha=alpha)
    is_few = interval.num_items < config.min_items
    state: State = "ok"
    notes = []
    if not (interval.mean <= bounds.block):
        state = "refused"
    elif not (interval.high <= 2 * bounds.block) and not is_few:
        state = "refused"
        notes.append(f"that does not exclude {2 * bounds.block:.3f}")
    elif interval.mean > bounds.warn:
        state = "warn"
        notes.append(f"more than {bounds.warn:.3f}")
    elif not (interval.high <= bounds.block):
        state = "warn"
        notes.append(f"that does not exclude {bounds.block:.3f}")
    elif is_few or (interval.standard_error == 0 and (needed or 0) > interval.num_items):
        state = "warn"
        notes.append("that is too little to be sure")
    if state != "ok" and needed is not None and needed > interval.num_items:
        notes.append(f"about {needed} items would tell")
    sentence = (
        f"{what} against {against} is {interval.mean:+.3f} of {bounds.block:.3f} allowed, at most "
        f"{interval.high:+.3f} at {100 * config.confidence:g} % confidence ({size})"
    )
    suffix = "" if against == "the base" else "_of_night"
    return Check(
        rule=rule,
        state=state,
        sentence="; ".join([sentence, *notes]),
        numbers={
            f"{key}{suffix}": interval.mean,
            f"{key}_high{suffix}": interval.high,
            f"{rule}_items": float(interval.num_items),
        },
    )


def _either_way(interval: Interval) -> Interval:
    """The size of a change, whatever its direction."""
    return Interval(
        mean=abs(interval.mean),
        low=0.0,
        high=max(abs(interval.low), abs(interval.high)),
        num_items=interval.num_items,
        num_clusters=interval.num_clusters,
        standard_error=interval.standard_error,
    )
