"""Keeping what a run made: `export`, `fsck`, `config-schema`."""

from pathlib import Path
from typing import Annotated

import typer

from ddl_train.cli.arguments import RunArgument, find_run, output


def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="A new folder.")],
) -> None:
    """Write insights, verdicts and study items as Parquet, with a dataset card."""
    from ddl_train.report.export import export as write
    from ddl_train.storage.run import Run

    with Run.read(find_run(run)) as found:
        sizes = write(found, out)
    listed = ", ".join(f"{size} {name.replace('_', ' ')}" for name, size in sizes.items())
    output().print(f"{out}: {listed}", soft_wrap=True)


def fsck(
    run: RunArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what can be made from the database.")
    ] = False,
) -> None:
    """Check a run: its database, adapters and caches. Exits 1 when something stays wrong."""
    from ddl_train.storage.fsck import fsck as check

    run_dir = find_run(run)
    findings = check(run_dir, repair=repair)
    console = output()
    for finding in findings:
        console.print(finding, soft_wrap=True)
    if not findings:
        console.print(f"{run_dir}: all is well")
        return
    if repair and not check(run_dir, repair=False):
        console.print(f"{run_dir}: mended")
        return
    raise typer.Exit(1)


def config_schema() -> None:
    """Print the JSON schema of a config file."""
    from ddl_train.config import json_schema

    typer.echo(json_schema())
