"""`report`: a run as a page to be read and shown."""

from pathlib import Path
from typing import Annotated

import typer

from ddl_train.cli.arguments import RunArgument, find_run, output


def report(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write to; report/ in the run.")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="At most 1,000 dots a plot: a smaller page.")
    ] = False,
) -> None:
    """Write the story of a run as one HTML file, with its plots beside it as PNG."""
    from ddl_train.report.page import write_report
    from ddl_train.report.words import count
    from ddl_train.storage.run import Run

    with Run.read(find_run(run)) as found:
        page, *pictures = write_report(found, out, is_sample=sample)
    beside = f", {count(len(pictures), 'picture')} beside it" if pictures else ""
    output().print(f"{page}{beside}", soft_wrap=True)
