"""A run's evidence for one adapter: what was measured on its night, beside the base, and lineage.

From stored reports only. Questions, answers and names of files stay here: what leaves are suites,
ids, hashes and numbers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ddl_train.errors import RunError
from ddl_train.hub.base import FILE_KEYS
from ddl_train.hub.evidence import Bought, Bounded, Evidence, LossResult, Night, SuiteResult
from ddl_train.memory.reading import read_insights
from ddl_train.probes.statistics import paired_interval, wilson
from ddl_train.records import (
    BASE,
    AdapterVersion,
    EvalReport,
    ItemResult,
    JsonObject,
    Promotion,
)
from ddl_train.report.canvas import PAPER, png_of
from ddl_train.report.curves import (
    LESS_IS_BETTER,
    divergence_curves,
    loss_curves,
    suite_curves,
    suite_title,
)
from ddl_train.report.pictures import file_name
from ddl_train.report.plots import curve_figure
from ddl_train.report.status import read_status
from ddl_train.report.suites import flipped, group_items
from ddl_train.storage.run import Run
from ddl_train.storage.students import read_distillations, teacher_of

BOUND = 0.975
"""Confidence of each bound by itself: the two make a 95 % interval."""
NUM_RESAMPLES = 2000


def read_evidence(run: Run, adapter: AdapterVersion) -> Evidence:
    """Everything that a card of this adapter says.

    Raises:
        RunError: the run holds no report of it beside the base.
    """
    of_adapter, of_base = _reports(run, adapter)
    status = read_status(run)
    made_in, paths = adapter.cycle, _paths(run)
    decided = _decisions(run, adapter)
    cycles = [one for one in status["cycles"] if one["cycle"] <= made_in]
    return Evidence(
        run=run.config.name,
        version=adapter.version,
        teacher=teacher_of(run.database, adapter.version),
        bought=_bought(run, adapter),
        is_current=run.current == adapter.version,
        cycle=made_in,
        nights=tuple(_night(one) for one in cycles),
        num_sources=status["memory"]["sources"],
        num_rows=adapter.num_rows,
        num_insights=adapter.num_insights,
        wake_tokens=sum(one["tax"]["wake"]["tokens"] for one in cycles),
        suites=_suites(of_adapter, of_base),
        losses=_losses(of_adapter, of_base),
        reasons=tuple(without_folders(one, paths) for one in decided[-1].reasons)
        if decided
        else (),
        decided_by=decided[-1].decided_by if decided else "nobody",
        missing=tuple(without_folders(one, paths) for one in of_adapter.missing),
        reports={
            f"cycle-{report.cycle + 1}-{name}.json": _report_object(report, paths)
            for name, report in (("adapter", of_adapter), ("base", of_base))
        },
        lineage=_lineage(run, adapter),
    )


def _decisions(run: Run, adapter: AdapterVersion) -> list[Promotion]:
    """What was decided about it: of a student by the gate of distilling, else of a night."""
    of_students = [one.decision for one in read_distillations(run.database)]
    of_nights = [row.promotion for row in run.promotions() if not row.is_rollback]
    found = [one for one in of_students if one.candidate == adapter.version]
    return found or [one for one in of_nights if one.candidate == adapter.version]


def _bought(run: Run, adapter: AdapterVersion) -> Bought | None:
    """As it was measured when the adapter was distilled."""
    tried = [
        one
        for one in read_distillations(run.database)
        if one.decision.candidate == adapter.version and "bought" in one.facts
    ]
    if not tried:
        return None
    both = [tried[-1].facts["bought"][who] for who in ("teacher", "student")]
    parameters, sizes, speeds, bases = (
        (both[0][key], both[1][key])
        for key in ("adapter_parameters", "adapter_bytes", "tokens_per_second", "base_parameters")
    )
    return Bought(
        base_parameters=bases,
        parameters=parameters,
        num_bytes=sizes,
        tokens_per_second=speeds,
        kept=tried[-1].decision.numbers.get("kept"),
    )


def without_folders(text: str, paths: Sequence[str]) -> str:
    """A sentence in which these paths are cut to the name of the file."""
    for path in sorted(paths, key=len, reverse=True):
        text = text.replace(path, Path(path).name)
    return text


def _paths(run: Run) -> list[str]:
    """Files and folders that the config of a run names."""
    values = run.config.model_dump()
    return [str(path) for section, key in FILE_KEYS for path in values[section][key]]


def _reports(run: Run, adapter: AdapterVersion) -> tuple[EvalReport, EvalReport]:
    """The adapter's report of its own night if there is one, with the base's of the same cycle."""
    found = {(one.cycle, one.adapter): one for one in run.reports()}
    cycles = [cycle for cycle, name in found if name == adapter.version and (cycle, BASE) in found]
    if not cycles:
        raise RunError(
            f"{run.dir}: holds no evaluation of {adapter.version} beside the base, so there is no "
            f"evidence to publish; `ddl-train eval {run.dir}` measures a night"
        )
    cycle = adapter.cycle if adapter.cycle in cycles else cycles[-1]
    return found[cycle, adapter.version], found[cycle, BASE]


def _night(cycle: JsonObject) -> Night:
    counts = cycle["counts"]
    return Night(
        cycle=cycle["cycle"],
        num_pairs=counts["pairs"],
        num_ideas=counts["proposals"],
        num_admitted=counts["admitted"],
        is_promoted=cycle["promoted"],
    )


def _suites(after: EvalReport, before: EvalReport) -> tuple[SuiteResult, ...]:
    was, now = group_items(before), group_items(after)
    found = []
    for suite, items in now.items():
        old = {item.probe_id: item for item in was.get(suite, [])}
        both = [(old[item.probe_id], item) for item in items if item.probe_id in old]
        if not both:
            continue
        base_items, items = [one for one, _ in both], [one for _, one in both]
        lost, won = flipped(base_items, items, items[0].suite)
        found.append(
            SuiteResult(
                suite=suite,
                title=suite_title(suite),
                num_items=len(both),
                chance=sum(item.chance for item in items) / len(items),
                adapter=_share(items),
                base=_share(base_items),
                difference=_bounded(
                    [float(new.is_correct) - float(old.is_correct) for old, new in both],
                    [new.cluster or new.probe_id for _, new in both],
                ),
                num_lost=len(lost),
                num_won=len(won),
                is_less_better=suite in LESS_IS_BETTER,
            )
        )
    return tuple(found)


def _share(items: Sequence[ItemResult]) -> Bounded:
    right = sum(item.is_correct for item in items)
    low, high = wilson(right, len(items))
    return Bounded(value=right / len(items), low=low, high=high)


def _losses(after: EvalReport, before: EvalReport) -> tuple[LossResult, ...]:
    found = []
    for name, losses in after.losses.items():
        old = before.losses.get(name, ())
        if not losses or len(losses) != len(old):
            continue
        rises = [new - was for new, was in zip(losses, old, strict=True)]
        found.append(
            LossResult(
                texts=Path(name).name,
                num_texts=len(losses),
                adapter=sum(losses) / len(losses),
                base=sum(old) / len(old),
                rise=_bounded(rises, [str(number) for number in range(len(rises))]),
            )
        )
    return tuple(found)


def _bounded(differences: Sequence[float], clusters: Sequence[str]) -> Bounded:
    found = paired_interval(differences, clusters, confidence=BOUND, num_resamples=NUM_RESAMPLES)
    return Bounded(value=found.mean, low=found.low, high=found.high)


def _report_object(report: EvalReport, paths: Sequence[str]) -> JsonObject:
    """A report without what was asked and answered; ids are hashed, they may be a user's words."""
    return {
        "adapter": report.adapter,
        "cycle": report.cycle,
        "suites": {
            suite: {"num_items": len(items), **asdict(_share(items)), "confidence": 0.95}
            for suite, items in group_items(report).items()
        },
        "losses": {Path(name).name: list(losses) for name, losses in report.losses.items()},
        "divergences": {Path(name).name: list(kl) for name, kl in report.divergences.items()},
        "figures": dict(report.figures),
        "missing": [without_folders(one, paths) for one in report.missing],
        "items": [
            {
                "item": _hashed(item.probe_id),
                "suite": item.suite,
                "kind": item.kind,
                "cluster": _hashed(item.cluster or item.probe_id),
                "is_correct": item.is_correct,
                "margin": item.margin,
                "chance": item.chance,
            }
            for item in report.items
        ],
    }


def _lineage(run: Run, adapter: AdapterVersion) -> JsonObject:
    """Adapters back to the base, insights with their parents, sources by hash."""
    known = {one.version: one for one in run.adapters()}
    chain = [adapter]
    while (parent := chain[-1].parent) is not None and parent in known:
        chain.append(known[parent])
    taught = run.taught(adapter.version)
    insights = read_insights(run.database, cycle=None, ids=sorted(taught))
    sources = run.database.execute("SELECT sha256, is_held_out FROM sources ORDER BY sha256")
    return {
        "adapters": [
            {
                "version": one.version,
                "cycle": one.cycle,
                "num_rows": one.num_rows,
                "num_insights": one.num_insights,
                "base_sha256": one.base_sha256,
                "distilled_from": teacher_of(run.database, one.version),
            }
            for one in chain
        ],
        "insights": [
            {
                "insight_id": one.insight_id,
                "concept_id": one.concept_id,
                "parents": list(one.parents),
                "depth": one.depth,
                "cycle": one.cycle,
                "adapter": one.adapter,
                "sha256": hashlib.sha256(one.text.encode()).hexdigest(),
            }
            for one in insights
        ],
        "sources": [
            {"sha256": row["sha256"], "is_held_out": bool(row["is_held_out"])} for row in sources
        ],
    }


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def draw_evidence(run: Run) -> dict[str, bytes]:
    """A PNG for each suite and each set of texts over the cycles: file name -> content."""
    cycles = read_status(run)["cycles"]
    numbers = [one["cycle"] for one in cycles]
    promoted = [one["cycle"] for one in cycles if one["promoted"]]
    return {
        f"{kind}-{file_name(Path(curve.name).name)}.png": png_of(
            curve_figure(curve, numbers, promoted, PAPER),
            without_folders(curve.title, [curve.name]),
        )
        for kind, curves in (
            ("suite", suite_curves(run, cycles)),
            ("loss", loss_curves(run, cycles)),
            ("kl", divergence_curves(run, cycles)),
        )
        for curve in curves
    }
