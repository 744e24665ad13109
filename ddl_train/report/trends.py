"""Suites of a run over its cycles: `eval RUN --history`."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ddl_train.memory.reading import read_insights
from ddl_train.probes.statistics import wilson
from ddl_train.probes.trends import ChangePoint, find_change, transfer, uptake_matrix
from ddl_train.records import BASE, EvalReport, ItemResult, JsonObject
from ddl_train.report.suites import group_items, mean_divergences, mean_losses
from ddl_train.storage.openings import read_openings
from ddl_train.storage.run import Run

TRANSFERS = {
    "backward_transfer": "what earlier nights taught: right now, less right after its night",
    "forward_transfer": "what a night is about to teach: right before it, less the base",
    "forgetting": "what earlier nights taught: best that it was before, less now; below 0 is better "
    "than ever",
}
"""Mean over nights, in uptake, and what each is."""
_BARS = "▁▂▃▄▅▆▇█"


def read_history(run: Run) -> JsonObject:
    """{cycles[], suites{}, losses{}, divergences{}, transfer{}, sealed_openings[]}.

    All of the adapter in use after each cycle; `cycles` count from 0, as everywhere in JSON. A
    suite is {right[], asked[], share[], low[], high[], margin[], jump_of_share, jump_of_margin},
    point by point over those of `cycles` that `places` names; a set of texts {places[], nats[]}.
    """
    in_use = _in_use(run)
    cycles = sorted(in_use)
    by_key = {(report.cycle, report.adapter): report for report in run.reports()}
    asked = [cycle for cycle in cycles if (cycle, in_use[cycle]) in by_key]
    reports = [by_key[cycle, in_use[cycle]] for cycle in asked]
    suites = {
        name: _series([group_items(report).get(name, []) for report in reports])
        for name in dict.fromkeys(name for report in reports for name in group_items(report))
    }
    return {
        "cycles": asked,
        "adapters": [in_use[cycle] for cycle in asked],
        "suites": suites,
        "losses": _texts([mean_losses(report) for report in reports]),
        "divergences": _texts([mean_divergences(report) for report in reports]),
        "transfer": _transfer(run, asked, in_use, by_key),
        "sealed_openings": [
            {"opened_at": one.opened_at, "adapters": list(one.adapters), "items": one.num_items}
            for one in read_openings(run.database)
        ],
    }


def print_history(history: JsonObject, console: Console) -> None:
    """A line of bars for each suite and set of texts, then transfer, and what looks like a jump."""
    if not history["cycles"]:
        console.print("no night was evaluated yet")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("of the adapter in use", "cycles", "first", "last [95 %]", "score"):
        is_left = name in ("of the adapter in use", "cycles")
        table.add_column(name, justify="left" if is_left else "right")
    for name, row in history["suites"].items():
        table.add_row(
            name,
            _bars(row["share"]),
            f"{100 * row['share'][0]:.1f}",
            f"{100 * row['share'][-1]:.1f} [{100 * row['low'][-1]:.1f}, {100 * row['high'][-1]:.1f}]",
            f"{row['margin'][0]:.3f} > {row['margin'][-1]:.3f}",
        )
    for title, key in (("loss", "losses"), ("KL", "divergences")):
        for name, row in history[key].items():
            nats = row["nats"]
            bars = _bars([value / max(*map(abs, nats), 1e-9) for value in nats])
            table.add_row(f"{title}, {name}", bars, "", "", f"{nats[0]:.3f} > {nats[-1]:.3f}", "")
    console.print(table)
    console.print(
        "\nfirst and last: percent right; score: of likelihood, in nats a token, first > last; "
        "KL: to the base",
        soft_wrap=True,
    )
    for name, what in TRANSFERS.items():
        value = history["transfer"][name]
        said = "not known yet" if value is None else f"{100 * value:+.1f} points"
        console.print(f"{name.replace('_', ' ')}: {said} ({what})", soft_wrap=True)
    for name, row in history["suites"].items():
        if jump := _jump(row, history["cycles"]):
            console.print(f"{name} jumps {jump}", soft_wrap=True)
    if len(history["cycles"]) < 4:
        console.print("a jump is looked for from four nights on")
    for one in history["sealed_openings"]:
        console.print(
            f"the sealed probes were opened on {one['opened_at']} for {', '.join(one['adapters'])}"
        )


def _in_use(run: Run) -> dict[int, str]:
    """Cycle -> adapter that was current after the gate's decision in it."""
    current, found = BASE, {}
    for row in run.promotions():
        if row.promotion.promoted:
            current = row.promotion.candidate
        found[row.cycle] = current
    return found


def _series(groups: Sequence[Sequence[ItemResult]]) -> JsonObject:
    """Shares and margins point by point; nights in which the suite was not asked are left out."""
    asked = [group for group in groups if group]
    right = [sum(item.is_correct for item in group) for group in asked]
    margins = [sum(item.margin for item in group) / len(group) for group in asked]
    intervals = [wilson(n, len(group)) for n, group in zip(right, asked, strict=True)]
    shares = [n / len(group) for n, group in zip(right, asked, strict=True)]
    return {
        "places": [place for place, group in enumerate(groups) if group],
        "right": right,
        "asked": [len(group) for group in asked],
        "share": shares,
        "low": [low for low, _ in intervals],
        "high": [high for _, high in intervals],
        "margin": margins,
        "jump_of_share": _change(find_change(shares)),
        "jump_of_margin": _change(find_change(margins)),
    }


def _texts(means: Sequence[Mapping[str, float]]) -> JsonObject:
    """Set of texts -> its means point by point; nights without one are left out."""
    found: dict[str, JsonObject] = {}
    for place, one in enumerate(means):
        for name, nats in one.items():
            series = found.setdefault(name, {"places": [], "nats": []})
            series["places"].append(place)
            series["nats"].append(nats)
    return found


def _change(found: ChangePoint | None) -> JsonObject | None:
    if found is None:
        return None
    return {
        "place": found.place,
        "before": found.before,
        "after": found.after,
        "p_value": found.p_value,
    }


def _transfer(
    run: Run,
    cycles: Sequence[int],
    in_use: dict[int, str],
    by_key: dict[tuple[int, str], EvalReport],
) -> JsonObject:
    num_cycles = max(cycles, default=-1) + 1
    admitted_in = {
        f"insight {one.insight_id}": one.cycle
        for one in read_insights(run.database, cycle=None, ids=None)
        if one.cycle < num_cycles
    }
    names = [in_use[cycle] for cycle in cycles]
    earlier = [BASE, *names[:-1]]

    def matrix(adapters: Sequence[str]) -> list[list[tuple[int, int]]]:
        reports = [
            by_key.get((cycle, adapter), EvalReport(adapter=adapter, cycle=cycle, items=()))
            for cycle, adapter in zip(cycles, adapters, strict=True)
        ]
        wide = uptake_matrix(reports, admitted_in, num_cycles)
        return [[row[cycle] for cycle in cycles] for row in wide]

    found = transfer(matrix(names), matrix(earlier), matrix([BASE] * len(names)))
    return {
        "backward_transfer": found.backward,
        "forward_transfer": found.forward,
        "forgetting": found.forgetting,
    }


def _bars(shares: Sequence[float]) -> str:
    top = len(_BARS) - 1
    return "".join(_BARS[min(top, max(0, round(share * top)))] for share in shares)


def _jump(row: JsonObject, cycles: Sequence[int]) -> str:
    """Whether the exact-match score leaps, and the continuous one with it."""
    share, margin = row["jump_of_share"], row["jump_of_margin"]
    if share is None or share["p_value"] > 0.05:
        return ""
    cycle = cycles[row["places"][share["place"]]] + 1
    if margin is not None and margin["p_value"] <= 0.05 and margin["place"] == share["place"]:
        return f"in cycle {cycle}, in both scores"
    return f"in cycle {cycle}, of the metric only"
