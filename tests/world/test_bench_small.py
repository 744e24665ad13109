"""The world bench on its smallest preset, whole: three arms live, and the tables tell them apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from ddl_train.bench.learning import exam_share
from ddl_train.bench.world import ARMS, run
from ddl_train.records import BASE, JsonObject, SilentProgress
from tests.worlds import ROOT, SEEDLING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling"),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return out, run(out, progress=SilentProgress())


def test_every_arm_has_a_cell_and_a_row(bench: tuple[Path, dict[str, Any]]) -> None:
    out, result = bench
    arms = {path.stem.rpartition("-")[0] for path in (out / "cells").glob("*.json")}
    assert arms == {"default", "no_sleep", "no_gate"}
    assert all(f"\n| {arm} |" in result["tables"] for arm in arms)


def test_a_second_call_runs_no_cell_again(bench: tuple[Path, dict[str, Any]]) -> None:
    out, result = bench
    written = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*.json")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        again = run(out, progress=SilentProgress())
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert again == result


def cell(bench: tuple[Path, dict[str, Any]], arm: str) -> JsonObject:
    found: JsonObject = json.loads((bench[0] / "cells" / f"{arm}-1.json").read_text())
    return found


def test_no_answer_to_a_truth_probe_gets_into_a_night(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    lived = {arm: cell(bench, arm) for arm in ARMS["small"]}
    assert {arm: found["leaks"] for arm, found in lived.items()} == {arm: [] for arm in lived}
    assert any(night["tokens"] > 0 for night in lived["no_gate"]["nights"])  # there were rows


def test_the_goals_of_a_small_world_are_met_and_all_others_are_shown(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    _, result = bench
    [met] = [goal for goal in result["goals"] if not goal.startswith("for information")]
    assert met.startswith("met: leaks into training rows")
    assert result["met"] is True


def test_what_was_in_use_after_every_cycle_sits_the_exam_and_dreams_on_the_same_pairs(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    lived = cell(bench, "no_gate")
    first, last = lived["exam"]["in_use"]
    assert len({BASE, first, last}) == 3  # both nights are kept
    answers = lived["exam"]["answers"]
    assert {BASE, first, last} < set(answers)
    home = [n for n, item in enumerate(lived["exam"]["items"]) if item[0].startswith("home/")]
    assert {answers[first][n] for n in home} == {"-"}  # of home only base and last are asked
    assert "-" not in {answers[last][n] for n in home}
    hits = lived["paired_waking"]["hits"]
    assert set(hits) == {BASE, first, last}
    assert len({len(marks) for marks in hits.values()}) == 1


def test_a_night_that_is_kept_whatever_the_gate_said_is_counted_once(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    assert [night["cycle"] for night in cell(bench, "no_gate")["nights"]] == [0, 1]


def test_every_true_insight_is_asked_about_with_its_sign_flipped(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    lived = cell(bench, "default")
    found = sum(sum(cycle["new_by_depth"].values()) for cycle in lived["discovery"])
    flips = [item for item in lived["exam"]["items"] if item[0] == "flip"]
    assert len(flips) == found > 0


def test_home_is_asked_in_both_parts_and_one_of_them_counted_apart(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    exam = cell(bench, "default")["exam"]
    apart, whole = (exam_share(exam, name, BASE) for name in ("home/never replayed", "home"))
    assert 0 < apart[1] < whole[1]
    assert whole[0] / whole[1] > 0.95  # the seedling knows its home by heart


def test_the_base_knows_an_insight_that_it_is_told(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    exam = cell(bench, "no_sleep")["exam"]
    told, alone = (exam_share(exam, "uptake", who) for who in ("told", BASE))
    assert told[0] == told[1] == alone[1] > 0
    flips = [exam_share(exam, "flip", who) for who in ("told", BASE)]
    assert flips[0][0] < flips[1][0]
    assert flips[0][1] == flips[1][1]
    assert {len(marks) for marks in exam["answers"].values()} == {len(exam["items"])}


def test_what_the_last_night_taught_is_asked_in_writing_too(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    lived = cell(bench, "no_gate")
    answers, last = lived["answers"], lived["exam"]["in_use"][-1]
    num_dreamt = sum(group.startswith("dreamt/") for group, *_ in answers["questions"])
    assert 0 < num_dreamt == len(answers["said"]["told"])
    covered = {
        who: sum(found for _, found in answers["said"][who][:num_dreamt]) for who in (BASE, last)
    }
    assert covered[last] > covered[BASE]
