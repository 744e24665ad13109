"""A small world on disk and the config of a run in it, for tests that need the seedling."""

from pathlib import Path

import yaml

from ddl_train.cli.world import world

ROOT = Path(__file__).parent.parent
SEEDLING = ROOT / "checkpoints" / "seedling"


def small_world_config(folder: Path, **changes: object) -> Path:
    """Write a world and a config under `folder`; one short cycle unless changed."""
    world_dir = folder / "world"
    world(world_dir, seed=3, preset="small")
    values = yaml.safe_load((ROOT / "configs" / "quickstart.yaml").read_text())
    values |= {"num_cycles": 1, "checkpoints_dir": str(folder / "checkpoints")}
    values["model"]["base"] = str(SEEDLING)
    values["memory"]["sources"] = [str(world_dir / "docs")]
    values["wake"] |= {"num_pairs": 72, "batch_size": 24}
    values["sleep"] |= {
        "general": [str(SEEDLING / "general.jsonl")],
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "save_steps": 3,
    }
    for suite in ("truth", "retention", "skill", "false_memory"):
        values["evaluate"][suite] = [str(world_dir / "probes" / f"{suite}.jsonl")]
    values["evaluate"]["max_items"] = 12
    values |= changes
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path
