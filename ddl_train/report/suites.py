"""Suites of a report in figures: how many items, how many right, and what guessing would give."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ddl_train.records import EvalReport, ItemResult, JsonObject

DREAMT = "truth (dreamt)"
"""Items of `truth` that an admitted insight states."""
NOT_DREAMT = "truth (not dreamt)"


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteScore:
    """One suite under one adapter."""

    n: int
    accuracy: float
    chance: float
    """Accuracy expected from guessing."""
    margin: float
    """Mean log-likelihood of right over wrong answers, nats per token."""


def score_suites(report: EvalReport) -> dict[str, SuiteScore]:
    """Suite -> score, in the order of the report; `truth` is also told apart by what was dreamt."""
    return {name: _score(items) for name, items in group_items(report).items()}


def group_items(report: EvalReport) -> dict[str, list[ItemResult]]:
    """Suite -> its items, none empty, under the names and in the order of `score_suites`."""
    groups: dict[str, list[ItemResult]] = {}
    for item in report.items:
        groups.setdefault(item.suite, []).append(item)
    found: dict[str, list[ItemResult]] = {}
    for name, items in groups.items():
        found[name] = items
        if name == "truth":
            found[DREAMT] = [item for item in items if item.is_dreamt is True]
            found[NOT_DREAMT] = [item for item in items if item.is_dreamt is False]
    return {name: items for name, items in found.items() if items}


def mean_losses(report: EvalReport) -> dict[str, float]:
    """Name of a set of retention texts -> mean token loss in nats."""
    return _means(report.losses)


def mean_divergences(report: EvalReport) -> dict[str, float]:
    """Name of a set of retention texts -> mean token KL(adapter || base) in nats."""
    return _means(report.divergences)


def _means(sets: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: sum(values) / len(values) for name, values in sets.items() if values}


def flipped(
    before: Iterable[ItemResult], after: Iterable[ItemResult], suite: str
) -> tuple[list[ItemResult], list[ItemResult]]:
    """Items of a suite that were right and are wrong now, and the other way about (as now)."""
    was = {item.probe_id: item for item in before if item.suite == suite}
    both = [(was[item.probe_id], item) for item in after if item.probe_id in was]
    both = [(old, new) for old, new in both if new.suite == suite]
    lost = [new for old, new in both if old.is_correct and not new.is_correct]
    won = [new for old, new in both if new.is_correct and not old.is_correct]
    return lost, won


def _score(items: list[ItemResult]) -> SuiteScore:
    n = len(items)
    return SuiteScore(
        n=n,
        accuracy=sum(item.is_correct for item in items) / n,
        chance=sum(item.chance for item in items) / n,
        margin=sum(item.margin for item in items) / n,
    )


def reports_object(reports: Sequence[EvalReport]) -> JsonObject:
    """Reports as `eval --json` prints them.

    {adapters[], suites{}, losses{}, divergences{}, missing[], items[]}: `suites` is keyed by suite,
    `losses` and `divergences` by set of texts, then by adapter; `items` hold every answer.
    """
    suites: dict[str, JsonObject] = {}
    losses: dict[str, JsonObject] = {}
    divergences: dict[str, JsonObject] = {}
    for report in reports:
        for suite, score in score_suites(report).items():
            suites.setdefault(suite, {})[report.adapter] = asdict(score)
        for name, loss in mean_losses(report).items():
            losses.setdefault(name, {})[report.adapter] = loss
        for name, divergence in mean_divergences(report).items():
            divergences.setdefault(name, {})[report.adapter] = divergence
    return {
        "adapters": [report.adapter for report in reports],
        "suites": suites,
        "losses": losses,
        "divergences": divergences,
        "missing": list(dict.fromkeys(why for report in reports for why in report.missing)),
        "items": [
            {"adapter": report.adapter, **asdict(item)}
            for report in reports
            for item in report.items
        ],
    }
