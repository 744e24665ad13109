"""Kill -9 at named points of a run on the seedling, then the same command again: nothing is lost."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from ddl_train.storage.fsck import fsck
from tests.killed_run import live
from tests.worlds import SEEDLING, small_world_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling"),
]

POINTS = [
    ("ddl_train.storage.create:copy_tree>", 1),  # the run directory is half made
    ("ddl_train.memory.sources:write_chunks>", 1),  # read, and not yet embedded
    ("ddl_train.memory.store:Memory.next_batch>", 2),  # a batch drawn, and not dreamt on
    ("ddl_train.cycle:wake>", 1),  # dreamt on, and not written down
    ("ddl_train.memory.store:Memory.log_verdicts>", 1),  # written down, and nothing else
    ("ddl_train.storage.history:finish_stage<", 1),  # wake is done and does not know it
    ("ddl_train.cycle:study>", 1),  # items written by the model, and not stored
    ("ddl_train.training.watcher:Watcher.on_step_end>", 7),  # between two checkpoints
    ("ddl_train.training.running:close_night<", 1),  # trained, and not packed
    ("ddl_train.storage.run:install_adapter<", 1),  # packed, and not in place
    ("ddl_train.storage.run:install_adapter>", 1),  # in place, and not known
    ("ddl_train.storage.run:Run.save_report>", 1),  # the candidate is measured, the base is not
    ("ddl_train.storage.history:record_promotion>", 1),  # recorded, and the night not removed
]
"""In the order in which a run comes by them; calls are counted from where it went on."""
TIMES = {"created_at", "started_at", "finished_at", "decided_at", "seconds", "entered_at"}


def rows(run_dir: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for times and seconds."""
    database = sqlite3.connect(run_dir / "run.sqlite")
    found = {}
    names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (name,) in names:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({name})")]
        kept = [column for column in columns if column not in TIMES]
        if name == "reports":
            kept.remove("body")
        if name == "stages":
            kept.remove("facts")
        if name == "state":
            continue
        found[name] = sorted(
            database.execute(f"SELECT {', '.join(kept)} FROM {name}").fetchall(), key=repr
        )
    database.close()
    return found


def adapters(run_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run_dir)): path.read_bytes()
        for path in sorted((run_dir / "adapters").rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The config of a small run, and its directory after a run to the end."""
    folder = tmp_path_factory.mktemp("whole")
    config = small_world_config(folder)
    assert live(config) == 0
    return config, folder / "checkpoints" / config.stem


def test_a_run_killed_at_every_point_goes_on_to_the_same_end(
    uninterrupted: tuple[Path, Path], tmp_path: Path
) -> None:
    whole_config, whole_run = uninterrupted
    config = tmp_path / whole_config.name
    text = whole_config.read_text()
    config.write_text(text.replace(str(whole_run.parent), str(tmp_path / "checkpoints")))
    for point, count in POINTS:
        assert (point, live(config, point, count)) == (point, -9)
    assert live(config) == 0
    run_dir = tmp_path / "checkpoints" / config.stem
    assert fsck(run_dir, repair=False) == []
    assert adapters(run_dir) == adapters(whole_run)
    assert rows(run_dir) == rows(whole_run)


def facts_of_sleep(run_dir: Path) -> dict[str, Any]:
    database = sqlite3.connect(run_dir / "run.sqlite")
    (text,) = database.execute("SELECT facts FROM stages WHERE stage = 'sleep'").fetchone()
    database.close()
    facts: dict[str, Any] = json.loads(text)
    return facts


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    (path,) = (run_dir / "adapters").rglob("adapter_model.safetensors")
    return dict(load_file(path))


def flat(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def test_a_night_in_two_processes_killed_with_its_run_is_the_night_of_one(tmp_path: Path) -> None:
    config = small_world_config(tmp_path)
    values = yaml.safe_load(config.read_text())
    values["sleep"] |= {"neftune_noise_alpha": None}  # each process draws its own
    config.write_text(yaml.safe_dump(values))
    assert live(config) == 0
    whole_run = (tmp_path / "checkpoints" / config.stem).rename(tmp_path / "whole")
    values["sleep"] |= {"num_processes": 2}
    config.write_text(yaml.safe_dump(values))
    assert live(config, "ddl_train.training.processes:STEPS.validate_json>", 7) == -9
    assert live(config) == 0
    run_dir = tmp_path / "checkpoints" / config.stem
    assert fsck(run_dir, repair=False) == []
    alone, apart = facts_of_sleep(whole_run), facts_of_sleep(run_dir)
    assert (apart["num_steps"], apart["num_rows"]) == (alone["num_steps"], alone["num_rows"])
    for name in ("loss_first", "loss_last"):
        assert apart[name] == pytest.approx(alone[name], abs=1e-5)
    one, two = weights(whole_run), weights(run_dir)
    assert one.keys() == two.keys()
    # a norm, since Adam moves a weight without a gradient by what rounding says
    assert torch.dist(flat(two), flat(one)) < 1e-4 * flat(one).norm()
