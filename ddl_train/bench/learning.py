"""What the nights put into the weights and what they took, read from a run's reports.

The matrix holds, for every cycle after which was asked (row) and every cycle in which an insight
was admitted (column), how many of its uptake questions the adapter in use answers. Backward
transfer is the mean of last row minus diagonal, forward transfer that of what was right before the
night, less the base.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from ddl_train.records import BASE, EvalReport, Insight, ItemResult, JsonObject
from ddl_train.world.oracle import Oracle

Share = list[int]
"""Right answers and questions: [right, asked]."""


def share(items: Iterable[ItemResult]) -> Share:
    results = [item.is_correct for item in items]
    return [sum(results), len(results)]


def suite_shares(
    report: EvalReport, true_insights: Collection[str], replayed: Collection[str]
) -> JsonObject:
    """Every suite by kind; uptake of true insights only, truth apart for dreamt and undreamt.

    Of home, what no night replays is counted once more by itself.
    """
    groups: dict[str, list[ItemResult]] = {}
    for item in report.items:
        name = item.suite
        if item.suite == "uptake" and item.cluster not in true_insights:
            name = "uptake_of_false"
        elif item.is_dreamt is not None and item.suite in ("truth", "false_memory"):
            name = f"{item.suite}_{'dreamt' if item.is_dreamt else 'undreamt'}"
        if item.suite == "retention" and item.probe_id not in replayed:
            groups.setdefault("retention/never replayed", []).append(item)
        groups.setdefault(f"{name}/{item.kind}", []).append(item)
        groups.setdefault(f"{name}/all", []).append(item)
    return {
        name: {"right": share(items), "chance": sum(i.chance for i in items) / len(items)}
        for name, items in sorted(groups.items())
    }


def true_clusters(insights: Sequence[Insight], oracle: Oracle) -> dict[str, int]:
    """Clusters of the uptake items about true insights, each with the cycle it was admitted in."""
    return {
        f"insight {insight.insight_id}": insight.cycle
        for insight in true_insights(insights, oracle)
    }


def true_insights(insights: Iterable[Insight], oracle: Oracle) -> list[Insight]:
    """Those that the world bears out; contested ones are not among them."""
    return [one for one in insights if oracle.judge(one.conclusion).truth == "true"]


def measure_learning(
    reports: Sequence[EvalReport],
    in_use: Sequence[str],
    insights: Sequence[Insight],
    oracle: Oracle,
    replayed: Collection[str],
) -> JsonObject:
    """Shares after every cycle, of the base and of the adapter in use, and the matrix.

    Args:
        reports: of all cycles.
        in_use: adapter that was current after each cycle.
        insights: all that were admitted.
        oracle: tells which of them are true.
        replayed: probes about facts of home that nights replay in other words.
    """
    clusters = true_clusters(insights, oracle)
    by_key = {(report.cycle, report.adapter): report for report in reports}
    cycles = []
    for cycle, adapter in enumerate(in_use):
        candidate = [one for one in reports if one.cycle == cycle and one.adapter != BASE]
        cycles.append(
            {
                "cycle": cycle,
                "adapter": adapter,
                "base": _shares(by_key.get((cycle, BASE)), clusters, replayed),
                "in_use": _shares(by_key.get((cycle, adapter)), clusters, replayed),
                "candidate": _shares(candidate[0] if candidate else None, clusters, replayed),
                "kl": _kl(by_key.get((cycle, adapter))),
            }
        )
    matrix = [
        _row(by_key.get((cycle, adapter)), clusters, len(in_use))
        for cycle, adapter in enumerate(in_use)
    ]
    before = [
        _row(by_key.get((cycle, in_use[cycle - 1] if cycle else BASE)), clusters, len(in_use))
        for cycle in range(len(in_use))
    ]
    base = [_row(by_key.get((cycle, BASE)), clusters, len(in_use)) for cycle in range(len(in_use))]
    return {
        "cycles": cycles,
        "matrix": matrix,
        "average_accuracy": _mean([ratio(cell) for cell in matrix[-1]] if matrix else []),
        "backward_transfer": backward_transfer(matrix),
        "forward_transfer": _mean(
            [_minus(ratio(before[i][i]), ratio(base[i][i])) for i in range(1, len(in_use))]
        ),
    }


def backward_transfer(matrix: Sequence[Sequence[Share]]) -> float | None:
    """Mean over earlier cycles of what is right now minus what was right when just learned."""
    if len(matrix) < 2:
        return None
    last = len(matrix) - 1
    return _mean([_minus(ratio(matrix[last][i]), ratio(matrix[i][i])) for i in range(last)])


def forgetting(matrix: Sequence[Sequence[Share]]) -> float | None:
    """Mean over earlier cycles of the best there ever was less what is right now.

    Chaudhry et al. 2018 (arXiv:1801.10112). A refused night makes backward transfer look good, as
    what it should have taught comes later; this it does not.
    """
    last = len(matrix) - 1
    drops = []
    for cycle in range(last):
        ever = [found for row in matrix[cycle:last] if (found := ratio(row[cycle])) is not None]
        drops.append(_minus(max(ever, default=None), ratio(matrix[last][cycle])))
    return _mean(drops)


def ratio(cell: Sequence[int]) -> float | None:
    return cell[0] / cell[1] if cell[1] else None


def _shares(
    report: EvalReport | None, clusters: Collection[str], replayed: Collection[str]
) -> JsonObject | None:
    return None if report is None else suite_shares(report, clusters, replayed)


def _kl(report: EvalReport | None) -> float | None:
    """Nats a token between adapter and base, mean over the held-out texts; None unmeasured."""
    return _mean(one for texts in report.divergences.values() for one in texts) if report else None


def _row(report: EvalReport | None, clusters: Mapping[str, int], num_cycles: int) -> list[Share]:
    cells: list[Share] = [[0, 0] for _ in range(num_cycles)]
    for item in report.items if report else ():
        if item.suite == "uptake" and item.cluster in clusters:
            cells[clusters[item.cluster]][0] += item.is_correct
            cells[clusters[item.cluster]][1] += 1
    return cells


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
