"""`ddl-train bench gate`: does the promotion gate refuse bad nights, keep good ones, resist luck?

Nights of every kind are trained and measured on days in invented worlds (`bench/nights.py`), and
the gate decides about each as the loop would. The null nights among them give the noise floor (of
several worlds the highest), from which `promote.min_gain` is set, and the population of which whole runs are drawn. Harm of a known
size is planted in the results of good nights.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ddl_train.bench.folder import claim, what_runs
from ddl_train.bench.gate_goals import NUM_NIGHTS, NUM_PLANTED, NUM_RUNS, gate_goals
from ddl_train.bench.nights import (
    BAD,
    GOOD,
    NULL,
    Day,
    Night,
    begin_day,
    live_night,
    measure_base,
)
from ddl_train.bench.planted import COLLAPSE, FORGETTING, NullNight, count_promoting_runs, plant
from ddl_train.bench.verdicts import Verdict, judge, tabulate
from ddl_train.config import Config, PromoteConfig, load_config
from ddl_train.cycle import wake_stage
from ddl_train.gate.floor import NoiseFloor, noise_floor
from ddl_train.promote import promote
from ddl_train.records import EvalReport, JsonObject, Progress
from ddl_train.roles.prompts import load_pack
from ddl_train.session import never, open_session
from ddl_train.storage.files import check_file, write_text
from ddl_train.storage.run import Run
from ddl_train.world.documents import WORLD_FILE
from ddl_train.world.presets import ProbeSpec, load_preset
from ddl_train.world.writer import write_world

RESULT = "gate.json"
WORLD_SEEDS = 6_000
"""Worlds of this bench lie apart from those of tuning and of the other benches."""
LEAST_PLANTED, MOST_PLANTED = 1.5, 3.0
PROBES = ProbeSpec(retention=300, skill=100, false_memory=300)
"""Enough of each, a third of them sealed, to tell a loss of `block` from none."""
SUITES = ("retention", "skill", "false_memory")
NO_DREAMS_ASKED = ("evaluate.num_context=null", "evaluate.canaries_per_kind=null")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How much is lived."""

    preset: str
    worlds: tuple[int, ...]
    good: int
    """Nights of a kind on each world."""
    null: int
    bad: int
    overrides: tuple[str, ...] = ()


QUICK = Scale(
    preset="quickstart",
    worlds=(1,),
    good=1,
    null=2,
    bad=1,
    overrides=(
        "wake.num_pairs=256",
        "sleep.kinds=[forward, reverse]",
        "sleep.num_train_epochs=12",
        "sleep.neftune_noise_alpha=null",  # so short a night learns too little through noise
        "sleep.per_device_train_batch_size=16",
        "evaluate.num_dream_pairs=16",
    ),
)
FULL = Scale(
    preset="quickstart", worlds=(1, 2), good=6, null=6, bad=3, overrides=("wake.num_pairs=640",)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What was lived and measured on one world."""

    base: EvalReport
    nights: tuple[Night, ...]
    verdicts: tuple[Verdict, ...]


def run(
    out: Path,
    *,
    config: Path,
    scale: Scale,
    overrides: Sequence[str] = (),
    progress: Progress,
    should_stop: Callable[[], bool] = never,
    on_step: Callable[[str], None] | None = None,
) -> JsonObject:
    """Live what is missing in `out`, and hold the gate against its goals.

    Args:
        out: folder of the worlds, runs and reports; the same one goes on.
        config: recipe and gate.
        scale: `QUICK` or `FULL`.
        overrides: of the config.
        progress: of the stages.
        should_stop: asked between batches and training steps.
        on_step: told what comes next.

    Returns:
        {rows[] of `tabulate`, floor, lucky_runs, planted, goals[], lines[], met}.

    Raises:
        ConfigError: the folder holds nights of other settings.
        Interrupted: asked to stop; the same call goes on.
    """
    claim(out, {**asdict(scale), "default": what_runs(config, [*scale.overrides, *overrides])})
    check_file(out / RESULT)
    lived: list[tuple[EvalReport, tuple[Night, ...]]] = []
    configs = [_config(out, config, scale, number, overrides) for number in scale.worlds]
    for chosen in configs:
        if on_step:
            on_step(
                f"{chosen.name}: a day, {scale.good} good nights, {scale.null} null ones and "
                f"{scale.bad} of each of {len(BAD)} bad kinds"
            )
        with _awake(chosen, out, should_stop, progress) as day:
            lived.append((measure_base(day, progress=progress), tuple(_live(day, scale, progress))))
    floors = [noise_floor(_null_nights(nights, base)) for base, nights in lived]
    limits = configs[0].promote
    if values := [floor.value for floor in floors if not math.isnan(floor.value)]:
        limits = limits.model_copy(update={"min_gain": max(values)})
    worlds = []
    for chosen, (base, nights) in zip(configs, lived, strict=True):
        with _awake(chosen, out, should_stop, progress) as day:
            verdicts = tuple(judge(day, one, base, limits, progress=progress) for one in nights)
        worlds.append(World(base=base, nights=nights, verdicts=verdicts))
    result = _conclude(worlds, floors, limits)
    write_text(out / RESULT, json.dumps(result, indent=1))
    return result


def _config(out: Path, config: Path, scale: Scale, world: int, overrides: Sequence[str]) -> Config:
    folder = out / "worlds" / str(world)
    if not (folder / WORLD_FILE).is_file():
        preset = replace(load_preset(scale.preset), probes=PROBES)
        write_world(folder, seed=WORLD_SEEDS + world, preset=preset)
    return load_config(
        config,
        [
            f"name=world-{world}",
            f"checkpoints_dir={out / 'runs'}",
            f"memory.sources=[{folder}/docs]",
            "evaluate.truth=[]",
            *(f"evaluate.{suite}=[{folder}/probes/{suite}.jsonl]" for suite in SUITES),
            *NO_DREAMS_ASKED,
            *scale.overrides,
            *overrides,
        ],
    )


@contextmanager
def _awake(
    config: Config, out: Path, should_stop: Callable[[], bool], progress: Progress
) -> Iterator[Day]:
    """A run whose first day is over, and what its nights share."""
    pack_dir = load_pack(config.wake.prompts).dir
    with (
        Run.create(config, pack_dir=pack_dir) as run,
        open_session(run, should_stop=should_stop) as session,
    ):
        run.start_cycle(0)
        if run.stage(0) == "wake":
            wake_stage(session, 0, progress=progress)
        yield begin_day(session, out / "nights" / config.name, progress=progress)


def _live(day: Day, scale: Scale, progress: Progress) -> Iterator[Night]:
    wanted = [(GOOD, scale.good), (NULL, scale.null), *((kind, scale.bad) for kind in BAD)]
    for kind, num_seeds in wanted:
        for seed in range(num_seeds):
            yield live_night(day, kind, seed, progress=progress)


def _null_nights(nights: Sequence[Night], base: EvalReport) -> list[NullNight]:
    """Nights on general rows beside the base, and good ones beside the same from another seed."""
    null = [one.report for one in nights if one.kind == NULL and one.report]
    good = [one.report for one in nights if one.kind == GOOD and one.report]
    again = zip(good[1:], good, strict=False)
    return [*(NullNight(one, base) for one in null), *(NullNight(*pair) for pair in again)]


def _conclude(
    worlds: Sequence[World], floors: Sequence[NoiseFloor], config: PromoteConfig
) -> JsonObject:
    verdicts = [verdict for world in worlds for verdict in world.verdicts]
    rows = tabulate(verdicts)
    nulls = [night for world in worlds for night in _null_nights(world.nights, world.base)]
    lucky = {
        "with the noise floor": count_promoting_runs(nulls, config, num_runs=NUM_RUNS),
        "without it": count_promoting_runs(
            nulls, config.model_copy(update={"min_gain": 0.0}), num_runs=NUM_RUNS
        ),
    }
    planted = {
        name: _caught(worlds, harms, config)
        for name, harms in (("forgetting", FORGETTING), ("collapse", COLLAPSE))
    }
    goals = gate_goals(rows, lucky, planted)
    return {
        "rows": rows,
        "floor": {
            "min_gain": config.min_gain,
            "gains": [gain for floor in floors for gain in floor.gains],
        },
        "lucky_runs": {"of": NUM_RUNS, "nights": NUM_NIGHTS, **lucky},
        "planted": planted,
        "goals": [goal.json() for goal in goals],
        "lines": [str(goal) for goal in goals],
        "met": all(goal.is_met for goal in goals),
    }


def _caught(worlds: Sequence[World], harms: Sequence[str], config: PromoteConfig) -> JsonObject:
    """How many of the planted losses the gate refuses, by harm."""
    passed = [
        (verdict.passed, world.base)
        for world in worlds
        for verdict in world.verdicts
        if verdict.night.kind == GOOD and verdict.passed
        if promote(verdict.passed, world.base, world.base, [], config).promoted
    ]
    trials: dict[str, list[bool]] = {harm: [] for harm in harms}
    number = 0
    while passed and sum(map(len, trials.values())) < NUM_PLANTED and number < 20 * NUM_PLANTED:
        report, base = passed[number % len(passed)]
        harm = harms[number // len(passed) % len(harms)]
        size = LEAST_PLANTED + (MOST_PLANTED - LEAST_PLANTED) * (number % 7) / 6
        number += 1
        harmed = plant(report, base, harm, size, config, seed=number)
        if harmed is not None:
            decision = promote(harmed, base, base, [], config)
            trials[harm].append(not decision.promoted)
    return {
        "trials": sum(map(len, trials.values())),
        "caught": sum(map(sum, trials.values())),
        "by_harm": {harm: [sum(found), len(found)] for harm, found in trials.items()},
    }
