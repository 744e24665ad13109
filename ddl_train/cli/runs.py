"""A run from its config: `run`, `init`, `ingest`."""

from pathlib import Path
from typing import Annotated

import typer

from ddl_train.cli.arguments import QuietOption, RunArgument, find_run, output, side_output
from ddl_train.config import load_config

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A YAML file; see configs/.")
]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SECTION.KEY=VALUE",
        help="In place of the config's, such as wake.num_pairs=99.",
    ),
]


def run(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it needs, and stop.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Run every cycle that is owed: create the run of a config, or go on with it."""
    from ddl_train.storage.create import with_ingested

    chosen = with_ingested(load_config(config, overrides))
    if dry_run:
        from ddl_train.cli.planning import show_plan

        show_plan(chosen)
        return
    from ddl_train.cli.boundary import say
    from ddl_train.cli.preflight import preflight, retention_gap, say_left_out
    from ddl_train.cli.working import work_on
    from ddl_train.report.progress import make_progress
    from ddl_train.report.summary import print_summary, summarize
    from ddl_train.storage.run import Run

    checked = preflight(chosen)
    say_left_out(chosen, checked.reading)
    if gap := retention_gap(chosen, checked.reading):
        say(gap)
    with work_on(chosen, pack_dir=checked.pack.dir) as session:
        from ddl_train.cycle import run_cycles

        session.run.note_left_out(checked.reading.left_out_sha256())
        run_cycles(session, progress=make_progress(side_output(), is_quiet=quiet))
    with Run.read(chosen.run_dir) as found:
        print_summary(summarize(found), output())


def init(
    config: ConfigArgument, overrides: OverridesArgument = None, quiet: QuietOption = False
) -> None:
    """Create a run and read its sources into memory, without any cycle yet."""
    from ddl_train.cli.preflight import preflight, say_left_out
    from ddl_train.cli.working import work_on
    from ddl_train.errors import RunError
    from ddl_train.report.progress import make_progress
    from ddl_train.report.words import count
    from ddl_train.storage.create import is_run

    chosen = load_config(config, overrides)
    if is_run(chosen.run_dir):
        raise RunError(
            f"{chosen.run_dir}: is a run already; `ddl-train run {config}` goes on with it"
        )
    checked = preflight(chosen)
    say_left_out(chosen, checked.reading)
    with work_on(chosen, pack_dir=checked.pack.dir) as session:
        from ddl_train.ingest import ingest as read_in

        session.run.note_left_out(checked.reading.left_out_sha256())
        progress = make_progress(side_output(), is_quiet=quiet)
        read_in(session, chosen.memory.sources, cycle=-1, progress=progress)
        words = count(session.memory.num_concepts, "concept")
    output().print(f"{chosen.run_dir}: made, {words} in memory", soft_wrap=True)


def ingest(
    run: RunArgument,
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders or globs.")
    ],
    quiet: QuietOption = False,
) -> None:
    """Read more documents into memory. They are read again in each cycle, as the first ones are."""
    from ddl_train.cli.preflight import preflight, say_left_out
    from ddl_train.cli.working import take_up
    from ddl_train.report.progress import make_progress
    from ddl_train.report.words import count
    from ddl_train.storage.create import with_sources
    from ddl_train.storage.run import Run

    run_dir = find_run(run)
    with Run.read(run_dir) as found:
        chosen, cycle = with_sources(found.config, sources), found.next_cycle
    reading = preflight(chosen).reading
    say_left_out(chosen, reading)
    with take_up(run_dir) as session:
        from ddl_train.ingest import ingest as read_in

        added = read_in(
            session,
            sources,
            cycle=cycle if cycle else -1,
            is_explicit=True,
            progress=make_progress(side_output(), is_quiet=quiet),
        )
        session.run.ingest(sources)
        session.run.note_left_out(reading.left_out_sha256())
        total = session.memory.num_concepts
    output().print(f"{run_dir}: {count(added, 'new concept')}, {total:,} in all", soft_wrap=True)
