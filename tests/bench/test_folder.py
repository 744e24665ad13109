"""Folders of benches: what was made with one config is not mixed with what another made."""

import json
from pathlib import Path

import pytest

from ddl_train.bench.folder import claim, what_runs
from ddl_train.bench.world import run
from ddl_train.errors import ConfigError, Interrupted
from ddl_train.records import SilentProgress
from ddl_train.world.presets import load_preset
from tests.worlds import ROOT, SEEDLING

QUICKSTART = ROOT / "configs" / "quickstart.yaml"


def test_a_folder_is_claimed_again_with_the_same_settings(tmp_path: Path) -> None:
    settings = {"num_cycles": 3, "default": what_runs(QUICKSTART, ["sleep.r=8"])}
    claim(tmp_path, settings)
    claim(tmp_path, settings)


def test_a_folder_made_with_another_learning_rate_is_refused_by_name(tmp_path: Path) -> None:
    claim(tmp_path, {"default": what_runs(QUICKSTART, ["sleep.learning_rate=0.001"])})
    with pytest.raises(ConfigError, match=r"sleep\.learning_rate = 0.001 \(asked: 0.002\)"):
        claim(tmp_path, {"default": what_runs(QUICKSTART, ["sleep.learning_rate=0.002"])})


def test_a_folder_made_with_other_general_rows_is_refused(tmp_path: Path) -> None:
    general = tmp_path / "general.jsonl"
    general.write_text('{"prompt": "a", "completion": "b"}\n')
    overrides = [f"sleep.general=[{general}]"]
    claim(tmp_path, {"default": what_runs(QUICKSTART, overrides)})
    general.write_text('{"prompt": "a", "completion": "c"}\n')
    with pytest.raises(ConfigError, match=r"general_sha256"):
        claim(tmp_path, {"default": what_runs(QUICKSTART, overrides)})


def test_what_runs_does_not_depend_on_the_name_of_the_config(tmp_path: Path) -> None:
    copy = tmp_path / "other.yaml"
    copy.write_text(QUICKSTART.read_text())
    assert what_runs(copy, []) == what_runs(QUICKSTART, [])


def test_settings_are_those_of_the_config_and_of_the_worlds(tmp_path: Path) -> None:
    names = [claim(tmp_path / str(n), {"worlds": {"facts": n % 2}}) for n in range(3)]
    assert names[0] == names[2] != names[1]
    assert claim(tmp_path / "0", {"worlds": {"facts": 0}}) == names[0]


@pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling")
def test_a_folder_of_the_world_bench_is_of_the_numbers_of_its_worlds(tmp_path: Path) -> None:
    def begin() -> None:
        run(tmp_path, config=QUICKSTART, progress=SilentProgress(), should_stop=lambda: True)

    with pytest.raises(Interrupted):
        begin()
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert kept["worlds"]["world"]["substances"] == load_preset("small").world.substances
    kept["worlds"]["world"]["substances"] += 1
    (tmp_path / "bench.json").write_text(json.dumps(kept))
    with pytest.raises(ConfigError, match=r"worlds\.world\.substances = "):
        begin()
