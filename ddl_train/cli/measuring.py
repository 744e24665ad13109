"""What `eval` measures of a run: its adapters, and any other of its base, beside the base."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddl_train.cli.arguments import side_output
from ddl_train.cli.boundary import say
from ddl_train.cli.wanted import Wanted, fit, load_adapter, wanted_config, with_tasks
from ddl_train.config import EvaluateConfig
from ddl_train.records import BASE, EvalReport, Usage

if TYPE_CHECKING:
    from ddl_train.probes.examination import Examination
    from ddl_train.probes.suites import Suites
    from ddl_train.session import Session

CRITIC = "critic"
FEWEST = 24
"""Canaries of each kind when a person asks for the critic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What came of it."""

    reports: list[EvalReport]
    """The base first."""
    examination: "Examination | None"
    usage: Usage


def measure_run(session: "Session", wanted: Wanted, tasks: dict[str, Any]) -> Measured:
    """Adapters of a run, and others of its base, beside the base.

    Args:
        session: a run in hand.
        wanted: what is asked, and of whom.
        tasks: of lm-evaluation-harness, from `load_tasks`.

    Raises:
        AdapterError: there is no such adapter, or it does not fit the base.
        ProbeError: a probe file cannot be used, or leaks into memory.
    """
    from ddl_train.measure import evaluate_adapter, examine_critic
    from ddl_train.report.progress import make_progress

    _check_files(session, wanted)
    versions = _load_versions(session, wanted)
    progress = make_progress(side_output(), is_quiet=wanted.is_quiet)
    cycle = max(session.run.next_cycle - 1, 0)
    examination, usage, reports = None, Usage(), []
    if (not wanted.suites or CRITIC in wanted.suites) and not wanted.is_sealed:
        per_kind = FEWEST if CRITIC in wanted.suites else None
        examined = examine_critic(session, cycle, progress=progress, per_kind=per_kind)
        if examined:
            examination, usage = examined
    if set(wanted.suites) != {CRITIC}:
        suites = _choose(session, wanted, versions, cycle)
        reports = [
            evaluate_adapter(session, one, suites, cycle=cycle, progress=progress)
            for one in versions
        ]
    limit = wanted_config(session.config.evaluate, wanted).max_items
    reports = with_tasks(session.engine, reports, tasks, limit=limit)
    return Measured(
        reports=reports,
        examination=examination,
        usage=sum((report.usage for report in reports), usage),
    )


def _check_files(session: "Session", wanted: Wanted) -> None:
    """Refuse files named for this evaluation whose questions stand in memory."""
    from ddl_train.probes.suites import check_leaks

    if wanted.files:
        texts = [concept.text for concept in session.memory.concepts()]
        check_leaks(wanted_config(EvaluateConfig(), wanted), texts)


def _load_versions(session: "Session", wanted: Wanted) -> list[str]:
    """The base and every adapter asked for; those that are no run's own are loaded."""
    run = session.run
    own = {BASE, *(one.version for one in run.adapters())}
    versions = [BASE]
    for name in (wanted.adapter or "current", *wanted.against):
        version = run.current if name == "current" else name
        if version not in own and (name == wanted.adapter or run.versions_like(version)):
            version = run.adapter(version).version
        if version not in own:
            load_adapter(session.engine, version)
        versions.append(version)
    return list(dict.fromkeys(versions))


def _choose(session: "Session", wanted: Wanted, versions: list[str], cycle: int) -> "Suites":
    """What is asked of all of them; where the seal is broken, a note of it is written first."""
    from ddl_train.measure import cycle_suites
    from ddl_train.probes.budget import narrow
    from ddl_train.storage.openings import record_opening

    config = wanted_config(session.config.evaluate, wanted)
    suites = cycle_suites(session, config=config, is_sealed=wanted.is_sealed)
    suites = narrow(suites, wanted.suites)
    suites = fit(suites, session.engine, session.pack, config, len(versions), wanted)
    if wanted.is_sealed:
        record_opening(
            session.run.database,
            cycle=cycle,
            adapters=versions,
            suites=sorted({one.suite for one in suites.asked}),
            num_items=len(suites.asked),
        )
        say(f"the seal is broken; {session.run.dir} keeps a note of it")
    return suites
