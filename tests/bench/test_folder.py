"""Folders of benches: what was made with one config is not mixed with what another made."""

import json
from pathlib import Path

import pytest

from ddl_train.bench.arms import find_arms
from ddl_train.bench.cells import Bench, read_cells, run_cell
from ddl_train.bench.folder import claim, what_runs
from ddl_train.bench.world import SCALES
from ddl_train.errors import ConfigError
from ddl_train.records import SilentProgress
from tests.worlds import ROOT

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


def a_bench(out: Path) -> Bench:
    return Bench(out=out, config=QUICKSTART, scale=SCALES["small"], settings="of now")


def write_cell(bench: Bench, name: str, **changes: object) -> None:
    (bench.out / "cells").mkdir(exist_ok=True)
    (arm,) = find_arms(["rank_8"])
    made = {"arm": "rank_8", "seed": 1, "settings": "of now", "overrides": bench.changes(arm)}
    (bench.out / "cells" / name).write_text(json.dumps(made | changes))


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("rank_8-1.json", {"overrides": ["sleep.r=4"]}, r"was made with sleep\.r=4"),
        ("rank_8-1.json", {"settings": "of before"}, "was made with other settings than the bench"),
        ("rank_8-2.json", {}, "holds rank_8 with seed 1, which its name does not say"),
        ("rank_8-1 copy.json", {}, "holds rank_8 with seed 1, which its name does not say"),
        ("rank_8-1.json", {"arm": "default"}, "holds default with seed 1"),
    ],
)
def test_a_cell_of_something_else_is_refused(
    name: str, changes: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    bench = a_bench(tmp_path)
    write_cell(bench, name, **changes)
    with pytest.raises(ConfigError, match=sentence):
        read_cells(bench, find_arms(["all"]))


def test_a_cell_of_other_settings_is_not_lived_again(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    (arm,) = find_arms(["rank_8"])
    write_cell(bench, "rank_8-1.json", settings="of before")
    with pytest.raises(ConfigError, match="take it out of this folder"):
        run_cell(bench, arm, 1, progress=SilentProgress())


def test_settings_are_those_of_the_config_and_of_the_worlds(tmp_path: Path) -> None:
    names = [claim(tmp_path / str(n), {"worlds": {"facts": n % 2}}) for n in range(3)]
    assert names[0] == names[2] != names[1]
    assert claim(tmp_path / "0", {"worlds": {"facts": 0}}) == names[0]
