"""`ddl-train bench world`: recipes of waking and sleeping, compared where the truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from ddl_train.cli.arguments import JsonOption, QuietOption, output, print_json, side_output
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.cli.stopping import stoppable
from ddl_train.config import load_config


def world(
    out: Annotated[
        Path, typer.Option(help="Folder of the cells; give it again to go on or to add arms.")
    ] = Path("checkpoints/bench-world"),
    preset: Annotated[str, typer.Option(help="small, quickstart, standard or thousand.")] = "small",
    arms: Annotated[
        str, typer.Option(help="Names by comma; `first` or `all`. Default: what the preset runs.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="Worlds, by comma.")] = "1",
    cycles: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    config: Annotated[Path, typer.Option(help="What the default arm is.")] = Path(
        "configs/quickstart.yaml"
    ),
    overrides: Annotated[list[str] | None, typer.Argument(metavar="SECTION.KEY=VALUE")] = None,
    list_arms: Annotated[bool, typer.Option("--list", help="Name the arms and stop.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Precision, recall, uptake, forgetting and false memories of each arm, with intervals."""
    if list_arms:
        from ddl_train.bench.arms import ARMS

        for arm in ARMS:
            output().print(f"{arm.name:16} {arm.why}", markup=False)
        return
    wanted_seeds = _numbers(seeds)
    go_offline_if_local(load_config(config, overrides))
    from ddl_train.bench import world as bench
    from ddl_train.cli.boundary import say
    from ddl_train.report.progress import make_progress

    with stoppable(out) as should_stop:
        result = bench.run(
            out,
            preset=preset,
            arms=_words(arms),
            seeds=wanted_seeds,
            config=config,
            num_cycles=cycles,
            overrides=overrides or [],
            progress=make_progress(side_output(), is_quiet=quiet),
            should_stop=should_stop,
            on_cell=None if quiet else say,
        )
    if json:
        print_json(result)
    else:
        for line in (result["tables"], *result["goals"], *result["paths"]):
            output().print(line, markup=False, soft_wrap=True)
    if not result["met"]:
        raise typer.Exit(1)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[int]:
    from ddl_train.errors import ConfigError

    words = _words(text)
    if not words or not all(word.isdecimal() for word in words):
        raise ConfigError(f"--seeds: got {text!r}, expected whole numbers by comma, such as 1,2,3")
    return [int(word) for word in words]
