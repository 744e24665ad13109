"""The commands; arguments are read first and torch imported after, so that `--help` answers at once.

The groups: `runs` (run, init, ingest), `stages` (wake, sleep, eval), `decisions` (promote, rollback,
forget), `views` (status, insights, ask), `report`, `upkeep` (export, fsck, config-schema),
`distilling`,
`publishing`, `world`, `bench`.
"""

import typer

from ddl_train import __version__
from ddl_train.cli import (
    bench,
    decisions,
    distilling,
    evaluating,
    publishing,
    report,
    runs,
    stages,
    upkeep,
    views,
    world,
)
from ddl_train.cli.ending import begin

app = typer.Typer(
    name="ddl-train",
    help="A day and a night for a language model: it daydreams, sleeps, and is changed by it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
RUN = "Run"
STAGES = "One stage of a run"
DECIDE = "Decide"
LOOK = "Look"
KEEP = "Keep"
TRY = "Try out"
WRITE = ("promote", "rollback", "forget", "publish", "export", "fsck", "report", "world", "bench")
"""Commands that change something at once; the others say when they begin to."""

app.command("run", rich_help_panel=RUN)(runs.run)
app.command("init", rich_help_panel=RUN)(runs.init)
app.command("ingest", rich_help_panel=RUN)(runs.ingest)
app.command("wake", rich_help_panel=STAGES)(stages.wake)
app.command("sleep", rich_help_panel=STAGES)(stages.sleep)
app.command("eval", rich_help_panel=STAGES)(evaluating.evaluate)
app.command("promote", rich_help_panel=DECIDE)(decisions.promote)
app.command("rollback", rich_help_panel=DECIDE)(decisions.rollback)
app.command("forget", rich_help_panel=DECIDE)(decisions.forget)
app.command("status", rich_help_panel=LOOK)(views.status)
app.command("insights", rich_help_panel=LOOK)(views.insights)
app.command("ask", rich_help_panel=LOOK)(views.ask)
app.command("report", rich_help_panel=LOOK)(report.report)
app.command("distill", rich_help_panel=KEEP)(distilling.distill)
app.command("publish", rich_help_panel=KEEP)(publishing.publish)
app.command("export", rich_help_panel=KEEP)(upkeep.export)
app.command("fsck", rich_help_panel=KEEP)(upkeep.fsck)
app.command("config-schema", rich_help_panel=KEEP)(upkeep.config_schema)
app.command("world", rich_help_panel=TRY)(world.world)
app.add_typer(bench.app, name="bench", rich_help_panel=TRY)


@app.callback(invoke_without_command=True)
def _begin(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand in WRITE:
        begin()
