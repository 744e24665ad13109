"""Adapters: they switch cleanly, bad ones are refused, and the base comes back as it was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from ddl_train.config import ModelConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import AdapterError
from ddl_train.records import BASE, Continuation
from tests.tiny import make_tiny

ITEM = Continuation(prompt="what may zorol relieve?", continuation="miritis of the vakase")
WEIGHTS = "adapter_model.safetensors"


def make_adapter(base_dir: Path, folder: Path, seed: int) -> Path:
    """A LoRA adapter with random A and B."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base_dir),
            LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapters(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return [make_adapter(tiny_dir, folder / name, seed) for seed, name in enumerate("ab")]


@pytest.fixture
def fresh(tiny_dir: Path) -> TransformersEngine:
    return load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=4))


def score(engine: TransformersEngine, adapter: str) -> float:
    return engine.loglikelihood([ITEM], adapter=adapter)[0][0].total


def is_frozen(engine: TransformersEngine) -> bool:
    with engine.adapters.active(BASE):
        pass
    model = engine.adapters._peft or engine._base
    return not any(p.requires_grad for p in model.parameters()) and not model.training


def test_each_adapter_speaks_for_itself_and_the_base_stays(
    fresh: TransformersEngine, adapters: list[Path]
) -> None:
    base = score(fresh, BASE)
    fresh.load_adapter("a", adapters[0])
    fresh.load_adapter("b", adapters[1])
    first, second = score(fresh, "a"), score(fresh, "b")
    assert len({round(value, 2) for value in (base, first, second)}) == 3
    assert score(fresh, "a") == first
    assert score(fresh, BASE) == base


def test_nothing_is_trainable_after_switching(
    fresh: TransformersEngine, adapters: list[Path]
) -> None:
    fresh.load_adapter("a", adapters[0])
    for version in ("a", BASE, "a", BASE):
        score(fresh, version)
        assert is_frozen(fresh)


def test_hidden_states_are_the_base_s_whatever_is_loaded(
    fresh: TransformersEngine, adapters: list[Path]
) -> None:
    before, _ = fresh.hidden_states(["zorol"])
    fresh.load_adapter("a", adapters[0])
    score(fresh, "a")
    after, _ = fresh.hidden_states(["zorol"])
    assert (before == after).all()


def test_an_unloaded_adapter_is_gone(fresh: TransformersEngine, adapters: list[Path]) -> None:
    base = score(fresh, BASE)
    for version, path in zip("ab", adapters, strict=True):
        fresh.load_adapter(version, path)
        score(fresh, version)
    fresh.unload_adapter("a")
    assert list(fresh.adapters) == ["b"]
    with pytest.raises(AdapterError, match="not loaded"):
        score(fresh, "a")
    fresh.unload_adapter("b")
    assert score(fresh, BASE) == base


@pytest.mark.filterwarnings("error::UserWarning")
def test_the_adapter_in_use_is_unloaded_without_a_word_and_others_stay(
    fresh: TransformersEngine, adapters: list[Path]
) -> None:
    fresh.load_adapter("a", adapters[0])
    first = score(fresh, "a")
    fresh.load_adapter("b", adapters[1])
    score(fresh, "b")
    fresh.unload_adapter("b")
    assert score(fresh, "a") == first


def test_a_name_loaded_again_takes_the_new_weights(
    fresh: TransformersEngine, adapters: list[Path]
) -> None:
    fresh.load_adapter("a", adapters[0])
    first = score(fresh, "a")
    fresh.load_adapter("a", adapters[1])
    assert score(fresh, "a") != first


def cut(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])


def lie(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes((1 << 40).to_bytes(8, "little") + whole[8:])


def break_numbers(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[next(iter(tensors))][0, 0] = float("nan")
    save_file(tensors, folder / WEIGHTS)


def lose_weights(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


def lose_config(folder: Path) -> None:
    (folder / "adapter_config.json").unlink()


def change_type(folder: Path) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"peft_type": "IA3"}))


def not_json(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "damaged or cut short"),
        (lie, "damaged or cut short"),
        (break_numbers, "NaN"),
        (lose_weights, "only safetensors"),
        (lose_config, "holds no adapter_config.json"),
        (change_type, "expected LORA"),
        (not_json, "cannot be read as JSON"),
    ],
)
def test_a_damaged_adapter_is_refused_and_the_base_unharmed(
    fresh: TransformersEngine,
    adapters: list[Path],
    tmp_path: Path,
    spoil: Callable[[Path], None],
    said: str,
) -> None:
    base = score(fresh, BASE)
    folder = tmp_path / "spoilt"
    shutil.copytree(adapters[0], folder)
    spoil(folder)
    with pytest.raises(AdapterError, match=said):
        fresh.load_adapter("spoilt", folder)
    assert list(fresh.adapters) == []
    assert score(fresh, BASE) == base


def test_an_adapter_of_another_shape_is_refused(fresh: TransformersEngine, tmp_path: Path) -> None:
    other = make_adapter(make_tiny(tmp_path / "wide", hidden_size=64), tmp_path / "adapter", 0)
    with pytest.raises(AdapterError, match="made for another base"):
        fresh.load_adapter("wide", other)


def test_an_adapter_of_another_base_of_the_same_shape_is_refused(
    fresh: TransformersEngine, adapters: list[Path]
) -> None:
    with pytest.raises(AdapterError, match="made for another base"):
        fresh.load_adapter("a", adapters[0], base_sha256="f" * 64)
    fresh.load_adapter("a", adapters[0], base_sha256=fresh.base_sha256)


def test_an_adapter_cannot_be_called_base(fresh: TransformersEngine, adapters: list[Path]) -> None:
    with pytest.raises(AdapterError, match="named"):
        fresh.load_adapter(BASE, adapters[0])


def train_a_night(model: Any, engine: TransformersEngine, folder: Path) -> None:
    """A few steps of TRL's SFT, which patches what it trains."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

    ids = [engine.chat.prompt_ids(f"q {n}") + engine.chat.completion_ids("a") for n in range(4)]
    rows = {"input_ids": ids, "labels": ids}
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(folder),
            use_cpu=True,
            bf16=False,
            max_steps=2,
            learning_rate=0.1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict(rows),
        processing_class=engine.tokenizer,
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_two_nights_leave_the_base_bitwise_unchanged(
    fresh: TransformersEngine, adapters: list[Path], tmp_path: Path
) -> None:
    fresh.load_adapter("a", adapters[0])
    before = (score(fresh, BASE), score(fresh, "a"))
    with fresh.lend_base() as model:
        weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for night in range(2):
        with fresh.lend_base() as model:
            train_a_night(model, fresh, tmp_path / str(night))
    with fresh.lend_base() as model:
        after = model.state_dict()
        assert after.keys() == weights.keys()
        assert all(torch.equal(after[name], tensor) for name, tensor in weights.items())
        assert "forward" not in model.__dict__
        assert all(parameter.grad is None for parameter in model.parameters())
    assert is_frozen(fresh)
    assert (score(fresh, BASE), score(fresh, "a")) == before


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_night_that_fails_gives_the_base_back_clean(fresh: TransformersEngine) -> None:
    base = score(fresh, BASE)
    with pytest.raises(KeyboardInterrupt), fresh.lend_base() as model:
        get_peft_model(model, LoraConfig(r=2, target_modules="all-linear")).train()
        model.forward = lambda **_: None
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
        raise KeyboardInterrupt
    assert is_frozen(fresh)
    assert not any(getattr(m, "gradient_checkpointing", False) for m in fresh._base.modules())
    assert not fresh._base.get_input_embeddings()._forward_hooks
    assert score(fresh, BASE) == base


def test_the_engine_does_not_run_while_its_base_is_lent(fresh: TransformersEngine) -> None:
    with fresh.lend_base(), pytest.raises(RuntimeError, match="lent out"):
        score(fresh, BASE)


@pytest.mark.parametrize("name", ["half", "./my-adapter", "Qwen3-0.6B-lora", "weight"])
def test_an_adapter_may_have_any_name(
    fresh: TransformersEngine, adapters: list[Path], name: str
) -> None:
    fresh.load_adapter("a", adapters[0])
    fresh.load_adapter(name, adapters[0])
    assert score(fresh, name) == score(fresh, "a") != score(fresh, BASE)
    fresh.unload_adapter(name)
    assert name not in fresh.adapters
