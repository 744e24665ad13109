"""The state of a run as a page for people. All figures come from the object of `status.py`."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ddl_train.records import BASE, JsonObject
from ddl_train.report.suites import DREAMT
from ddl_train.report.words import amount, count, duration, operations, share

SHOWN_SUITES = {
    "uptake": "uptake",
    DREAMT: "truth\n(dreamt)",
    "truth": "truth",
    "retention": "retention",
    "skill": "skill",
    "false_memory": "false\nmemory",
}
"""Columns of the table of cycles, where they were measured; `truth` only if it is not split."""

OPERATOR_COLUMNS = ("pairs", "none", "unread", "ideas", "repeats", "admitted", "share")
"""Columns of the table of operators: keys of the object."""


def print_status(status: JsonObject, console: Console) -> None:
    """Head, cycles, what the last gate said, what it cost."""
    console.print(_head(status))
    if not status["cycles"]:
        console.print("\nno cycle has begun")
        return
    console.print()
    console.print(_cycles(status["cycles"]))
    console.print()
    console.print(_gate(status["cycles"]))
    console.print()
    if len(status["operators"]) > 1:
        console.print(operators_table(status["operators"]))
        console.print()
    if status["samplers"]:
        console.print(samplers_table(status["samplers"]))
        console.print()
    console.print(tax_table(status["tax"]))
    if status["cascade"] is not None:
        console.print()
        console.print(cascade_table(status["cascade"]))


def _head(status: JsonObject) -> Text:
    memory, upcoming = status["memory"], status["next"]
    made = {adapter["version"]: adapter["cycle"] for adapter in status["adapters"]}
    current = status["current"]
    head = Text()
    head.append(status["name"], style="bold")
    head.append(f"  {status['dir']}  base {status['base']}\n")
    head.append(
        f"{count(memory['concepts'], 'concept')} from {count(memory['sources'], 'document')} "
        f"({memory['held_out_sources']} held out), {count(memory['insights'], 'insight')}, "
        f"lineage depth {memory['deepest']}\n"
    )
    head.append("in use: ")
    if current == BASE:
        head.append("the untouched base", style="bold")
    else:
        head.append(current, style="bold")
        head.append(f" (night of cycle {made[current] + 1})")
    if upcoming is None:
        head.append("; all planned cycles are done")
    else:
        head.append(f"; next: cycle {upcoming['cycle'] + 1}, {upcoming['stage']}")
    if workers := status["workers"]:
        lost = f", {workers['num_lost']} lost on the way" if workers["num_lost"] else ""
        head.append(
            f"\nlast wake: {workers['num_alive']} of {count(workers['num_workers'], 'worker')} ready at "
            f"{workers['address']}{lost}"
        )
    if any(one["version"] == current and one["saw_forgotten"] for one in status["adapters"]):
        head.append(
            f"\n{current} was trained on what was forgotten since; weights cannot be cleaned, put "
            "another in use with `ddl-train promote`",
            style="yellow",
        )
    return head


def _cycles(cycles: list[JsonObject]) -> Table:
    measured = {name for cycle in cycles for name in cycle["suites"]}
    if DREAMT in measured:
        measured.discard("truth")
    suites = [name for name in SHOWN_SUITES if name in measured]
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for name in ("cycle", "pairs", "ideas", "admitted"):
        table.add_column(name, justify="right")
    for name in suites:
        table.add_column(SHOWN_SUITES[name], justify="right")
    table.add_column("night")
    for cycle in cycles:
        counts = cycle["counts"]
        table.add_row(
            str(cycle["cycle"] + 1),
            amount(counts["pairs"]),
            amount(counts["proposals"]),
            amount(counts["admitted"]),
            *[_change(cycle["suites"].get(name, {})) for name in suites],
            _night(cycle),
        )
    if suites:
        table.caption = "suites: percent right, the base > the night's candidate"
        table.caption_justify = "left"
    return table


def _change(scores: JsonObject) -> str:
    if BASE not in scores:
        return "-"
    before = f"{100 * scores[BASE]['accuracy']:.0f}"
    if "candidate" not in scores:
        return before
    return f"{before} > {100 * scores['candidate']['accuracy']:.0f}"


def _night(cycle: JsonObject) -> Text:
    if cycle["promoted"]:
        return Text("promoted", style="green")
    if cycle["promoted"] is False:
        return Text("refused", style="red")
    return Text("none" if cycle["stage"] == "done" else f"in {cycle['stage']}", style="yellow")


def _gate(cycles: list[JsonObject]) -> RenderableType:
    """The reasons of the last decision, nights that were skipped, ideas refused."""
    decided = [cycle for cycle in cycles if cycle["reasons"]]
    lines: list[RenderableType] = []
    if decided:
        lines.append(Text(f"the gate on cycle {decided[-1]['cycle'] + 1}", style="bold"))
        for reason in decided[-1]["reasons"]:
            style = "red" if reason.startswith("refused") else ""
            lines.append(Padding(Text(reason, style=style), (0, 0, 0, 2)))
    for cycle in cycles:
        if skipped := cycle["notes"].get("sleep", {}).get("skipped"):
            lines.append(Text(f"no night in cycle {cycle['cycle'] + 1}: {skipped}", style="yellow"))
    missing = cycles[-1]["missing"]
    lines += [
        Padding(Text(f"not measured: {why}", style="yellow"), (0, 0, 0, 2)) for why in missing
    ]
    if revived := revived_words(cycles):
        lines.append(Text(revived))
    refused = sum_rules(cycles)
    if refused:
        listed = ", ".join(f"{rule} {n}" for rule, n in refused.items())
        lines.append(Text(f"ideas refused, by rule: {listed}"))
    return Group(*lines)


def revived_words(cycles: list[JsonObject]) -> str:
    """What came of pairs that came back; empty when none did."""
    revisits, revived, admitted = (
        sum(cycle["counts"][name] for cycle in cycles)
        for name in ("revisits", "revived", "admitted")
    )
    if not revisits:
        return ""
    share = f"{revived / admitted:.1%}" if admitted else "none"
    return (
        f"revived: {amount(revived)} of {count(revisits, 'pair')} that came back "
        f"({revived / revisits:.1%}), {share} of all that was admitted"
    )


def sum_rules(cycles: list[JsonObject]) -> dict[str, int]:
    """Rule -> ideas it refused in all cycles, the commonest first."""
    rules: dict[str, int] = {}
    for cycle in cycles:
        for rule, n in cycle["counts"]["refused"].items():
            rules[rule] = rules.get(rule, 0) + n
    return dict(sorted(rules.items(), key=lambda item: -item[1]))


def operators_table(operators: JsonObject) -> Table:
    """What was dreamt with each operator, and how much of the next batch it gets."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("operator")
    for name in OPERATOR_COLUMNS:
        table.add_column(name, justify="right")
    for name, one in operators.items():
        counts = [amount(one[column]) for column in OPERATOR_COLUMNS[:-1]]
        table.add_row(name, *counts, share(one["share"]))
    table.caption = "repeats: ideas that were said before; share: of the next batch"
    table.caption_justify = "left"
    return table


def samplers_table(samplers: JsonObject) -> Table:
    """What each sampler drew and what came of it, and what it would have found by itself."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("sampler")
    for name in ("pairs", "admitted", "tokens each", "percent", "alone (95 %)"):
        table.add_column(name, justify="right")
    for name, row in samplers.items():
        pairs, admitted, alone = row["pairs"], row["admitted"], row["alone"]
        table.add_row(
            name,
            amount(pairs),
            amount(admitted),
            amount(row["tokens"] / admitted) if admitted else "-",
            f"{100 * admitted / pairs:.1f}" if pairs else "-",
            "-"
            if alone is None
            else f"{100 * alone['rate']:.2g} ({100 * alone['low']:.2g} to {100 * alone['high']:.2g})",
        )
    table.caption = (
        "alone: percent admitted had it drawn alone, from the probabilities of all pairs"
    )
    table.caption_justify = "left"
    return table


def tax_table(tax: JsonObject) -> RenderableType:
    """What each role cost, and what a pair, an idea and an insight came to."""
    roles = Table(box=None, pad_edge=False, header_style="bold")
    roles.add_column("role")
    for name in ("calls", "tokens read", "written", "time", "compute"):
        roles.add_column(name, justify="right")
    for role, cost in tax["roles"].items():
        if not cost["seconds"]:
            continue  # asked for by no setting of this run
        roles.add_row(
            role,
            amount(cost["calls"]),
            amount(cost["prompt_tokens"]),
            amount(cost["completion_tokens"]),
            duration(cost["seconds"]),
            operations(cost["flops"]),
        )
    has_price = tax["all"]["price"] is not None
    shares = Table(box=None, pad_edge=False, header_style="bold")
    shares.add_column("the tax")
    for name in ("tokens", "time", "compute", *(["price"] if has_price else [])):
        shares.add_column(name, justify="right")
    names = {
        "pair": "per pair",
        "proposal": "per idea",
        "admitted": "per admitted insight",
        "answered": "per insight still answered, all costs",
    }
    for what, words in names.items():
        cost = tax["per"][what]
        cells = ["-"] * 4
        if cost is not None:
            cells = [amount(cost["tokens"]), duration(cost["seconds"]), operations(cost["flops"])]
            cells.append(f"{cost['price']:.4g}" if has_price else "")
        shares.add_row(words, *cells[: 3 + has_price])
    parts: list[RenderableType] = [roles, Text(), shares]
    if tax["ratio"] is not None:
        parts.append(
            Text(f"\nwake spent {amount(tax['ratio'])} tokens for each token of an admitted idea")
        )
    return Group(*parts)


def cascade_table(cascade: JsonObject) -> RenderableType:
    """What each stage before the full critic refused, saved and lost."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("the cascade")
    for name in ("refused", "tokens spent", "saved", "good ideas lost"):
        table.add_column(name, justify="right")
    for stage in cascade["stages"]:
        table.add_row(
            stage["stage"],
            amount(stage["refused"]),
            amount(stage["spent_tokens"]),
            amount(stage["saved_tokens"]),
            lost_words(stage["lost"]),
        )
    return Group(table, Text(cascade_words(cascade)))


def lost_words(lost: JsonObject) -> str:
    """`3 (2 to 11 %)`; a dash where there is nothing to tell by."""
    if lost["share"] is None:
        return "-"
    return f"{lost['n']} ({100 * lost['low']:.0f} to {100 * lost['high']:.0f} %)"


def cascade_words(cascade: JsonObject) -> str:
    """What was audited, and what the larger critic did."""
    audited, good, second = cascade["audited"], cascade["good"], cascade["second"]
    said = (
        f"of {count(good, 'good idea')} among {count(audited, 'audited proposal')} the cascade "
        f"would have refused {lost_words(cascade['lost'])}"
        if good
        else f"no good idea among {count(audited, 'audited proposal')}, so what it loses is not known"
    )
    if second["asked"]:
        said += (
            f"; the larger critic was asked about {count(second['asked'], 'idea')} and refused "
            f"{amount(second['refused'])}"
        )
    return said
