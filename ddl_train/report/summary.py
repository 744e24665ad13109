"""The end of a run at a glance: what it dreamt, what that cost, what it now knows, what it forgot.

Made from what is stored; no model is loaded. "Before" is the untouched base, "after" the adapter in
use, both from the reports of the last cycle that measured both. Where every night was refused, the
last one is shown, as refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ddl_train.probes.files import is_probe_file, read_probes
from ddl_train.records import BASE, EvalReport, ItemResult, JsonObject
from ddl_train.report.status import read_status
from ddl_train.report.suites import DREAMT, SuiteScore, flipped, mean_losses, score_suites
from ddl_train.report.words import amount, count, duration, operations, printable
from ddl_train.storage.run import Run

NUM_EXAMPLES = 3
PROBE_FILES = ("truth", "retention", "skill", "false_memory")
"""Keys of `evaluate` that name probe files, each a suite."""
SUITES = {
    "uptake": "right on its own ideas, in new words",
    DREAMT: "right on truths that it dreamt of",
    "truth (not dreamt)": "right on truths that it did not",
    "truth": "right on truths",
    "retention": "right on what it knew before",
    "skill": "right on what it could do before",
    "false_memory": "falsehoods believed (less is better)",
}
"""Suite -> its name for people, in the order shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One question with what was preferred or written before and after."""

    question: str
    right: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What `print_summary` shows."""

    status: JsonObject
    before: EvalReport | None
    after: EvalReport | None
    """None when no night was measured beside the base."""
    learned: tuple[Example, ...]
    forgotten: tuple[Example, ...]
    num_learned: int
    num_forgotten: int


def summarize(run: Run, *, num_examples: int = NUM_EXAMPLES) -> Summary:
    """Read the end of a run, with so many examples at most of what it learned and forgot."""
    before, after = _last_pair(run)
    learned: list[ItemResult] = []
    forgotten: list[ItemResult] = []
    if before is not None and after is not None:
        for suite in ("truth", "uptake"):
            learned += flipped(before.items, after.items, suite)[1]
        for suite in ("retention", "skill"):
            forgotten += flipped(before.items, after.items, suite)[0]
    questions = _questions(run)
    old = {(item.suite, item.probe_id): item for item in before.items} if before else {}

    def examples(items: Sequence[ItemResult]) -> tuple[Example, ...]:
        known = [item for item in items if _key(item) in questions and item.answer is not None]
        return tuple(
            Example(
                question=questions[_key(item)][0],
                right=questions[_key(item)][1],
                before=old[item.suite, item.probe_id].answer or "",
                after=item.answer or "",
            )
            for item in _spread(known)[:num_examples]
        )

    return Summary(
        status=read_status(run),
        before=before,
        after=after,
        learned=examples(learned),
        forgotten=examples(forgotten),
        num_learned=len(learned),
        num_forgotten=len(forgotten),
    )


def print_summary(summary: Summary, console: Console) -> None:
    """Show it on a page."""
    status = summary.status
    console.print(Text(f"{status['name']}: {_headline(status)}", style="bold"), soft_wrap=True)
    console.print(_dreams(status))
    console.print(_tax(status["tax"]))
    _print_skipped(status, console)
    if summary.before is not None and summary.after is not None:
        console.print()
        _print_refusal(status, summary.after, console)
        suites = _suites(score_suites(summary.before), score_suites(summary.after))
        if suites.row_count:
            console.print(suites)
        _print_losses(summary.before, summary.after, console)
        _print_examples(summary, console)
    console.print()
    console.print(Text("where it is", style="bold"))
    for place, what in _places(status).items():
        console.print(Text(f"  {what:<22}{place}"), soft_wrap=True)


def _print_skipped(status: JsonObject, console: Console) -> None:
    for cycle in status["cycles"]:
        if reason := cycle["notes"].get("sleep", {}).get("skipped"):
            night = Text(f"night {cycle['cycle'] + 1} was skipped: {reason}", style="yellow")
            console.print(night, soft_wrap=True)


def _last_pair(run: Run) -> tuple[EvalReport | None, EvalReport | None]:
    nights = [row.promotion.candidate for row in run.promotions() if not row.is_rollback]
    wanted = [run.current] if run.current != BASE else [one for one in nights[-1:] if one != BASE]
    for cycle in reversed(run.cycles()):
        found = {report.adapter: report for report in run.reports(cycle.cycle)}
        if BASE in found and wanted and wanted[0] in found:
            return found[BASE], found[wanted[0]]
    return None, None


def _questions(run: Run) -> dict[tuple[str, str], tuple[str, str]]:
    """(suite, id without its content hash) -> question and right answer."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for suite in PROBE_FILES:
        for path in getattr(run.config.evaluate, suite):
            if suite == "retention" and not is_probe_file(path):
                continue
            for probe in read_probes(path):
                found[suite, probe.probe_id] = (probe.prompt, probe.answers[0])
    for row in run.database.execute(
        "SELECT insight_id, kind, question, answer FROM study_items WHERE family = 'probe'"
    ):
        key = f"uptake-{row['insight_id']}-{row['kind']}"
        found["uptake", key] = (row["question"], row["answer"])
    return found


def _key(item: ItemResult) -> tuple[str, str]:
    name = item.probe_id.rpartition("#")[0] or item.probe_id
    return item.suite, name.rpartition("-")[0] if item.suite == "uptake" else name


def _spread(items: Sequence[ItemResult]) -> list[ItemResult]:
    """The surest first, one of each insight or statement, written answers before ranked ones."""
    ranked = sorted(items, key=lambda item: (item.chance > 0, -item.margin, item.probe_id))
    first: dict[str, ItemResult] = {}
    for item in ranked:
        first.setdefault(item.cluster or item.probe_id, item)
    return list(first.values())


def _headline(status: JsonObject) -> str:
    done = [cycle for cycle in status["cycles"] if cycle["stage"] == "done"]
    promoted = sum(bool(cycle["promoted"]) for cycle in done)
    nights = count(len(done), "day and night", "days and nights")
    verdict = "the model in use is still the untouched base"
    if status["current"] != BASE:
        verdict = f"the adapter in use is {status['current']}"
    return f"{nights}, {promoted} promoted; {verdict}"


def _dreams(status: JsonObject) -> Text:
    counts = [cycle["counts"] for cycle in status["cycles"]]
    pairs, ideas, admitted, resting = (
        sum(one[name] for one in counts)
        for name in ("pairs", "proposals", "admitted", "resting_on_insights")
    )
    return Text(
        f"dreamt on {count(pairs, 'pair')}: {count(ideas, 'idea')}, {admitted:,} admitted, "
        f"{resting:,} of them resting on earlier ideas"
    )


def _tax(tax: JsonObject) -> Text:
    each = tax["per"]["admitted"]
    wake, everything = tax["wake"], tax["all"]
    words = f"the tax: {amount(wake['tokens'])} tokens dreamt ({operations(wake['flops'])})"
    if each is not None:
        words += f", {amount(each['tokens'])} for each admitted idea"
    if tax["ratio"] is not None:
        words += f" and {amount(tax['ratio'])} for each token kept"
    return Text(f"{words}; {duration(everything['seconds'])} of model time in all")


def _suites(before: Mapping[str, SuiteScore], after: Mapping[str, SuiteScore]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("percent of answers")
    for name in ("before", "after", "chance", "questions"):
        table.add_column(name, justify="right")
    for suite, words in SUITES.items():
        if suite not in after or suite not in before or (suite == "truth" and DREAMT in after):
            continue
        table.add_row(
            words,
            f"{100 * before[suite].accuracy:.1f}",
            f"{100 * after[suite].accuracy:.1f}",
            f"{100 * after[suite].chance:.1f}",
            f"{after[suite].n:,}",
        )
    return table


def _print_refusal(status: JsonObject, after: EvalReport, console: Console) -> None:
    """Why the night that is shown is not in use."""
    if after.adapter == status["current"]:
        return
    decided = [one for one in status["decisions"] if one["candidate"] == after.adapter]
    console.print(Text(f"the last night, {after.adapter}, is not in use:", style="bold red"))
    for reason in decided[-1]["reasons"]:
        if reason.startswith("refused"):
            console.print(Padding(Text(reason, style="red"), (0, 0, 1, 2)))


def _print_losses(before: EvalReport, after: EvalReport, console: Console) -> None:
    old, new = mean_losses(before), mean_losses(after)
    for name, loss in new.items():
        words = f"{old[name]:.2f} nats a token before, {loss:.2f} after (less is better)"
        console.print(f"surprise at {name}: {words}")


def _print_examples(summary: Summary, console: Console) -> None:
    in_use = summary.after is not None and summary.after.adapter == summary.status["current"]
    groups = (
        (
            "it answers now what it could not" if in_use else "it had learned",
            summary.num_learned,
            summary.learned,
        ),
        ("it forgot" if in_use else "it had forgotten", summary.num_forgotten, summary.forgotten),
    )
    for title, total, examples in groups:
        console.print()
        amount_words = count(total, "question") if total else "nothing that was asked"
        console.print(Text(f"{title} ({amount_words})", style="bold"))
        for example in examples:
            console.print(Padding(Text(printable(example.question)), (0, 0, 0, 2)))
            console.print(
                Padding(Text(f"before: {printable(example.before)}", style="dim"), (0, 0, 0, 4))
            )
            line = f"after:  {printable(example.after)}"
            if examples is summary.forgotten:
                line += f"   (right: {printable(example.right)})"
            console.print(Padding(Text(line, style="green"), (0, 0, 0, 4)))


def _places(status: JsonObject) -> dict[str, str]:
    folder = status["dir"]
    name = status["name"] if folder == f"checkpoints/{status['name']}" else folder
    places = {folder: "the run"}
    if status["current"] != BASE:
        places[f"{folder}/adapters/{status['current']}"] = "the adapter in use"
    places[f"ddl-train status {name}"] = "cycles, gate, tax"
    places[f"ddl-train insights {name}"] = "what it came up with"
    places[f'ddl-train ask {name} "..." --compare'] = "it beside the base"
    return places
