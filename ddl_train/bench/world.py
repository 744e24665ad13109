"""`ddl-train bench world`: which recipe of waking and sleeping wins where the truth is known.

Every cell (arm, seed) is a run of its own on a world of its own, judged by the oracle; seeds from 41
on are kept for reports. Tables, a plot and the goals are made from the cells there are, so arms
and seeds can be added to the same folder later.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ddl_train.bench.arms import find_arms
from ddl_train.bench.cells import FORMAT, OWN_KEYS, SUITES, Bench, Scale, read_cells, run_cell
from ddl_train.bench.folder import claim, what_runs
from ddl_train.bench.goals import check_goals
from ddl_train.bench.plot import draw
from ddl_train.bench.tables import write_tables
from ddl_train.errors import ConfigError
from ddl_train.records import Progress
from ddl_train.session import never
from ddl_train.storage.files import check_file, write_text
from ddl_train.world.presets import load_preset

CONFIG = Path("configs/quickstart.yaml")
TABLES, GOALS, PLOT = "tables.md", "goals.json", "plot.png"
SHORT_DAYS = (
    "wake.num_pairs=64",  # what a night of one minute can hold: LOG.md
    "wake.batch_size=32",
    "evaluate.max_items=300",
)
SCALES = {
    "small": Scale(
        preset="small",
        num_cycles=2,
        num_paired=40,
        overrides=(
            "wake.num_pairs=224",
            "sleep.num_train_epochs=3",
            "evaluate.max_items=60",
            "evaluate.num_distractors=2",
            "promote.num_resamples=500",
        ),
    ),
    "quickstart": Scale(preset="quickstart", num_cycles=3),
    "standard": Scale(preset="standard", num_cycles=8, overrides=SHORT_DAYS),
    "thousand": Scale(preset="thousand", num_cycles=8, overrides=SHORT_DAYS),
}
"""`thousand` is a size that nothing was tuned on."""
ARMS = {"small": ["default", "no_sleep", "no_gate"]}
"""Arms that are run when none are named; everywhere else the first ones."""


def run(
    out: Path,
    *,
    preset: str = "small",
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (1,),
    config: Path = CONFIG,
    num_cycles: int | None = None,
    overrides: Sequence[str] = (),
    progress: Progress,
    should_stop: Callable[[], bool] = never,
    on_cell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run what is missing, then write `tables.md`, `goals.json` and `plot.png` from all cells.

    Args:
        out: folder of this bench; holds one preset and one config.
        preset: small, quickstart, standard or thousand.
        arms: names of `bench.arms`, or the groups `all` and `first`.
        seeds: each is a world and a run.
        config: what the default arm is.
        num_cycles: instead of the preset's.
        overrides: for all arms.
        progress: of the stages.
        should_stop: asked between batches and training steps.
        on_cell: told of every cell before it begins.

    Returns:
        `tables` (Markdown), `goals`, `met`, `paths`.

    Raises:
        ConfigError: there is no such preset or arm, the folder holds cells of other settings, or a
            folder has the name of a file to be written.
        RunError: the folder cannot be written.
        Interrupted: asked to stop; the same call goes on from there.
    """
    scale = _scale_of(preset, num_cycles)
    chosen = find_arms(list(arms) or ARMS.get(preset, ["first"]))
    bench = _claimed(out, config, scale, overrides)
    # what cannot stand beside the new cells, or be written, is said before hours are spent
    read_cells(bench, find_arms(["all"]))
    for name in (TABLES, GOALS, PLOT):
        check_file(out / name)
    for seed in seeds:
        for arm in chosen:
            if on_cell:
                on_cell(f"{arm.name}, seed {seed}: {arm.why}")
            run_cell(bench, arm, seed, progress=progress, should_stop=should_stop)
    return _conclude(bench)


def _scale_of(preset: str, num_cycles: int | None) -> Scale:
    if preset not in SCALES:
        raise ConfigError(f"there is no bench for preset {preset!r}; expected one of {', '.join(SCALES)}")  # fmt: skip
    scale = SCALES[preset]
    return scale if num_cycles is None else replace(scale, num_cycles=num_cycles)


def _claimed(out: Path, config: Path, scale: Scale, overrides: Sequence[str]) -> Bench:
    """The bench of a folder, which is its own from then on."""
    own = {*OWN_KEYS, *(f"evaluate.{suite}" for suite in SUITES)}
    for text in overrides:
        if (key := text.partition("=")[0].strip()) in own:
            raise ConfigError(f"{text}: the bench gives every cell its own {key}; leave it out")
    wanted = {
        **asdict(scale),
        "format": FORMAT,
        "default": what_runs(config, [*scale.overrides, *overrides]),
        "worlds": asdict(load_preset(scale.preset)),
    }
    settings = claim(out, wanted)
    return Bench(out=out, config=config, scale=scale, settings=settings, overrides=tuple(overrides))


def _conclude(bench: Bench) -> dict[str, Any]:
    cells = read_cells(bench, find_arms(["all"]))
    goals = check_goals(cells)
    tables = write_tables(cells)
    met = all(goal.is_met for goal in goals)
    lines = [f"# World bench: {bench.scale.preset}", "", tables, "## Goals", ""]
    write_text(bench.out / TABLES, "\n".join([*lines, *(f"- {goal}" for goal in goals), ""]))
    write_text(bench.out / GOALS, json.dumps([goal.json() for goal in goals], indent=1))
    draw(cells, bench.out / PLOT)
    return {
        "tables": tables,
        "goals": [str(goal) for goal in goals],
        "met": met,
        "paths": [str(bench.out / name) for name in (TABLES, GOALS, PLOT)],
    }
