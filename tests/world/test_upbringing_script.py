"""What the script that raises a seedling decides by itself."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ddl_train.world.names import NAME_PATTERN
from tests.worlds import ROOT, SEEDLING

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
script: Any = importlib.import_module("pretrain_seedling")
batches: Any = importlib.import_module("seedling_batches")


def clock(*seconds: float) -> Iterator[float]:
    """Readings around products that take this long, one after another."""
    now = 0.0
    for passed in seconds:
        yield now
        now += passed
        yield now


@pytest.mark.parametrize(
    ("float32", "bfloat16", "faster"),
    [(1.0, 8.0, torch.float32), (8.0, 1.0, torch.bfloat16)],
)
def test_a_processor_raises_it_in_what_it_multiplies_faster(
    float32: float, bfloat16: float, faster: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = clock(9.0, float32, 9.0, bfloat16)  # the first product of each prepares
    monkeypatch.setattr(script.time, "perf_counter", lambda: next(readings))
    assert script.fastest_dtype("cpu") == faster


def test_a_gpu_raises_it_in_bfloat16() -> None:
    assert script.fastest_dtype("cuda") == torch.bfloat16


def test_a_passing_world_is_asked_about_for_a_while_and_shares_no_name_with_home() -> None:
    packer = batches.Packer(seed=1, sequences=2, length=96)
    home = {name for fact in packer.home.facts for name in fact.names}
    worlds = {number: names_of(batches.passing_home(number)) for number in range(-5, 20)}
    assert not any(names & home for names in worlds.values())
    for step in (0, 7 * batches.PASSING_EVERY):
        asked = [row for row in islice(packer.rows(step, step), 400) if row.skill == "home"]
        told = {
            word for row in asked for word in NAME_PATTERN.findall(row.slots["question"])
        } - home
        youngest = step // batches.PASSING_EVERY
        now = [worlds[youngest - age] for age in range(batches.NUM_PASSING)]
        assert all(told & names for names in now)
        assert told <= set().union(*now)


def test_a_passing_world_fades_with_its_share() -> None:
    packer = batches.Packer(seed=1, sequences=2, length=96)
    home = {name for fact in packer.home.facts for name in fact.names}
    rows = list(islice(packer.rows(0, 0, passing=0.0), 400))
    asked = [row.slots["question"] for row in rows if row.skill == "home"]
    assert asked
    assert {name for text in asked for name in NAME_PATTERN.findall(text)} <= home


def names_of(home: Any) -> set[str]:
    return {name for fact in home.facts for name in fact.names}


@pytest.mark.slow
@pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling")
def test_a_seedling_that_is_raised_on_begins_with_the_weights_it_had(tmp_path: Path) -> None:
    asked = ["--start", SEEDLING, "--work", tmp_path, "--minutes", "0.001", "--lr", "1e-9"]
    small = ["--exam", "1", "--workers", "1", "--sequences", "2", "--no-compile"]
    command = [sys.executable, ROOT / "scripts" / "pretrain_seedling.py", *asked, *small]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=ROOT)
    raised = load_file(tmp_path / "state.safetensors")
    shipped = load_file(SEEDLING / "model.safetensors")
    for name, weights in shipped.items():
        assert torch.allclose(raised[f"model.{name}"], weights.float(), atol=1e-6), name
