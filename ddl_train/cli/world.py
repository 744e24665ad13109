"""`ddl-train world`: an invented world whose truth is known, to try things out in."""

from pathlib import Path
from typing import Annotated

import typer

from ddl_train.cli.arguments import output


def world(
    out: Annotated[Path, typer.Argument(help="Folder to write; must not hold anything else.")],
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 1,
    preset: Annotated[
        str, typer.Option(help="Name of a file in configs/worlds, or a path to one.")
    ] = "quickstart",
) -> None:
    """Write documents, probe files and the truth of an invented world."""
    from ddl_train.world.writer import write_world

    written = write_world(out, seed=seed, preset=preset)
    probes = ", ".join(f"{count} {suite}" for suite, count in written.num_probes.items())
    verb = "wrote" if written.is_new else "holds"
    output().print(
        f"{written.out}: {verb} {written.num_facts:,} facts in {written.num_documents:,} documents; "
        f"probes: {probes}",
        markup=False,
        soft_wrap=True,
    )
