"""An evaluation side by side: a table with 95 % intervals, paired differences, JSON and Parquet."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from textwrap import wrap

import pyarrow
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

from ddl_train.errors import ResourceError
from ddl_train.probes.context import who_knows
from ddl_train.probes.examination import Examination, Kind, Rate
from ddl_train.probes.statistics import paired_interval, wilson
from ddl_train.records import EvalReport, ItemResult, JsonObject
from ddl_train.report.suites import group_items, mean_divergences, mean_losses, reports_object

BOUND = 0.975
"""Confidence of each bound by itself: the two make a 95 % interval."""
RESAMPLES = 2000
LONGEST_NAME = 16
"""Of an adapter in the head of a column."""
NARROW = 12
"""Width of a column of three or more."""


def print_evaluation(reports: Sequence[EvalReport], console: Console) -> None:
    """A row for each suite and a column for each adapter, then each adapter less the first.

    Of an adapter with a long path the folder's name is shown, and the path below.
    """
    paths = _short_names([report.adapter for report in reports])
    reports = [replace(one, adapter=name) for one, name in zip(reports, paths, strict=True)]
    if any(report.items or report.losses or report.figures for report in reports):
        console.print(_shares(reports))
    for later in reports[1:]:
        console.print()
        console.print(_differences(reports[0], later))
    for report in reports[1:]:
        if known := who_knows(report, reports[0]):
            console.print(
                f"\nof {known.questions} questions about insights, the weights of "
                f"{report.adapter} know {known.weights}, retrieval gives {reports[0].adapter} "
                f"{known.retrieval} ({known.only_weights} only the weights, "
                f"{known.only_retrieval} only retrieval); with the insight in the prompt "
                f"{known.told}, weights and retrieval together {known.adapter_with_retrieval}",
                soft_wrap=True,
            )
    for why in dict.fromkeys(why for report in reports for why in report.missing):
        console.print(f"not measured: {why}", soft_wrap=True)
    for name, path in paths.items():
        if name != path:
            console.print(f"{name} is {path}", soft_wrap=True, markup=False, highlight=False)


def print_examination(examination: Examination, console: Console) -> None:
    """What the critic let in of every kind, the worst first, guards on and off."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("canaries let in", "guards on", "guards off"):
        table.add_column(name, justify="left" if name == "canaries let in" else "right")
    for kind in [*examination.kinds(), examination.all_attacks()]:
        table.add_row(*_kind_cells(kind))
    table.add_row("good ideas kept", *_kind_cells(examination.kept())[1:])
    console.print(table)
    for name, has_guards in (("on", True), ("off", False)):
        value, low, high = examination.auc(has_guards=has_guards)
        console.print(f"AUC, guards {name}: {value:.3f} [{low:.3f}, {high:.3f}]")
    for trial in examination.attacks:
        if trial.refused_with_guards is None:
            pair = trial.canary.pair
            console.print(
                f"let in ({trial.canary.kind}): {trial.canary.text!r}, about {pair.a.text!r} and "
                f"{pair.b.text!r}",
                soft_wrap=True,
            )


def evaluation_object(reports: Sequence[EvalReport], examination: Examination | None) -> JsonObject:
    """What `eval --json` prints: `reports_object`, and intervals, differences and the critic."""
    found = reports_object(reports) | {
        "figures": {report.adapter: dict(report.figures) for report in reports},
        "intervals": {
            report.adapter: {
                suite: list(wilson(sum(item.is_correct for item in items), len(items)))
                for suite, items in group_items(report).items()
            }
            for report in reports
        },
        "differences": [
            {
                "adapter": later.adapter,
                "against": reports[0].adapter,
                "suites": _paired(reports[0], later),
            }
            for later in reports[1:]
        ],
        "usage": {report.adapter: asdict(report.usage) for report in reports},
    }
    if examination is not None:
        found["critic"] = examination.as_json()
        found["trials"] = [
            {
                "kind": trial.canary.kind,
                "id": trial.canary.canary_id,
                "a": trial.canary.pair.a.text,
                "b": trial.canary.pair.b.text,
                "text": trial.canary.text,
                "merit": trial.merit,
                "refused_with_guards": trial.refused_with_guards,
                "refused_without_guards": trial.refused_without_guards,
            }
            for trial in examination.trials
        ]
    return found


def write_evaluation(found: JsonObject, out_dir: Path) -> list[Path]:
    """Write `eval.json`, `items.parquet` and, with a critic, `critic.parquet`.

    Raises:
        ResourceError: the folder cannot be written.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        paths = [out_dir / "eval.json"]
        paths[0].write_text(
            json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
        )
        for name, key in (("items", "items"), ("critic", "trials")):
            if found.get(key):
                paths.append(out_dir / f"{name}.parquet")
                pyarrow.parquet.write_table(pyarrow.Table.from_pylist(found[key]), paths[-1])
    except OSError as error:
        raise ResourceError(f"{out_dir}: cannot be written ({error})") from None
    return paths


def _short_names(adapters: Sequence[str]) -> dict[str, str]:
    """Name to show -> adapter, in order: the end of a long path, with a number where two end so."""
    names: dict[str, str] = {}
    for adapter in adapters:
        short = adapter if len(adapter) <= LONGEST_NAME else Path(adapter).name or adapter
        name, number = short, 2
        while name in names:
            name, number = f"{short} ({number})", number + 1
        names[name] = adapter
    return names


def _shares(reports: Sequence[EvalReport]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("percent right\n[95 %]", min_width=18)
    for report in reports:
        lines = wrap(report.adapter, NARROW if len(reports) > 2 else LONGEST_NAME)
        table.add_column("\n".join(lines), justify="right", no_wrap=True)
    is_alone = len(reports) == 1  # of several, the differences show the score
    for name in (*(("score",) if is_alone else ()), "chance", "items"):
        table.add_column(name, justify="right")
    blank = ["", ""] if is_alone else [""]
    groups = [group_items(report) for report in reports]
    for suite in dict.fromkeys(name for group in groups for name in group):
        of_suite = [group.get(suite, []) for group in groups]
        known = next(items for items in of_suite if items)
        chance = sum(item.chance for item in known) / len(known)
        cells = [*map(_share_cell, of_suite)]
        if is_alone:
            cells.append(f"{sum(item.margin for item in known) / len(known):.2f}")
        table.add_row(suite, *cells, f"{100 * chance:.1f}", f"{len(known):,}")
    for title, means in (("token loss", mean_losses), ("KL to the base", mean_divergences)):
        of_texts = [means(report) for report in reports]
        for name in dict.fromkeys(name for one in of_texts for name in one):
            cells = [f"{one[name]:.3f}" if name in one else "-" for one in of_texts]
            num_texts = max(len(report.losses.get(name, ())) for report in reports)
            table.add_row(f"{title}, {name}", *cells, *blank, f"{num_texts:,}")
    for name in dict.fromkeys(name for report in reports for name in report.figures):
        cells = [
            f"{report.figures[name]:.3f}" if name in report.figures else "-" for report in reports
        ]
        table.add_row(name.replace("/", ": ").replace("_", " "), *cells, *blank, "")
    return table


def _share_cell(items: Sequence[ItemResult]) -> str:
    if not items:
        return "-"
    right = sum(item.is_correct for item in items)
    low, high = wilson(right, len(items))
    return f"{100 * right / len(items):.1f} [{100 * low:.0f}, {100 * high:.0f}]"


def _differences(first: EvalReport, later: EvalReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{later.adapter} less {first.adapter}", overflow="fold")
    for name in ("points right [95 %]", "score [95 %]", "same items"):
        table.add_column(name, justify="right", no_wrap=True)
    for suite, row in _paired(first, later).items():
        cells = [
            f"{scale * row[key]:+.{digits}f} [{scale * row[key + '_low']:+.{digits}f}, "
            f"{scale * row[key + '_high']:+.{digits}f}]"
            for key, scale, digits in (("right", 100, 1), ("margin", 1, 2))
        ]
        table.add_row(suite, *cells, f"{row['items']:,}")
    return table


def _paired(first: EvalReport, later: EvalReport) -> dict[str, JsonObject]:
    """Suite -> paired differences on the items that both were asked."""
    before, after = group_items(first), group_items(later)
    found: dict[str, JsonObject] = {}
    for suite, items in after.items():
        was = {item.probe_id: item for item in before.get(suite, [])}
        both = [(was[item.probe_id], item) for item in items if item.probe_id in was]
        if not both:
            continue
        row: JsonObject = {"items": len(both)}
        for key, value in (("right", "is_correct"), ("margin", "margin")):
            interval = paired_interval(
                [float(getattr(new, value)) - float(getattr(old, value)) for old, new in both],
                [new.cluster or new.probe_id for _, new in both],
                confidence=BOUND,
                num_resamples=RESAMPLES,
            )
            row |= {
                key: interval.mean,
                f"{key}_low": interval.low,
                f"{key}_high": interval.high,
            }
        found[suite] = row
    return found


def _kind_cells(kind: Kind) -> tuple[str, str, str]:
    return kind.name, _rate_cell(kind.with_guards), _rate_cell(kind.without_guards)


def _rate_cell(rate: Rate) -> str:
    return f"{rate.count} of {rate.total} [{100 * rate.low:.1f}, {100 * rate.high:.1f}] %"
