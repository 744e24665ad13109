"""Cells of the world bench: one arm with one seed, one JSON file, done once.

A cell has its own world (of its seed, shared by all arms) and its own run. A cell whose file is
there is not run again; one that was stopped goes on inside its run.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ddl_train.bench.answers import examine_answers
from ddl_train.bench.arms import Arm
from ddl_train.bench.cell_shape import damage_of
from ddl_train.bench.discovery import measure_discovery
from ddl_train.bench.exam import examine
from ddl_train.bench.folder import FILE
from ddl_train.bench.life import as_arm, live
from ddl_train.bench.suites import suites_by_cycle
from ddl_train.bench.waking import paired_waking
from ddl_train.config import Config, load_config
from ddl_train.errors import ConfigError
from ddl_train.probes.files import read_probes
from ddl_train.records import BASE, JsonObject, Progress, Usage
from ddl_train.roles.prompts import load_pack
from ddl_train.session import Session, never, open_session
from ddl_train.storage.files import sha256_of, write_text
from ddl_train.storage.run import Run
from ddl_train.world.census import take_census
from ddl_train.world.critic import OracleCritic
from ddl_train.world.documents import WORLD_FILE, load_world
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import load_preset
from ddl_train.world.writer import write_world

WORLD_SEEDS = 5_000
"""Worlds of the bench lie apart from those of the quickstart, the suite and the seedling. The
recipe was tuned on the first forty; what is reported is of those from 41 on."""
FORMAT = 7
"""Of a cell: what it holds, and how that is measured."""
OWN_KEYS = ("name", "checkpoints_dir", "seed", "num_cycles", "memory.sources")
"""What every cell is given by the bench, as are the suites of `evaluate`."""
SUITES = {
    "truth": ("truth",),
    "retention": ("retention", "retention_replayed"),
    "skill": ("skill",),
    "false_memory": ("false_memory",),
}
"""Suite -> probe files of the world: of home, what no night replays and the rest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How long the arms live on a preset of worlds, and what that changes in the config."""

    preset: str
    num_cycles: int
    overrides: tuple[str, ...] = ()
    num_paired: int = 200
    """Pairs that base and adapter both dream on at the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What all cells share."""

    out: Path
    config: Path
    scale: Scale
    settings: str
    """Sha256 of what the folder was claimed for."""
    overrides: tuple[str, ...] = ()
    """Of the user, after those of the scale and of the arm."""

    def cell_path(self, arm: Arm, seed: int) -> Path:
        return self.out / "cells" / f"{arm.name}-{seed}.json"

    def changes(self, arm: Arm) -> list[str]:
        """Of the config, for any seed."""
        return [*self.scale.overrides, *arm.overrides, *self.overrides]

    def cell_config(self, arm: Arm, seed: int) -> Config:
        """The config of one run."""
        world = self.out / "worlds" / str(seed)
        paths = [
            f"evaluate.{suite}=[{','.join(f'{world}/probes/{name}.jsonl' for name in names)}]"
            for suite, names in SUITES.items()
        ]
        return load_config(
            self.config,
            [
                f"name={arm.name}-{seed}",
                f"checkpoints_dir={self.out / 'runs'}",
                f"seed={seed}",
                f"num_cycles={self.scale.num_cycles}",
                f"memory.sources=[{world}/docs]",
                *paths,
                *self.changes(arm),
            ],
        )


def run_cell(
    bench: Bench,
    arm: Arm,
    seed: int,
    *,
    progress: Progress,
    should_stop: Callable[[], bool] = never,
) -> JsonObject:
    """Live one arm on the world of one seed and measure it, unless that was done before."""
    path = bench.cell_path(arm, seed)
    config = bench.cell_config(arm, seed)
    if path.is_file():
        return _read_cell(path, bench, arm)
    folder = bench.out / "worlds" / str(seed)
    if not (folder / WORLD_FILE).is_file():
        write_world(folder, seed=WORLD_SEEDS + seed, preset=bench.scale.preset)
    oracle = Oracle.of(load_world(folder))
    probes, false_memories = (
        read_probes(folder / "probes" / f"{suite}.jsonl") for suite in ("truth", "false_memory")
    )
    with (
        Run.create(config, pack_dir=load_pack(config.wake.prompts).dir) as run,
        open_session(
            run,
            critic=OracleCritic(oracle) if arm.critic == "oracle" else None,
            should_stop=should_stop,
        ) as opened,
    ):
        session = as_arm(opened, arm)
        live(session, arm, oracle=oracle, probes=probes, progress=progress)
        in_use = _in_use(run, config.num_cycles)
        cell: JsonObject = {
            "arm": arm.name,
            "seed": seed,
            "settings": bench.settings,
            "preset": bench.scale.preset,
            "num_cycles": config.num_cycles,
            "overrides": bench.changes(arm),
            "world": asdict(take_census(load_world(folder))),
            "world_sha256": sha256_of(folder / WORLD_FILE),
            "base_sha256": session.engine.base_sha256,
            **measure(session, oracle, in_use),
            "answers": examine_answers(session, oracle, probes, false_memories, in_use),
            "exam": examine(
                session,
                oracle,
                in_use,
                load_preset(bench.scale.preset).probes,
                but_not=_gate_prompts(folder),
            ),
            "paired_waking": paired_waking(
                session, oracle, in_use, num_pairs=bench.scale.num_paired
            ),
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(cell))
    return cell


def _gate_prompts(world: Path) -> set[str]:
    """What the gate may ask about home."""
    files = [world / "probes" / f"{name}.jsonl" for name in SUITES["retention"]]
    return {probe.prompt for path in files for probe in read_probes(path)}


def _read_cell(path: Path, bench: Bench, arm: Arm) -> JsonObject:
    """A cell that is done, if it is of this bench and its arm was then what it is now."""
    try:
        cell: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: is damaged; delete it, and it is measured again") from error
    if (damage := damage_of(cell)) is not None:
        raise ConfigError(f"{path}: is damaged ({damage}); delete it, and it is measured again")
    if path != bench.cell_path(arm, cell["seed"]) or cell["arm"] != arm.name:
        raise ConfigError(
            f"{path}: holds {cell['arm']} with seed {cell['seed']}, which its name does not say; a "
            "cell counts once, under its own name: delete the copy"
        )
    if cell["overrides"] != bench.changes(arm):
        raise ConfigError(
            f"{path}: was made with {' '.join(cell['overrides'])}; its arm is now "
            f"{' '.join(bench.changes(arm))}; give another folder, or delete the cell and its run"
        )
    if cell.get("settings") != bench.settings:
        raise ConfigError(
            f"{path}: was made with other settings than the {FILE} of {bench.out}; take it out of "
            "this folder, and it is lived again"
        )
    return cell


def measure(session: Session, oracle: Oracle, in_use: Sequence[str]) -> JsonObject:
    """Everything that the run's own records tell, judged by the oracle.

    Args:
        session: of a run that is done.
        oracle: of its world.
        in_use: the adapter that was current after each cycle.
    """
    run, memory = session.run, session.memory
    insights = memory.insights()
    cycles = [state for state in run.cycles() if state.stage == "done"]
    return {
        "discovery": [
            found.json()
            for found in measure_discovery(
                lambda cycle: memory.verdicts(cycle=cycle),
                insights,
                memory.concept,
                oracle,
                num_cycles=len(cycles),
            )
        ],
        "suites": suites_by_cycle(run.reports(), in_use),
        "usage": _usage(run),
        "nights": [
            {
                "cycle": row.cycle,
                "promoted": row.promotion.promoted,
                "reasons": list(row.promotion.reasons),
                **_trained(run, row.cycle),
            }
            for row in run.promotions()
            if row.promotion.decided_by == "gate"
        ],
        "leaks": [leak for state in cycles for leak in state.facts.get("sleep", {}).get("leaks", [])],
    }  # fmt: skip


def _in_use(run: Run, num_cycles: int) -> list[str]:
    """The adapter that was current after each cycle."""
    current, versions = BASE, []
    for cycle in range(num_cycles):
        for row in run.promotions():
            if row.cycle == cycle and row.promotion.promoted:
                current = row.promotion.candidate
        versions.append(current)
    return versions


def _trained(run: Run, cycle: int) -> dict[str, float]:
    """Tokens and seconds of the trainer in one night."""
    usage = sum((row.usage for row in run.usage(cycle) if row.role == "trainer"), Usage())
    return {"tokens": usage.num_tokens, "seconds": usage.seconds}


def _usage(run: Run) -> dict[str, dict[str, float]]:
    """Tokens, seconds and operations of every role, over all cycles."""
    total: dict[str, Usage] = {}
    for row in run.usage():
        total[row.role] = total.get(row.role, Usage()) + row.usage
    return {
        role: {"tokens": usage.num_tokens, "seconds": usage.seconds, "flops": usage.flops}
        for role, usage in sorted(total.items())
    }


def read_cells(bench: Bench, arms: Sequence[Arm]) -> list[JsonObject]:
    """All cells there are of some arms, in order of arm and seed.

    Raises:
        ConfigError: an arm is not what it was then, or the cells are of different models or, of one
            seed, of different worlds.
    """
    order = {arm.name: place for place, arm in enumerate(arms)}
    cells = []
    for path in bench.out.glob("cells/*.json"):
        name = path.stem.rpartition("-")[0]
        if name in order:
            cells.append(_read_cell(path, bench, arms[order[name]]))
    if len({cell["base_sha256"] for cell in cells}) > 1:
        raise ConfigError(
            f"{bench.out}: its cells were made with different weights of the base; give another folder"
        )
    worlds = {(cell["seed"], cell["world_sha256"]) for cell in cells}
    for seed, times in Counter(seed for seed, _ in worlds).items():
        if times > 1:
            raise ConfigError(
                f"{bench.out}: its cells of seed {seed} lived in different worlds; give another folder"
            )
    return sorted(cells, key=lambda cell: (order[cell["arm"]], cell["seed"]))
