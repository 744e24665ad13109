"""A share of an adapter changes the model by that share of what the whole one changes it by."""

from pathlib import Path

import pytest
import torch

from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import BASE, Continuation
from ddl_train.training.delta import scale_adapter
from ddl_train.training.lora import train_lora
from tests.training.nights import quick, some_rows, tiny_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def adapter(engine: TransformersEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    night_dir = tmp_path_factory.mktemp("night")
    trained = train_lora(engine, some_rows(), quick(), out_dir=night_dir, seed=1)
    assert trained.dir is not None
    return trained.dir


def deltas(engine: TransformersEngine, path: Path) -> list[torch.Tensor]:
    """B A of every layer under an adapter."""
    engine.load_adapter("x", path)
    with engine.adapters.active("x") as model:
        found = [
            module.get_delta_weight(*module.lora_B).clone()
            for module in model.modules()
            if hasattr(module, "get_delta_weight")
        ]
    engine.unload_adapter("x")
    return found


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.0])
def test_the_whole_delta_is_scaled(
    engine: TransformersEngine, adapter: Path, factor: float, tmp_path: Path
) -> None:
    whole = deltas(engine, adapter)
    smaller = deltas(engine, scale_adapter(adapter, tmp_path / "scaled", factor))
    assert len(whole) == 14
    for before, after in zip(whole, smaller, strict=True):
        assert torch.allclose(after, factor * before, atol=1e-6)


def test_nothing_of_the_delta_is_the_base(
    engine: TransformersEngine, adapter: Path, tmp_path: Path
) -> None:
    asked = [Continuation(prompt=row.prompt, continuation=row.completion) for row in some_rows(3)]
    engine.load_adapter("none", scale_adapter(adapter, tmp_path / "none", 0.0))
    none, _ = engine.loglikelihood(asked, adapter="none")
    base, _ = engine.loglikelihood(asked, adapter=BASE)
    engine.unload_adapter("none")
    assert [one.total for one in none] == pytest.approx([one.total for one in base])


def test_scaling_again_gives_the_same_bytes(adapter: Path, tmp_path: Path) -> None:
    first = scale_adapter(adapter, tmp_path / "a", 0.75)
    second = scale_adapter(adapter, tmp_path / "b", 0.75)
    (second / "left-over").write_text("of a crash")
    second = scale_adapter(adapter, tmp_path / "b", 0.75)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
