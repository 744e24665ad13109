"""A share of what a night changed: the same adapter with its delta scaled.

LoRA adds B A to a weight, so scaling every B scales the whole delta and nothing else.
"""

import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

WEIGHTS = "adapter_model.safetensors"


def scale_adapter(source: Path, target: Path, factor: float) -> Path:
    """Write a copy of an adapter whose delta is `factor` times as large; same bytes each time.

    `target` is replaced and holds an adapter's two files, ready to be installed.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copyfile(source / "adapter_config.json", target / "adapter_config.json")
    with safe_open(source / WEIGHTS, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    for key, tensor in tensors.items():
        if ".lora_B." in key or ".lora_embedding_B" in key:
            tensors[key] = (tensor.double() * factor).to(tensor.dtype)
    save_file(tensors, target / WEIGHTS, metadata=metadata)
    return target
