"""`ddl-train bench gate`: the promotion gate against nights that are known to be good, bad or null."""

from pathlib import Path
from typing import Annotated

import typer

from ddl_train.cli.arguments import JsonOption, QuietOption, output, print_json, side_output
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.cli.stopping import stoppable
from ddl_train.config import load_config


def gate(
    out: Annotated[Path, typer.Option(help="Folder of the nights; give it again to go on.")] = Path(
        "checkpoints/bench-gate"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="One small world and few nights, in its own folder.")
    ] = False,
    config: Annotated[Path, typer.Option(help="Recipe and gate.")] = Path(
        "configs/quickstart.yaml"
    ),
    overrides: Annotated[list[str] | None, typer.Argument(metavar="SECTION.KEY=VALUE")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """False accepts and false rejects, the noise floor, luck over 20 nights, planted harm."""
    go_offline_if_local(load_config(config, overrides))
    from ddl_train.bench import gate as bench
    from ddl_train.cli.boundary import say
    from ddl_train.report.progress import make_progress

    with stoppable(out) as should_stop:
        result = bench.run(
            out / "quick" if quick else out,
            config=config,
            scale=bench.QUICK if quick else bench.FULL,
            overrides=overrides or [],
            progress=make_progress(side_output(), is_quiet=quiet),
            should_stop=should_stop,
            on_step=None if quiet else say,
        )
    if json:
        print_json(result)
    else:
        _show(result)
    if not result["met"]:
        raise typer.Exit(1)


def _show(result: dict[str, object]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("nights", "of them", "promoted", "scaled", "share, 95 %"):
        table.add_column(name, justify="left" if name == "nights" else "right", no_wrap=True)
    table.add_column("refused by")
    rows = result["rows"]
    assert isinstance(rows, list)
    for row in rows:
        share = row["promoted"] / row["nights"] if row["nights"] else 0.0
        table.add_row(
            row["kind"],
            f"{row['nights']}",
            f"{row['promoted']}",
            f"{row['scaled']}",
            f"{share:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
            ", ".join(f"{rule} {count}" for rule, count in row["refused_by"].items()),
        )
    console = output()
    console.print(table)
    floor = result["floor"]
    assert isinstance(floor, dict)
    if floor["min_gain"] is not None:
        console.print(
            f"noise floor of {len(floor['gains'])} null nights: promote.min_gain="
            f"{floor['min_gain']:.3f}"
        )
    lines = result["lines"]
    assert isinstance(lines, list)
    for line in lines:
        console.print(line, soft_wrap=True)
