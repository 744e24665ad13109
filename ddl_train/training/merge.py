"""Nights merged one on another: each trains a new LoRA on the base with all earlier deltas in it.

The base is lent, so what is merged into it is taken out again to the bit. What comes of a night is
one adapter for the untouched base whose delta is the sum of both: the ranks add up.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from ddl_train.errors import ConfigError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PREFIX = "base_model.model."


@contextmanager
def merged_into(base: Any, adapter_dir: Path | None) -> Iterator[None]:
    """Within, the weights of `base` are those under the adapter; None changes nothing.

    Raises:
        ConfigError: the base is quantised, so that a merge would round its weights.
    """
    if adapter_dir is None:
        yield
        return
    if getattr(base, "is_quantized", False):
        raise ConfigError(
            "sleep.method is 'merge' and the base is quantised, which a merge would round; "
            "expected 'from_base' or 'continue'"
        )
    modules = _modules_of(adapter_dir)
    before = {name: base.get_submodule(name).weight.detach().clone() for name in modules}
    PeftModel.from_pretrained(base, str(adapter_dir)).merge_and_unload()
    weights = {name: base.get_submodule(name).weight for name in modules}
    try:
        yield
    finally:
        for name, weight in weights.items():
            weight.data.copy_(before[name])


def add_deltas(first: Path, second: Path, target: Path) -> None:
    """Write the adapter whose delta is the sum of two; `target` may be `second`.

    B1 A1 + B2 A2 = [B1 B2] [A1; A2], with the scale of each in its B.

    Raises:
        ConfigError: they change different modules.
    """
    parts = [(load_file(path / WEIGHTS), _read_config(path)) for path in (first, second)]
    (tensors_a, config_a), (tensors_b, config_b) = parts
    if tensors_a.keys() != tensors_b.keys():
        raise ConfigError(
            "sleep.target_modules is not what the current adapter was trained with; method 'merge' "
            "needs the same modules every night"
        )
    tensors: dict[str, torch.Tensor] = {}
    for key in tensors_a:
        if ".lora_A." in key:
            tensors[key] = torch.cat([tensors_a[key], tensors_b[key]], dim=0).contiguous()
        else:
            scaled = [t[key] * (c["lora_alpha"] / c["r"]) for t, c in parts]
            tensors[key] = torch.cat(scaled, dim=1).contiguous()
    rank = config_a["r"] + config_b["r"]
    config = config_b | {"r": rank, "lora_alpha": rank}
    tmp = target.with_name(f"{target.name}.sum")
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    save_file(tensors, tmp / WEIGHTS, metadata={"format": "pt"})
    (tmp / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    tmp.rename(target)


def _modules_of(adapter_dir: Path) -> list[str]:
    keys = load_file(adapter_dir / WEIGHTS)
    names = {key.removeprefix(PREFIX).partition(".lora_")[0] for key in keys}
    return sorted(names)


def _read_config(adapter_dir: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((adapter_dir / CONFIG).read_text(encoding="utf-8"))
    return config
