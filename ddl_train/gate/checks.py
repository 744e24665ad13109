"""One rule applied, and whether three reports can be compared at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ddl_train.config import PromoteConfig
from ddl_train.probes.statistics import Interval, paired_interval
from ddl_train.records import BASE, EvalReport, ItemResult

State = Literal["ok", "warn", "refused"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One rule applied."""

    rule: str
    """Stable name: complete, uptake, truth, or that of a harm."""
    state: State
    """One `refused` among the checks refuses the night; `warn` only says so."""
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def check_completeness(candidate: EvalReport, current: EvalReport, base: EvalReport) -> list[Check]:
    """Whether the reports can be compared at all. One `ok` when they can."""
    reports = {"candidate": candidate, "current": current, "base": base}
    if current.adapter == BASE:
        del reports["current"]
    problems = []
    if candidate.adapter in (current.adapter, BASE):
        problems.append(f"the candidate {candidate.adapter} is already in use")
    if base.adapter != BASE:
        problems.append(f"the report of the base is one of {base.adapter}")
    problems += [f"not measured: {why}" for one in reports.values() for why in one.missing]
    problems += _faults(reports)
    for name, report in (("current", current), ("base", base)):
        if _item_keys(report) != _item_keys(candidate):
            problems.append(f"the {name} was not asked the same items in the same order")
        if _sizes(report.losses) != _sizes(candidate.losses):
            problems.append(f"the {name} was not measured on the same texts")
    if not candidate.losses:
        problems.append(
            "retention was not measured on any text, nor the KL to the base: no held-out documents "
            "and no retention file"
        )
    if problems:
        unique = dict.fromkeys(problems)
        return [Check(rule="complete", state="refused", sentence=problem) for problem in unique]
    count = f"{len(candidate.items)} items and {sum(_sizes(candidate.losses).values())} texts"
    sentence = f"all three reports hold the same {count}"
    return [Check(rule="complete", state="ok", sentence=sentence)]


def suite_of(report: EvalReport, suite: str) -> list[ItemResult]:
    return [item for item in report.items if item.suite == suite]


def gained(
    after: Sequence[ItemResult], before: Sequence[ItemResult]
) -> tuple[list[float], list[str]]:
    """Paired differences in right answers, after less before, and the cluster of each."""
    differences = [
        float(new.is_correct) - float(old.is_correct)
        for new, old in zip(after, before, strict=True)
    ]
    return differences, [item.cluster or item.probe_id for item in after]


def interval_of(
    differences: Sequence[float], clusters: Sequence[str], alpha: float, config: PromoteConfig
) -> Interval:
    """BCa interval of paired differences, each bound at `1 - alpha`."""
    return paired_interval(
        differences, clusters, confidence=1 - alpha, num_resamples=config.num_resamples
    )


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def size_of(interval: Interval) -> str:
    return f"{interval.num_items} items in {interval.num_clusters} clusters"


def _faults(reports: Mapping[str, EvalReport]) -> list[str]:
    """What is wrong inside the reports; the same fault of several is one sentence."""
    whose: dict[tuple[str, str], list[str]] = {}
    for name, report in reports.items():
        for fault in _faults_of(report):
            whose.setdefault(fault, []).append(f"the {name}")
    return [f"{before} of {_listed(names)}{after}" for (before, after), names in whose.items()]


def _faults_of(report: EvalReport) -> list[tuple[str, str]]:
    """The words before and after "of the candidate"."""
    faults = []
    if len(set(_item_keys(report))) < len(report.items):
        faults.append(("the report", " holds an item twice"))
    bad = [item for item in report.items if not math.isfinite(item.margin)]
    if bad:
        faults.append((f"{len(bad)} likelihoods", f" are no numbers, first in {bad[0].suite}"))
    for texts, losses in report.losses.items():
        if not losses:
            faults.append(("no loss", f" on {texts}"))
        elif not all(math.isfinite(loss) for loss in losses):
            faults.append(("a loss", f" on {texts} is no number"))
        divergences = report.divergences.get(texts, ())
        if len(divergences) != len(losses):
            faults.append(("the KL to the base", f" on {texts} was not measured"))
        elif not all(math.isfinite(value) for value in divergences):
            faults.append(("a KL to the base", f" on {texts} is no number"))
    return faults


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _item_keys(report: EvalReport) -> list[tuple[str, str]]:
    return [(item.suite, item.probe_id) for item in report.items]


def _sizes(sets: Mapping[str, Sequence[float]]) -> dict[str, int]:
    return {name: len(values) for name, values in sets.items()}
