"""One stage of a run at a time: `wake`, `sleep`; `eval` is in `evaluating.py`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli.arguments import (
    QuietOption,
    RunArgument,
    find_run,
    output,
    side_output,
)
from ddl_train.cli.working import take_up
from ddl_train.errors import RunError

if TYPE_CHECKING:
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

    run_dir = find_run(run)
    _check(run_dir, "wake")
    with take_up(run_dir) as session:
        from ddl_train.cycle import wake_stage

        cycle = _begin(session.run, "wake")
        progress = make_progress(side_output(), is_quiet=quiet)
        wake_stage(session, cycle, progress=progress, num_pairs=pairs)
        _report_wake(session.run, cycle)


def sleep(run: RunArgument, quiet: QuietOption = False) -> None:
    """Train the night's adapter: the sleep stage of the cycle under way."""
    from ddl_train.report.progress import make_progress

    run_dir = find_run(run)
    _check(run_dir, "sleep")
    with take_up(run_dir) as session:
        from ddl_train.cycle import sleep_stage

        cycle = _begin(session.run, "sleep")
        sleep_stage(session, cycle, progress=make_progress(side_output(), is_quiet=quiet))
        facts = next(one for one in session.run.cycles() if one.cycle == cycle).facts["sleep"]
        if "candidate" in facts:
            output().print(f"the night made adapter {facts['candidate']}; `ddl-train eval {run}`")
        else:
            output().print(f"no night: {facts['skipped']}", soft_wrap=True)


def _check(run_dir: Path, stage: str) -> None:
    """Refuse a stage out of turn before a model is loaded for it.

    Raises:
        RunError: another process works on the run, or another stage comes first.
    """
    from ddl_train.storage.run import Run

    with Run.open(run_dir) as run:
        _owed_cycle(run, stage)


def _begin(run: "Run", stage: str) -> int:
    """Start the cycle whose `stage` is owed; which one it is.

    Raises:
        RunError: another stage comes first, now that nobody else works on the run.
    """
    cycle = _owed_cycle(run, stage)
    run.start_cycle(cycle)
    return cycle


def _owed_cycle(run: "Run", stage: str) -> int:
    cycle = run.next_cycle
    owed = run.stage(cycle)
    if owed != stage:
        command = {"evaluate": "eval", "promote": "eval"}.get(owed, owed)
        raise RunError(
            f"{run.dir}: cycle {cycle + 1} is in its {owed} stage, not in {stage}; "
            f"`ddl-train {command} {run.dir}` comes first"
        )
    return cycle


def _report_wake(run: "Run", cycle: int) -> None:
    from ddl_train.report.tally import count_cycle
    from ddl_train.report.words import count

    counts = count_cycle(run, cycle)
    output().print(
        f"cycle {cycle + 1}: dreamt on {count(counts.pairs, 'pair')}, "
        f"{count(counts.proposals, 'idea')}, {counts.admitted} admitted"
    )
