"""The suites of the gate, cycle by cycle, as the run's own reports hold them.

They are what the nights were judged by, so that they show a life and decide nothing; the exam does.
"""

from collections.abc import Sequence

from ddl_train.records import BASE, EvalReport, ItemResult, JsonObject


def suites_by_cycle(reports: Sequence[EvalReport], in_use: Sequence[str]) -> list[JsonObject]:
    """Shares after every cycle, of the base and of the adapter in use; None where none were asked.

    Args:
        reports: of all cycles.
        in_use: adapter that was current after each cycle.
    """
    by_key = {(report.cycle, report.adapter): report for report in reports}
    return [
        {
            "cycle": cycle,
            "adapter": adapter,
            "base": _shares(by_key.get((cycle, BASE))),
            "in_use": _shares(by_key.get((cycle, adapter))),
            "kl": _kl(by_key.get((cycle, adapter))),
        }
        for cycle, adapter in enumerate(in_use)
    ]


def _shares(report: EvalReport | None) -> JsonObject | None:
    """Right and asked of every suite by kind; truth and falsehoods apart for dreamt and undreamt."""
    if report is None:
        return None
    groups: dict[str, list[ItemResult]] = {}
    for item in report.items:
        name = item.suite
        if item.is_dreamt is not None and item.suite in ("truth", "false_memory"):
            name = f"{item.suite}_{'dreamt' if item.is_dreamt else 'undreamt'}"
        groups.setdefault(f"{name}/{item.kind}", []).append(item)
        groups.setdefault(f"{name}/all", []).append(item)
    return {
        name: [sum(item.is_correct for item in items), len(items)]
        for name, items in sorted(groups.items())
    }


def _kl(report: EvalReport | None) -> float | None:
    """Nats a token between adapter and base, mean over the held-out texts; None unmeasured."""
    values = [one for texts in report.divergences.values() for one in texts] if report else []
    return sum(values) / len(values) if values else None
