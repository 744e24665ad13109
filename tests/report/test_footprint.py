"""Estimates of device memory against what a model of the same shape really holds."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig

from ddl_train.config import Config, parse_config
from ddl_train.errors import ModelError
from ddl_train.report.footprint import ModelShape, estimate, read_shape

LLAMA = LlamaConfig(
    hidden_size=192,
    intermediate_size=512,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=1000,
    tie_word_embeddings=True,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama")
    LLAMA.save_pretrained(path)
    return path


def config(folder: Path, **sleep: object) -> Config:
    return parse_config(
        {
            "name": "x",
            "model": {"base": str(folder), "device": "cpu"},
            "memory": {"sources": ["notes"]},
            "sleep": {"per_device_train_batch_size": 4, "max_length": 64, **sleep},
        },
        where="x",
    )


@pytest.fixture(scope="module")
def shape(folder: Path) -> ModelShape:
    return read_shape(config(folder).model)


def test_parameters_are_counted_exactly_without_weights(shape: ModelShape, folder: Path) -> None:
    model = AutoModelForCausalLM.from_config(LLAMA)
    assert shape.num_parameters == model.num_parameters()
    adapted = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear"))
    trainable, _ = adapted.get_nb_trainable_parameters()
    assert shape.num_adapter_parameters(config(folder).sleep) == trainable


@pytest.mark.parametrize(
    ("targets", "share"),
    [
        (r".*layers\.1\..*(q|down)_proj", None),
        (["q_proj", "down_proj"], None),
        (["nope"], 0),
        ("q_proj", 0),  # an expression is held against the whole name
    ],
)
def test_targets_by_name_or_expression(
    shape: ModelShape, folder: Path, targets: str | list[str], share: int | None
) -> None:
    chosen = config(folder, target_modules=targets).sleep
    if share == 0:
        with pytest.raises(ModelError, match="names no linear layer"):
            shape.num_adapter_parameters(chosen)
    else:
        assert 0 < shape.num_adapter_parameters(chosen) < shape.num_parameters


def test_activations_are_not_underestimated_and_not_by_much_over(
    shape: ModelShape, folder: Path
) -> None:
    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_config(LLAMA), LoraConfig(r=16, target_modules="all-linear")
    ).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.randint(0, 1000, (4, 64))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=ids, labels=ids)
    measured = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    need = estimate(shape, config(folder), is_gpu=False)
    fixed = need.weights + shape.num_adapter_parameters(config(folder).sleep) * 16 + 5e8
    assert measured <= need.sleep - fixed <= 2 * measured


def test_gradient_checkpointing_and_smaller_batches_need_less(
    shape: ModelShape, folder: Path
) -> None:
    plain = estimate(shape, config(folder), is_gpu=False).sleep
    assert estimate(shape, config(folder, gradient_checkpointing=True), is_gpu=False).sleep < plain
    smaller = config(folder, per_device_train_batch_size=2)
    assert estimate(shape, smaller, is_gpu=False).sleep < plain


@pytest.mark.parametrize("base", ["./nowhere", "/no/such/folder"])
def test_a_folder_that_is_not_there_is_named(base: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        read_shape(config(Path(base)).model.model_copy(update={"base": base}))
