"""Merged nights: the base is given back to the bit, and the deltas of two nights add up."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import ConfigError
from ddl_train.training.lora import train_lora
from ddl_train.training.merge import add_deltas, merged_into
from tests.training.nights import quick, some_rows, tiny_engine
from tests.training.test_delta import deltas


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def first(engine: TransformersEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = train_lora(
        engine, some_rows(), quick(), out_dir=tmp_path_factory.mktemp("first"), seed=1
    )
    assert trained.dir is not None
    return trained.dir


def logits(engine: TransformersEngine, model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(torch.tensor([engine.chat.prompt_ids("zorol")])).logits
    return found


def test_within_the_base_answers_as_the_adapter_and_afterwards_it_is_as_before(
    engine: TransformersEngine, first: Path
) -> None:
    before = {name: weight.clone() for name, weight in engine._base.state_dict().items()}
    engine.load_adapter("first", first)
    with engine.adapters.active("first") as model:
        wanted = logits(engine, model)
    engine.unload_adapter("first")
    with engine.lend_base() as base, merged_into(base, first):
        merged = logits(engine, base)
    assert torch.allclose(merged, wanted, atol=1e-4)  # of logits up to 6
    after = engine._base.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_second_night_holds_the_delta_of_the_first_and_its_own(
    engine: TransformersEngine, first: Path, tmp_path: Path
) -> None:
    trained = train_lora(
        engine,
        some_rows(),
        quick(method="merge", learning_rate=1e-12),
        out_dir=tmp_path,
        seed=2,
        start_from=first,
    )
    assert trained.dir is not None
    for both, one in zip(deltas(engine, trained.dir), deltas(engine, first), strict=True):
        assert torch.allclose(both, one, atol=1e-6)


def test_deltas_add_up(engine: TransformersEngine, first: Path, tmp_path: Path) -> None:
    second = train_lora(engine, some_rows(), quick(), out_dir=tmp_path / "night", seed=3).dir
    assert second is not None
    add_deltas(first, second, tmp_path / "sum")
    found = deltas(engine, tmp_path / "sum")
    for total, a, b in zip(found, deltas(engine, first), deltas(engine, second), strict=True):
        assert torch.allclose(total, a + b, atol=1e-6)


def test_nights_on_other_modules_cannot_be_added(
    engine: TransformersEngine, first: Path, tmp_path: Path
) -> None:
    config = quick(target_modules=["q_proj"])
    other = train_lora(engine, some_rows(), config, out_dir=tmp_path / "night", seed=3).dir
    assert other is not None
    with pytest.raises(ConfigError, match="same modules"):
        add_deltas(first, other, tmp_path / "sum")
