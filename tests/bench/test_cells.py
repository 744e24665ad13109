"""Cells of the world bench: what is damaged is said so before anything is lived or counted."""

import json
from pathlib import Path

import pytest

from ddl_train.bench.arms import find_arms
from ddl_train.bench.cell_shape import damage_of
from ddl_train.bench.cells import Bench, read_cells, run_cell
from ddl_train.bench.world import SCALES
from ddl_train.errors import ConfigError
from ddl_train.records import JsonObject, SilentProgress
from tests.world.cells import cell
from tests.worlds import ROOT

QUICKSTART = ROOT / "configs" / "quickstart.yaml"
ARMS = find_arms(["default"])
WHOLE = cell(overrides=[], base_sha256="0", world_sha256="0")


def a_bench(out: Path) -> Bench:
    return Bench(out=out, config=QUICKSTART, scale=SCALES["small"], settings="of now")


def test_a_folder_in_place_of_a_cell_is_said_before_it_is_lived(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    bench.cell_path(ARMS[0], 1).mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"default-1\.json: is damaged"):
        read_cells(bench, ARMS)


@pytest.mark.parametrize("changes", [{"overrides": [1, 2]}, {"exam": {}}, {"world": None}])
def test_a_cell_of_another_shape_is_said_to_be_damaged(tmp_path: Path, changes: JsonObject) -> None:
    bench = a_bench(tmp_path)
    made = WHOLE | {"settings": "of now", "overrides": bench.changes(ARMS[0])}
    path = bench.cell_path(ARMS[0], 1)
    path.parent.mkdir()
    path.write_text(json.dumps(made))
    assert read_cells(bench, ARMS) == [made]
    path.write_text(json.dumps(made | changes))
    with pytest.raises(ConfigError, match=r"default-1\.json: is damaged"):
        read_cells(bench, ARMS)


def test_a_cell_as_it_is_written_is_whole() -> None:
    assert damage_of(WHOLE) is None
    assert damage_of({key: WHOLE[key] for key in WHOLE if key != "answers"}) is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"overrides": [1, 2]}, "overrides.0"),
        ({"base_sha256": None}, "base_sha256"),
        ({"world_sha256": None}, "world_sha256"),
        ({"exam": {}}, "exam.items"),
        ({"exam": WHOLE["exam"] | {"answers": {"base": "1"}}}, "did not answer"),
        ({"exam": WHOLE["exam"] | {"in_use": []}}, "a cycle that was not lived"),
        ({"discovery": [{}]}, "discovery.0.num_pairs"),
        ({"nights": 3}, "nights"),
        (
            {"answers": {"num_samples": 4, "questions": [["decoy", 1, 1, "x"]], "said": {}}},
            "'base'",
        ),
        ({"paired_waking": {"num_pairs": 1, "hits": {"base": "1"}, "untrue": {}}}, "'x'"),
    ],
)
def test_a_damaged_cell_is_known_by_what_it_lacks(changes: JsonObject, said: str) -> None:
    damage = damage_of(WHOLE | changes)
    assert damage is not None
    assert said in damage


def write_cell(bench: Bench, name: str, **changes: object) -> None:
    (bench.out / "cells").mkdir(exist_ok=True)
    (arm,) = find_arms(["rank_8"])
    made = WHOLE | {"arm": "rank_8", "settings": "of now", "overrides": bench.changes(arm)}
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


def test_arms_of_one_seed_that_lived_in_different_worlds_are_not_held_side_by_side(
    tmp_path: Path,
) -> None:
    bench = a_bench(tmp_path)
    arms = find_arms(["rank_8", "rank_32"])
    for arm, seed, world in ((arms[0], 1, "a"), (arms[1], 1, "a"), (arms[0], 2, "b")):
        made = {"arm": arm.name, "seed": seed, "overrides": bench.changes(arm)}
        write_cell(bench, f"{arm.name}-{seed}.json", world_sha256=world, **made)
    assert len(read_cells(bench, arms)) == 3
    made = {"arm": "rank_32", "seed": 2, "overrides": bench.changes(arms[1])}
    write_cell(bench, "rank_32-2.json", world_sha256="another", **made)
    with pytest.raises(ConfigError, match="cells of seed 2 lived in different worlds"):
        read_cells(bench, arms)


def test_a_cell_of_other_settings_is_not_lived_again(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    (arm,) = find_arms(["rank_8"])
    write_cell(bench, "rank_8-1.json", settings="of before")
    with pytest.raises(ConfigError, match="take it out of this folder"):
        run_cell(bench, arm, 1, progress=SilentProgress())
