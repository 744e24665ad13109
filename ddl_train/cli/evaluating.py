"""`ddl-train eval`: the held-out probes, put to a run, to any adapter with its base, to a base."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli.arguments import (
    JsonOption,
    QuietOption,
    find_run,
    output,
    print_json,
    side_output,
)
from ddl_train.cli.boundary import say
from ddl_train.cli.ending import begin
from ddl_train.cli.working import take_up

if TYPE_CHECKING:
    from ddl_train.cli.measuring import Measured
    from ddl_train.cli.wanted import Wanted
    from ddl_train.session import Session
    from ddl_train.storage.run import Run


Target = Annotated[
    str,
    typer.Argument(
        metavar="RUN|ADAPTER|BASE",
        help="A run; or an adapter (folder or Hub id) of --base; or a base by itself.",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(help="Of a run: `current`, `base` or a version, measured beside the base."),
]
Against = Annotated[
    list[str] | None,
    typer.Option(help="Another adapter beside it: a version, a folder or a Hub id. Repeatable."),
]
Base = Annotated[
    str | None, typer.Option(help="Base of an adapter that is no run's: folder or Hub id.")
]
Suite = Annotated[
    list[str] | None,
    typer.Option(help="Only this suite, or the task lm_eval:TASK. Repeatable."),
]
Probes = Annotated[
    list[str] | None,
    typer.Option(metavar="SUITE=FILE", help="Ask this file too: truth=FILE, ... Repeatable."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(help="Whose model, prompts and probe files are used where there is no run."),
]
Out = Annotated[Path | None, typer.Option(help="Folder for eval.json and the items as Parquet.")]
MaxItems = Annotated[int | None, typer.Option(min=1, help="Of each suite.")]
MaxTokens = Annotated[
    int | None, typer.Option(min=1, help="Read and written by all adapters; less is asked.")
]
Sealed = Annotated[
    bool, typer.Option("--sealed", help="Break the seal: ask the third nobody looks at.")
]
History = Annotated[bool, typer.Option("--history", help="Every suite over the cycles of a run.")]


def evaluate(
    target: Target,
    adapter: Adapter = None,
    against: Against = None,
    base: Base = None,
    suite: Suite = None,
    probes: Probes = None,
    config: ConfigFile = None,
    out: Out = None,
    max_items: MaxItems = None,
    max_tokens: MaxTokens = None,
    sealed: Sealed = False,
    history: History = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put the held-out probes to adapters, side by side.

    On a run without further options and with a night that waits for its verdict: the evaluate stage
    of the cycle, and the gate's decision. Otherwise nothing is decided or kept.
    """
    from ddl_train.cli.outside import measure_outside
    from ddl_train.cli.wanted import Wanted
    from ddl_train.probes.budget import check_names

    wanted = Wanted(
        adapter=adapter,
        against=tuple(against or ()),
        suites=tuple(suite or ()),
        files=tuple(probes or ()),
        max_items=max_items,
        max_tokens=max_tokens,
        is_sealed=sealed,
        is_quiet=quiet,
    )
    check_names(wanted.suites)
    run_dir = _run_dir(target, is_outside=base is not None)
    if history:
        _show_history(find_run(target), out=out, json=json)
    elif run_dir is None:
        found = measure_outside(target, base=base, config=config, wanted=wanted)
        _hand_over(found, out=out, json=json)
    elif wanted.is_plain and out is None and _waits(run_dir):
        with take_up(run_dir) as session:
            _decide(session, json=json, quiet=quiet)
    else:
        _hand_over(_measure(run_dir, wanted), out=out, json=json)


def _measure(run_dir: Path, wanted: "Wanted") -> "Measured":
    """Adapters of a run. Tasks are loaded before its model: a mistyped name is said at once."""
    from ddl_train.cli.measuring import measure_run
    from ddl_train.cli.wanted import load_tasks
    from ddl_train.storage.run import Run

    with Run.read(run_dir) as run:
        tasks = load_tasks(wanted, run.config.evaluate)
    with take_up(run_dir) as session:
        return measure_run(session, wanted, tasks)


def _hand_over(found: "Measured", *, out: Path | None, json: bool) -> None:
    """Write what was measured where that is asked for, and show it."""
    if out is not None:
        from ddl_train.report.evaluation import evaluation_object, write_evaluation

        begin()
        for path in write_evaluation(evaluation_object(found.reports, found.examination), out):
            say(f"wrote {path}")
    _show(found, json=json)


def _run_dir(target: str, *, is_outside: bool) -> Path | None:
    """The run that is meant; None for an adapter or a base."""
    from ddl_train.storage.create import is_run

    for place in (Path(target), Path("checkpoints") / target):
        if is_run(place) and not is_outside:
            return place
    path = Path(target)
    if is_outside or any(
        (path / name).is_file() for name in ("config.json", "adapter_config.json")
    ):
        return None
    if not path.exists() and not target.startswith((".", "/", "~")) and target.count("/") == 1:
        return None
    return find_run(target)


def _waits(run_dir: Path) -> bool:
    """Whether a night waits for its verdict."""
    from ddl_train.storage.run import Run

    with Run.read(run_dir) as run:
        return run.stage(run.next_cycle) in ("evaluate", "promote")


def _decide(session: "Session", *, json: bool, quiet: bool) -> None:
    """The evaluate stage of the cycle where it is still to do, and the gate's verdict."""
    from ddl_train.cycle import evaluate_stage, promote_stage
    from ddl_train.report.progress import make_progress

    progress = make_progress(side_output(), is_quiet=quiet)
    run = session.run
    cycle = run.next_cycle
    if run.stage(cycle) == "evaluate":
        evaluate_stage(session, cycle, progress=progress)
    promote_stage(session, cycle, progress=progress)
    _show_cycle(run, cycle, json)


def _show(found: "Measured", *, json: bool) -> None:
    from ddl_train.report.evaluation import (
        evaluation_object,
        print_evaluation,
        print_examination,
    )

    if json:
        print_json(evaluation_object(found.reports, found.examination))
        return
    if found.reports:
        print_evaluation(found.reports, output())
    if found.examination is not None:
        print_examination(found.examination, output())
    output().print(
        f"cost: {found.usage.num_tokens:,} tokens, {found.usage.seconds:.1f} s of model time",
        soft_wrap=True,
    )


def _show_history(run_dir: Path, *, out: Path | None, json: bool) -> None:
    from ddl_train.report.trends import print_history, read_history
    from ddl_train.storage.run import Run

    with Run.read(run_dir) as run:
        history = read_history(run)
    if out is not None and history["cycles"]:
        from ddl_train.report.history_plots import draw_history

        begin()
        for path in draw_history(history, out):
            say(f"wrote {path}")
    if json:
        print_json(history)
    else:
        print_history(history, output())


def _show_cycle(run: "Run", cycle: int, json: bool) -> None:
    from ddl_train.report.status import read_status
    from ddl_train.report.tables import print_status

    status = read_status(run)
    if json:
        print_json(next(one for one in status["cycles"] if one["cycle"] == cycle))
    else:
        print_status(status, output())
