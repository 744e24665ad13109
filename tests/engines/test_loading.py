"""Loading: what cannot be used is refused in one sentence."""

import errno
import json
import os
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch

from ddl_train.config import ModelConfig
from ddl_train.engines.loading import choose_device, choose_dtype, fingerprint, load_base
from ddl_train.errors import ModelError, ResourceError
from tests.tiny import make_tiny

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")


def config(base: Path | str, **options: object) -> ModelConfig:
    return ModelConfig.model_validate({"base": str(base), "device": "cpu", **options})


@pytest.fixture
def copy(tiny_dir: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_dir, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        load_base(config(tmp_path / "nowhere"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_base(config(tmp_path))


@pytest.mark.parametrize("closed", ["config.json", ""])
def test_a_folder_that_may_not_be_searched_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    """A user without the right, which root always has: `stat` fails on the folder or in it."""
    look = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.is_relative_to(copy / closed):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(ModelError, match="may not be searched; check its owner"):
        load_base(config(copy))


def test_weights_must_be_safetensors(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_base(config(copy))


def test_damaged_weights_are_refused(copy: Path) -> None:
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_base(config(copy))


@pytest.mark.parametrize("text", ["[]", "3", "{}", "{"])
def test_a_config_that_is_none_is_refused(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text)
    with pytest.raises(ModelError, match="cannot be loaded as a causal language model"):
        load_base(config(copy))


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    values = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(values | {"intermediate_size": 24}))
    with pytest.raises(ModelError, match="of another shape than its config"):
        load_base(config(copy))


def test_a_name_that_is_nowhere_is_refused_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="offline"):
        load_base(config("nobody/has-this-model"))


@NO_GPU
def test_a_gpu_that_is_absent_is_refused(tiny_dir: Path) -> None:
    with pytest.raises(ResourceError, match="sees no GPU"):
        load_base(config(tiny_dir, device="cuda"))


@NO_GPU
def test_four_bits_need_a_gpu(tiny_dir: Path) -> None:
    with pytest.raises(ResourceError, match="CUDA GPU"):
        load_base(config(tiny_dir, device="auto", load_in_4bit=True))


def test_a_cpu_runs_in_float32_unless_told_otherwise(tiny_dir: Path) -> None:
    auto = config(tiny_dir)
    assert choose_dtype(auto, choose_device(auto)) is torch.float32
    assert load_base(config(tiny_dir, dtype="bfloat16")).model.dtype is torch.bfloat16


def test_the_base_is_frozen_and_evaluating(tiny_dir: Path) -> None:
    model = load_base(config(tiny_dir)).model
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_opinions_of_a_model_on_sampling_are_dropped(copy: Path) -> None:
    (copy / "generation_config.json").write_text('{"repetition_penalty": 3.0, "top_k": 1}')
    assert load_base(config(copy)).model.generation_config.repetition_penalty is None


def test_equal_models_have_equal_fingerprints(tiny_dir: Path, copy: Path) -> None:
    assert fingerprint(tiny_dir) == fingerprint(copy)


def test_other_weights_have_another_fingerprint(tiny_dir: Path, tmp_path: Path) -> None:
    assert fingerprint(tiny_dir) != fingerprint(make_tiny(tmp_path / "other", seed=1))
