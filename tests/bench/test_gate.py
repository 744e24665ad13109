"""The bench of the gate, whole: nights that are trained, and what the gate makes of them."""

import json
from pathlib import Path

import pytest

from ddl_train.bench.nights import BAD
from tests.cli.calling import CommandLine
from tests.worlds import SEEDLING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling"),
]


def test_the_quick_bench_meets_its_goals_and_is_drawn_again_from_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ddl = CommandLine(monkeypatch, capfd)
    arguments = ("bench", "gate", "--quick", "--json", "--quiet", "--out", tmp_path)
    first = ddl(*arguments)
    result = json.loads(first.out)
    assert first.code == (0 if result["met"] else 1)
    assert result["met"], result["lines"]
    rows = {row["kind"]: row for row in result["rows"]}
    assert set(rows) == {"good", "null", *BAD, "all bad"}
    assert rows["good"]["promoted"] == rows["good"]["nights"] == 1
    assert rows["all bad"]["promoted"] == 0
    assert rows["nan"]["refused_by"] == {"load": 1}
    assert "uptake" in rows["zero"]["refused_by"]
    assert [planted["trials"] for planted in result["planted"].values()] == [60, 60]
    # nothing is trained or measured twice
    second = ddl(*arguments)
    assert json.loads(second.out) == result
