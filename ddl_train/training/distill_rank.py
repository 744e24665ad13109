"""An adapter of lower rank: the nearest to the weight delta of another, without training.

The best approximation of rank k of a matrix is its k largest singular values (Eckart and Young,
1936). LoRA's delta is B A, a product of two thin matrices, so that the decomposition is one of
their QR factors, r by r, however wide the model: Bq Br = B, Aq Ar = A^T, then svd(Br Ar^T).
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ddl_train.errors import AdapterError
from ddl_train.records import JsonObject

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
DEFAULT_RANK = 8


def rank_of(adapter_dir: Path) -> int:
    """Rank of an adapter, as its config has it."""
    return int(_read_config(adapter_dir)["r"])


def choose_rank(teacher_dir: Path, rank: int | None, *, is_same_base: bool) -> int:
    """The rank of a student: the one asked for, else `DEFAULT_RANK`, or the teacher's elsewhere.

    Raises:
        AdapterError: on the teacher's own base, it is not below the teacher's.
    """
    own = rank_of(teacher_dir)
    if not is_same_base:
        return rank or own
    rank = rank or DEFAULT_RANK
    if rank >= own:
        raise AdapterError(
            f"rank {rank} is not below {own}, the teacher's; expected --rank 1 to {own - 1}, or "
            "--student with a smaller base"
        )
    return rank


def count_parameters(adapter_dir: Path) -> int:
    """Numbers that an adapter holds."""
    with safe_open(adapter_dir / WEIGHTS, framework="pt") as file:
        shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
    return sum(math.prod(shape) for shape in shapes)


def cut_rank(source: Path, target: Path, rank: int) -> float:
    """Write an adapter of rank `rank` whose delta is as near as possible to that of another.

    Its `lora_alpha` keeps the scale of the other, and both factors get the root of the singular
    values, so that it can be trained on at the learning rate of the other. `target` is replaced.

    Returns:
        Share of the squared delta, over all modules, that is kept; 0 to 1.

    Raises:
        AdapterError: the rank is not below that of `source`, or its ranks differ by module.
    """
    config = _read_config(source)
    if not 0 < rank < config["r"]:
        raise AdapterError(
            f"rank {rank} is not below {config['r']}, the rank of {source.name}; expected 1 to "
            f"{config['r'] - 1}"
        )
    if config.get("rank_pattern") or config.get("alpha_pattern") or config.get("use_rslora"):
        raise AdapterError(f"{source}: modules of their own rank or scale cannot be cut")
    with safe_open(source / WEIGHTS, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    kept = whole = 0.0
    for key in [name for name in tensors if ".lora_A." in name]:
        other = key.replace(".lora_A.", ".lora_B.")
        a, b, values = _cut(tensors[key], tensors[other], rank)
        kept += float((values[:rank] ** 2).sum())
        whole += float((values**2).sum())
        tensors[key], tensors[other] = a, b
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    alpha = config["lora_alpha"] * rank / config["r"]
    config |= {"r": rank, "lora_alpha": int(alpha) if alpha == int(alpha) else alpha}
    text = json.dumps(config, indent=2, sort_keys=True)
    (target / CONFIG).write_text(text, encoding="utf-8")
    save_file(tensors, target / WEIGHTS, metadata=metadata)
    return kept / whole if whole else 1.0


def _cut(a: Any, b: Any, rank: int) -> tuple[Any, Any, Any]:
    """A [rank, in] and B [out, rank] of one module, and all singular values of its B A."""
    b_basis, b_rest = torch.linalg.qr(b.double())
    a_basis, a_rest = torch.linalg.qr(a.double().T)
    left, values, right = torch.linalg.svd(b_rest @ a_rest.T)
    root = values[:rank].sqrt()
    new_a = (root[:, None] * right[:rank]) @ a_basis.T
    new_b = b_basis @ (left[:, :rank] * root)
    return new_a.to(a.dtype).contiguous(), new_b.to(b.dtype).contiguous(), values


def _read_config(adapter_dir: Path) -> JsonObject:
    values: JsonObject = json.loads((adapter_dir / CONFIG).read_text(encoding="utf-8"))
    return values
