"""Kill -9 while less of a refused night is tried, then the same command again: nothing is lost."""

import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from tests.killed_run import live
from tests.test_killed import adapters, rows
from tests.worlds import SEEDLING, small_world_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling"),
]
POINTS = [
    "ddl_train.storage.run:install_adapter>",  # in place, and not known
    "ddl_train.storage.history:record_promotion<",  # decided, and not recorded
]
ANYTHING = {"warn": 9, "block": 9}
NOTHING = {"warn": 0, "block": 0}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The config of a run that forgets, its folder, and a copy of it before the gate decides."""
    folder = tmp_path_factory.mktemp("night")
    gate = dict.fromkeys(("false_memory", "eos", "length", "loss", "kl", "diversity"), ANYTHING)
    gate |= dict.fromkeys(("retention", "skill"), NOTHING)
    config = small_world_config(
        folder, promote={"alpha": 0.4, "confidence": 0.6, "min_items": 1, **gate}
    )
    values = yaml.safe_load(config.read_text())
    values["wake"]["num_pairs"] = 144
    values["sleep"] |= {"general_share": 0.0, "weight_decay": 0.0, "learning_rate": 0.01}
    values["evaluate"]["max_items"] = 40
    config.write_text(yaml.safe_dump(values, sort_keys=False))
    assert live(config, "ddl_train.cycle:promote<") == -9
    run_dir = folder / "checkpoints" / config.stem
    shutil.copytree(run_dir, folder / "before")
    return config, run_dir, folder / "before"


@pytest.fixture(scope="module")
def decided(night: tuple[Path, Path, Path]) -> Path:
    """What the run is at its end when nothing interrupts it."""
    config, run_dir, _ = night
    assert live(config) == 0
    whole = run_dir.parent / "whole"
    shutil.copytree(run_dir, whole)
    database = sqlite3.connect(whole / "run.sqlite")
    (num_smaller,) = database.execute("SELECT count(parent) FROM adapters").fetchone()
    database.close()
    assert num_smaller, "the night was meant to forget, and to be tried with less of its delta"
    return whole


def test_what_trying_less_costs_is_in_the_ledger(decided: Path) -> None:
    with Run.read(decided) as run:
        smaller = [one.version for one in run.adapters() if one.parent is not None]
        costs = {row.item: row.usage for row in run.usage() if row.role == "probes"}
    for version in smaller:
        assert costs[f"probes {version}"].num_tokens > 0
    assert costs["suites of smaller deltas"].seconds > 0  # by words: no model, no tokens


def test_a_run_killed_while_it_tries_less_goes_on_to_the_same_end(
    night: tuple[Path, Path, Path], decided: Path
) -> None:
    config, run_dir, before = night
    shutil.rmtree(run_dir)
    shutil.copytree(before, run_dir)
    for point in POINTS:
        assert (point, live(config, point)) == (point, -9)
    assert live(config) == 0
    assert fsck(run_dir, repair=False) == []
    assert adapters(run_dir) == adapters(decided)
    assert rows(run_dir) == rows(decided)
