"""One stage of a run at a time: `wake`, `sleep`, `eval`. `run` does the same in one go."""

from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli.arguments import (
    JsonOption,
    QuietOption,
    RunArgument,
    find_run,
    output,
    print_json,
    side_output,
)
from ddl_train.cli.working import take_up
from ddl_train.errors import RunError

if TYPE_CHECKING:
    from ddl_train.session import Session
    from ddl_train.storage.run import Run


def wake(
    run: RunArgument,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Instead of wake.num_pairs, for this cycle.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Daydream: the wake stage of the cycle under way, or of the next one."""
    from ddl_train.report.progress import make_progress

    with take_up(find_run(run)) as session:
        from ddl_train.cycle import wake_stage

        cycle = _begin(session, "wake")
        progress = make_progress(side_output(), is_quiet=quiet)
        wake_stage(session, cycle, progress=progress, num_pairs=pairs)
        _report_wake(session.run, cycle)


def sleep(run: RunArgument, quiet: QuietOption = False) -> None:
    """Train the night's adapter: the sleep stage of the cycle under way."""
    from ddl_train.report.progress import make_progress

    with take_up(find_run(run)) as session:
        from ddl_train.cycle import sleep_stage

        cycle = _begin(session, "sleep")
        sleep_stage(session, cycle, progress=make_progress(side_output(), is_quiet=quiet))
        facts = next(one for one in session.run.cycles() if one.cycle == cycle).facts["sleep"]
        if "candidate" in facts:
            output().print(f"the night made adapter {facts['candidate']}; `ddl-train eval {run}`")
        else:
            output().print(f"no night: {facts['skipped']}", soft_wrap=True)


def evaluate(
    run: RunArgument,
    adapter: Annotated[
        str | None,
        typer.Option(help="`current`, `base` or a version: measure it beside the base, now."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put the held-out probes to an adapter, and let the gate decide.

    Without --adapter and with a night that waits for its verdict: the evaluate stage of the cycle,
    and the gate's decision. Otherwise one adapter beside the base; nothing is decided or kept.
    """
    from ddl_train.report.progress import make_progress

    with take_up(find_run(run)) as session:
        from ddl_train.cycle import evaluate_stage, promote_stage

        progress = make_progress(side_output(), is_quiet=quiet)
        found = session.run
        cycle = found.next_cycle
        if adapter is None and found.stage(cycle) in ("evaluate", "promote"):
            if found.stage(cycle) == "evaluate":
                evaluate_stage(session, cycle, progress=progress)
            promote_stage(session, cycle, progress=progress)
            _show_cycle(found, cycle, json)
            return
        version = found.current if adapter in (None, "current") else str(adapter)
        _measure(session, version, json=json, quiet=quiet)


def _begin(session: "Session", stage: str) -> int:
    """The cycle whose `stage` is owed.

    Raises:
        RunError: another stage comes first.
    """
    run = session.run
    cycle = run.next_cycle
    if run.stage(cycle) != stage:
        command = {"evaluate": "eval", "promote": "eval"}.get(run.stage(cycle), run.stage(cycle))
        raise RunError(
            f"{run.dir}: cycle {cycle + 1} is in its {run.stage(cycle)} stage, not in {stage}; "
            f"`ddl-train {command} {run.dir}` comes first"
        )
    run.start_cycle(cycle)
    return cycle


def _measure(session: "Session", version: str, *, json: bool, quiet: bool) -> None:
    from ddl_train.measure import cycle_suites, evaluate_adapter
    from ddl_train.records import BASE
    from ddl_train.report.progress import make_progress
    from ddl_train.report.suites import print_reports, reports_object

    if version != BASE:
        session.run.adapter(version)
    progress = make_progress(side_output(), is_quiet=quiet)
    cycle = max(session.run.next_cycle - 1, 0)
    suites = cycle_suites(session)
    reports = [
        evaluate_adapter(session, one, suites, cycle=cycle, progress=progress)
        for one in dict.fromkeys([BASE, version])
    ]
    if json:
        print_json(reports_object(reports))
    else:
        print_reports(reports, output())


def _report_wake(run: "Run", cycle: int) -> None:
    from ddl_train.report.tally import count_cycle
    from ddl_train.report.words import count

    counts = count_cycle(run, cycle)
    output().print(
        f"cycle {cycle + 1}: dreamt on {count(counts.pairs, 'pair')}, "
        f"{count(counts.proposals, 'idea')}, {counts.admitted} admitted"
    )


def _show_cycle(run: "Run", cycle: int, json: bool) -> None:
    from ddl_train.report.status import read_status
    from ddl_train.report.tables import print_status

    status = read_status(run)
    if json:
        print_json(next(one for one in status["cycles"] if one["cycle"] == cycle))
    else:
        print_status(status, output())
