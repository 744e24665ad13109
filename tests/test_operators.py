"""A run with two operators and a schedule on random weights, killed and taken up again."""

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from ddl_train.config import load_config
from ddl_train.errors import ConfigError
from ddl_train.report.page import write_report
from ddl_train.report.status import read_status
from ddl_train.report.tables import print_status
from ddl_train.roles.prompts import BUILT_IN
from ddl_train.session import open_run
from ddl_train.storage.run import Run
from tests.killed_run import live
from tests.test_killed import rows
from tests.tiny import make_tiny

pytestmark = pytest.mark.slow
NOTES = ["bees build cells", "sleep sorts memories", "coins follow roads", "fungi lend sugar"]


def project(folder: Path, **wake: Any) -> Path:
    """A config of two cycles of five batches, without nights, and all that it names."""
    make_tiny(folder / "tiny")
    (folder / "notes").mkdir()
    for number, note in enumerate(NOTES * 3):
        path = folder / "notes" / f"{number}.md"
        path.write_text(f"{note} {number}.\n")
        os.utime(path, (1e9, 1e9))  # a file that has just changed is read again by the next start
    shutil.copytree(BUILT_IN / "terse", folder / "pack")
    (folder / "pack" / "operator_turned.jinja").write_text("link {{ b }} and {{ a }}")
    values = {
        "name": "two",
        "num_cycles": 2,
        "checkpoints_dir": str(folder / "checkpoints"),
        "model": {"base": str(folder / "tiny"), "max_length": 2000, "device": "cpu"},
        "memory": {"sources": [str(folder / "notes")], "held_out_share": 0.0},
        "wake": {
            "prompts": str(folder / "pack"),
            "operators": {"connect": 1.0, "turned": 1.0},
            "temperature": {"start": 1.2, "end": 0.4, "over": "batches"},
            "min_p": {"start": 0.0, "end": 0.2, "shape": "cosine"},
            **{"num_pairs": 20, "batch_size": 4, "max_new_tokens": 8, "revisit_share": 0.0},
            **{"min_coherence": 10.0, "explain": False, "max_disagreement": None},
            **{"guards": {"is_enabled": False}},
        }
        | wake,
    }
    path = folder / "two.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def noted(run_dir: Path) -> dict[tuple[int, int], tuple[Any, ...]]:
    """(cycle, batch) -> how it was sampled, the last time it was written down."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return {
        (one["cycle"], one["batch"]): (one["temperature"], one["min_p"], one["operators"])
        for one in lines
        if "batch" in one
    }


def test_a_killed_run_dreams_on_with_the_same_operators_and_schedule(tmp_path: Path) -> None:
    config = project(tmp_path)
    run_dir = tmp_path / "checkpoints" / "two"
    assert live(config) == 0
    whole, noted_whole = rows(run_dir), noted(run_dir)
    shutil.rmtree(run_dir)
    assert live(config, "ddl_train.memory.store:Memory.next_batch>", 2) == -9
    assert live(config, "ddl_train.cycle:wake>", 5) == -9
    assert live(config) == 0
    assert rows(run_dir) == whole
    assert noted(run_dir) == noted_whole
    temperatures = [noted_whole[cycle, batch][0] for cycle in range(2) for batch in range(5)]
    assert temperatures == pytest.approx([1.2, 1.0, 0.8, 0.6, 0.4] * 2)
    assert [noted_whole[cycle, 0][1] for cycle in range(2)] == [0.0, 0.2]

    with Run.read(run_dir) as run:
        status = read_status(run)
        page = write_report(run)[0].read_text()
    assert {name: one["pairs"] for name, one in status["operators"].items()} == {
        "connect": 20,
        "turned": 20,
    }
    stream = io.StringIO()
    print_status(status, Console(file=stream, width=100))
    shown = [line.split() for line in stream.getvalue().splitlines()]
    for name, one in status["operators"].items():
        counts = [one[key] for key in ("pairs", "none", "unread", "ideas", "repeats", "admitted")]
        assert [name, *map(str, counts), f"{100 * one['share']:.0f}", "%"] in shown
        assert f'<tr><th scope="row">{name}</th><td>20</td>' in page


def test_what_the_pack_lacks_leaves_no_run_behind(tmp_path: Path) -> None:
    path = project(tmp_path, operators={"connect": 1.0, "analogy": 0.5})
    with (
        pytest.raises(ConfigError, match=r"wake.operators names 'analogy'"),
        open_run(load_config(path)),
    ):
        pass
    assert not (tmp_path / "checkpoints").exists()
