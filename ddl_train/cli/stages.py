"""One stage of a run at a time: `wake`, `sleep`; `eval` is in `evaluating.py`."""

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


def _report_wake(run: "Run", cycle: int) -> None:
    from ddl_train.report.tally import count_cycle
    from ddl_train.report.words import count

    counts = count_cycle(run, cycle)
    output().print(
        f"cycle {cycle + 1}: dreamt on {count(counts.pairs, 'pair')}, "
        f"{count(counts.proposals, 'idea')}, {counts.admitted} admitted"
    )
