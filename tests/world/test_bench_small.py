"""The world bench on its smallest preset, whole: three arms live, and the tables tell them apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from ddl_train.bench.learning import exam_share
from ddl_train.bench.world import run
from ddl_train.records import SilentProgress
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
    assert arms == {"default", "no_sleep", "placebo"}
    assert all(arm in result["tables"] for arm in arms)


def test_a_second_call_runs_no_cell_again(bench: tuple[Path, dict[str, Any]]) -> None:
    out, result = bench
    written = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*.json")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        again = run(out, progress=SilentProgress())
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert again == result


def test_every_true_insight_is_asked_about_with_its_sign_flipped(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    cell = json.loads((bench[0] / "cells" / "default-1.json").read_text())
    found = sum(sum(cycle["new_by_depth"].values()) for cycle in cell["discovery"])
    flips = [item for item in cell["exam"]["items"] if item[0] == "flip"]
    assert len(flips) == found > 0


def test_home_is_asked_in_both_parts_and_one_of_them_counted_apart(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    cell = json.loads((bench[0] / "cells" / "default-1.json").read_text())
    apart, whole = (
        exam_share(cell["exam"], name, "base") for name in ("home/never replayed", "home")
    )
    assert 0 < apart[1] < whole[1]
    assert whole[0] / whole[1] > 0.95  # the seedling knows its home by heart


def test_the_base_knows_an_insight_that_it_is_told(
    bench: tuple[Path, dict[str, Any]],
) -> None:
    exam = json.loads((bench[0] / "cells" / "no_sleep-1.json").read_text())["exam"]
    told, alone = (exam_share(exam, "uptake", who) for who in ("told", "base"))
    assert told[0] == told[1] == alone[1] > 0
    assert {len(marks) for marks in exam["answers"].values()} == {len(exam["items"])}


def test_the_placebo_is_never_promoted(bench: tuple[Path, dict[str, Any]]) -> None:
    cell = json.loads((bench[0] / "cells" / "placebo-1.json").read_text())
    assert cell["nights"]
    assert not any(night["promoted"] for night in cell["nights"])
