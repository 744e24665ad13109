"""A cut adapter is the nearest of its rank, at the scale of the one it was cut from."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ddl_train.errors import AdapterError
from ddl_train.training.distill_rank import count_parameters, cut_rank, rank_of

MODULES = {"layers.0.q": (12, 20), "layers.1.mlp": (30, 12)}
PREFIX = "base_model.model."


def an_adapter(folder: Path, *, rank: int = 6, alpha: int = 12, **config: object) -> Path:
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, (num_out, num_in) in MODULES.items():
        key = f"{PREFIX}{name}"
        tensors[f"{key}.lora_A.weight"] = torch.randn(rank, num_in, generator=generator)
        tensors[f"{key}.lora_B.weight"] = torch.randn(num_out, rank, generator=generator)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    values = {"r": rank, "lora_alpha": alpha, "peft_type": "LORA"} | config
    (folder / "adapter_config.json").write_text(json.dumps(values))
    return folder


def deltas(folder: Path) -> dict[str, torch.Tensor]:
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    scale = config["lora_alpha"] / config["r"]
    return {
        name: scale
        * (tensors[f"{PREFIX}{name}.lora_B.weight"] @ tensors[f"{PREFIX}{name}.lora_A.weight"])
        for name in MODULES
    }


def test_the_cut_is_the_best_approximation_of_its_rank(tmp_path: Path) -> None:
    whole = an_adapter(tmp_path / "whole")
    cut_rank(whole, tmp_path / "cut", 2)
    cut = deltas(tmp_path / "cut")
    for name, delta in deltas(whole).items():
        left, values, right = torch.linalg.svd(delta, full_matrices=False)
        best = (left[:, :2] * values[:2]) @ right[:2]
        torch.testing.assert_close(cut[name], best, atol=1e-4, rtol=1e-4)


def test_the_share_kept_is_that_of_the_squared_delta(tmp_path: Path) -> None:
    whole = an_adapter(tmp_path / "whole")
    kept = cut_rank(whole, tmp_path / "cut", 3)
    squares = [
        sum(float((d**2).sum()) for d in deltas(p).values()) for p in (tmp_path / "cut", whole)
    ]
    assert kept == pytest.approx(squares[0] / squares[1], rel=1e-5)
    assert 0 < kept < 1


def test_rank_scale_and_size_stand_in_the_files(tmp_path: Path) -> None:
    whole = an_adapter(tmp_path / "whole")
    cut_rank(whole, tmp_path / "cut", 2)
    config = json.loads((tmp_path / "cut" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], rank_of(tmp_path / "cut")) == (2, 4, 2)
    assert 3 * count_parameters(tmp_path / "cut") == count_parameters(whole)


def test_the_same_adapter_is_cut_to_the_same_bytes(tmp_path: Path) -> None:
    whole = an_adapter(tmp_path / "whole")
    found = []
    for name in ("one", "two"):
        cut_rank(whole, tmp_path / name, 4)
        found.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("rank", [0, 6, 7])
def test_a_rank_that_is_not_below_is_refused(tmp_path: Path, rank: int) -> None:
    with pytest.raises(AdapterError, match=f"rank {rank} is not below 6"):
        cut_rank(an_adapter(tmp_path / "whole"), tmp_path / "cut", rank)


def test_ranks_that_differ_by_module_are_refused(tmp_path: Path) -> None:
    whole = an_adapter(tmp_path / "whole", rank_pattern={"q": 2})
    with pytest.raises(AdapterError, match="of their own rank"):
        cut_rank(whole, tmp_path / "cut", 2)
