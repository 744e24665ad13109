"""What the script that raises a seedling decides by itself."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
script: Any = importlib.import_module("pretrain_seedling")


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
