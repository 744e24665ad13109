"""What several commands take: a run by its folder or its name."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ddl_train.errors import RunError

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Run folder, or its name under checkpoints/.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def find_run(name: str) -> Path:
    """The folder of a run.

    Raises:
        RunError: there is none; names the runs that there are.
    """
    from ddl_train.storage.create import is_run

    places = [Path(name), Path("checkpoints") / name]
    for place in places:
        if is_run(place):
            return place
    known = sorted(path.name for path in Path("checkpoints").glob("*") if is_run(path))
    what = "is no run folder" if places[0].is_dir() else "no such run"
    raise RunError(
        f"{name}: {what}; "
        + (f"there are: {', '.join(known)}" if known else "`ddl-train run CONFIG` makes one")
    )


def output() -> Console:
    """Where a command prints what it was asked for."""
    return Console(highlight=False, markup=False, emoji=False)


def side_output() -> Console:
    """Where progress goes."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """One JSON document on standard output; NaN and infinities become null."""
    import json
    import math

    def plain(value: object) -> object:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(inner) for inner in value]
        return value

    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
