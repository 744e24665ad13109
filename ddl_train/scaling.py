"""Before a night that only forgot is thrown away: the same night, with less of its delta.

Each share becomes an adapter of its own, installed, measured on the same items and decided like any
other. A killed run goes on from the shares that were measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ddl_train.errors import Interrupted
from ddl_train.gate.scaling import in_words
from ddl_train.measure import evaluate_adapter, suites_of_night
from ddl_train.probes.suites import Suites
from ddl_train.promote import decide_by_halves
from ddl_train.records import BASE, EvalReport, Progress, Promotion
from ddl_train.session import Session
from ddl_train.training.delta import scale_adapter


def try_smaller(
    session: Session,
    cycle: int,
    refused: Promotion,
    reports: Mapping[str, EvalReport],
    *,
    progress: Progress,
) -> Promotion:
    """Decide about the largest share of the delta that passes on one half, by the other half.

    Args:
        session: a run in hand.
        cycle: under way, in its promote stage.
        refused: the decision about the whole delta.
        reports: of the current adapter and of the base.
        progress: of the measurements.

    Returns:
        A promotion of the smaller adapter, or `refused` with what was tried.
    """
    config = session.config
    suites, _ = suites_of_night(session, cycle)
    session.run.record_usage(  # STATE
        cycle, "probes", suites.usage, 0, item="suites of smaller deltas"
    )
    factors = sorted(config.promote.scale_factors, reverse=True)
    history = [row.promotion for row in session.run.promotions()]
    current, base = reports[session.run.current], reports[BASE]
    for factor, report in _measure(session, cycle, refused.candidate, factors, suites, progress):
        choice, decision = decide_by_halves(
            report, current, base, history, config.promote, num_nights=config.num_cycles
        )
        if choice.promoted and decision.promoted:
            return _with(decision, factor, f"ok: {_why(refused)}; with {factor:g} of its delta:")
        if choice.promoted:
            why = [one for one in decision.reasons if one.startswith("refused")]
            tried = f"{factor:g} of the delta passed on one half of the items, not on the other"
            return replace(refused, reasons=(*refused.reasons, f"refused: {tried}", *why))
    if not factors:
        return refused
    tried = f"refused: with {in_words(factors)} of its delta it passes no better"
    return replace(refused, reasons=(*refused.reasons, tried))


def _measure(
    session: Session,
    cycle: int,
    version: str,
    factors: Sequence[float],
    suites: Suites,
    progress: Progress,
) -> Iterator[tuple[float, EvalReport]]:
    """Each smaller adapter with its report, made and measured when it is asked for."""
    run = session.run
    whole = run.adapter(version)
    for factor in factors:
        if session.should_stop():
            raise Interrupted
        tmp_dir = scale_adapter(whole.path, run.night_dir(cycle) / "scaled", factor)
        adapter = run.add_adapter(  # STATE
            tmp_dir,
            cycle=cycle,
            base=whole.base,
            base_sha256=whole.base_sha256,
            parent=version,
            num_rows=whole.num_rows,
            num_insights=whole.num_insights,
            insight_ids=run.taught(version),
        )
        known = {report.adapter: report for report in run.reports(cycle)}
        if adapter.version not in known:
            report = evaluate_adapter(
                session, adapter.version, suites, cycle=cycle, progress=progress
            )
            session.engine.unload_adapter(adapter.version)
            run.record_usage(  # STATE
                cycle, "probes", report.usage, len(report.items), item=f"probes {adapter.version}"
            )
            run.save_report(report)  # STATE
            known[adapter.version] = report
        yield factor, known[adapter.version]


def _with(decision: Promotion, factor: float, beginning: str) -> Promotion:
    return replace(
        decision,
        reasons=(beginning, *decision.reasons),
        numbers={**decision.numbers, "scaled_by": factor},
    )


def _why(refused: Promotion) -> str:
    harms = [one.removeprefix("refused: ") for one in refused.reasons if one.startswith("refused")]
    return f"the whole night {refused.candidate} was refused ({'; '.join(harms)})"
