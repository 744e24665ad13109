"""`ddl-train bench ...`: measurements with goals. Each exits 1 when a goal is missed."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli import bench_gate, bench_world
from ddl_train.cli.arguments import JsonOption, QuietOption, output, print_json, side_output
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.config import load_config

if TYPE_CHECKING:
    from ddl_train.bench.figures import Figure

app = typer.Typer(
    help="Measure: the loop, the seedling, the recipes. Exits 1 when a goal is missed.",
    no_args_is_help=True,
)


@app.command()
def loop(
    config: Annotated[Path, typer.Option(help="Whose sources, base and settings are used.")] = Path(
        "configs/quickstart.yaml"
    ),
    overrides: Annotated[list[str] | None, typer.Argument(metavar="SECTION.KEY=VALUE")] = None,
    pairs: Annotated[int, typer.Option(min=2, help="Raced over in each round.")] = 320,
    rounds: Annotated[int, typer.Option(min=1, help="Of each race; the median counts.")] = 5,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """One cycle, and the loop against the plainest thing that does the same work."""
    chosen = load_config(config, overrides)
    go_offline_if_local(chosen)
    from ddl_train.bench.loop import bench_loop
    from ddl_train.report.progress import make_progress

    progress = make_progress(side_output(), is_quiet=quiet)
    figures = bench_loop(chosen, num_pairs=pairs, num_rounds=rounds, progress=progress)
    if json:
        print_json([asdict(figure) for figure in figures])
    else:
        _print(figures)
    if not all(figure.is_met for figure in figures):
        raise typer.Exit(1)


@app.command()
def speed(
    config: Annotated[Path, typer.Option(help="Whose sources, base and settings are used.")] = Path(
        "configs/quickstart.yaml"
    ),
    overrides: Annotated[list[str] | None, typer.Argument(metavar="SECTION.KEY=VALUE")] = None,
    rows: Annotated[list[str] | None, typer.Option("--row", help="Only this one; repeat.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of each race; the median counts.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes; goals of size fall.")
    ] = False,
    world: Annotated[
        str, typer.Option(help="Preset of the worlds that M9 looks through: quickstart, standard.")
    ] = "quickstart",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Wake at speed: each part against its bound, and against what one would run otherwise."""
    chosen = load_config(config, overrides)
    go_offline_if_local(chosen)
    from ddl_train.bench.figures import hardware
    from ddl_train.bench.speed import Options, bench_speed
    from ddl_train.report.progress import make_progress

    figures = bench_speed(
        Options(config=chosen, num_rounds=rounds, is_quick=quick, world=world),
        rows or [],
        progress=make_progress(side_output(), is_quiet=quiet),
    )
    if json:
        found = [asdict(figure) for figure in figures]
        print_json({"hardware": hardware(), "figures": found})
    else:
        _print(figures)
        output().print(", ".join(f"{name} {value}" for name, value in hardware().items()))
    if not all(figure.is_met for figure in figures):
        raise typer.Exit(1)


def _print(figures: "Sequence[Figure]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("goal", no_wrap=True)
    table.add_column("", no_wrap=True)
    for figure in figures:
        verdict = "" if not figure.goal else "met" if figure.is_met else "missed"
        said = Text.assemble(figure.name, (f"\n{figure.detail}\n", "dim"))
        table.add_row(said, f"{figure.value:.3g}", figure.goal, verdict)
    output().print(table)


@app.command()
def seedling(
    model: Annotated[Path, typer.Argument(help="Folder of the model.")] = Path(
        "checkpoints/seedling"
    ),
    seed: Annotated[int, typer.Option(help="Of the unseen worlds it is asked about.")] = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the questions.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """The skills of a seedling on worlds it never saw."""
    try:
        is_there = (model / "config.json").is_file()
    except PermissionError:
        is_there = True  # what is wrong with it is said when it is loaded
    if not is_there:
        from ddl_train.errors import ModelError

        raise ModelError(f"{model}: no such model folder; scripts/pretrain_seedling.py makes one")
    from ddl_train.bench import seedling as skills
    from ddl_train.report.progress import make_progress

    progress = make_progress(side_output(), is_quiet=quiet)
    result = skills.run(model, seed, out, quick=quick, progress=progress)
    if json:
        print_json(result)
    else:
        output().print(skills.table(result), soft_wrap=True)
    if not result["met"]:
        raise typer.Exit(1)


app.command("world")(bench_world.world)
app.command("gate")(bench_gate.gate)
