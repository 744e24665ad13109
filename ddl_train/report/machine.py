"""What the machine has: device memory, disk, and how fast it multiplies, measured on the spot."""

import os
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddl_train.config import ModelConfig

if TYPE_CHECKING:
    import torch

SHARE_OF_PEAK = 0.3
"""Of the measured matrix speed that whole forward passes are assumed to reach."""
LAYERS = 4
"""Of the transformer that is timed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The device that a run would use."""

    device: str
    name: str
    num_bytes: int
    """Memory of the device that could be used now."""
    flops: float
    """Of large matrix products in the run's dtype, measured for half a second."""
    layer_seconds: float = 0.0
    """A pass through one decoder layer that computes next to nothing, measured as long."""

    @property
    def is_gpu(self) -> bool:
        return self.device == "cuda"

    @property
    def usable_flops(self) -> float:
        return self.flops * SHARE_OF_PEAK


def read_machine(config: ModelConfig) -> Machine:
    """Look at the device that `model.device` names.

    Raises:
        ResourceError: a GPU, or a package for it, is asked for and absent.
    """
    import torch

    from ddl_train.engines.loading import choose_device, choose_dtype

    device = choose_device(config)
    if device.type == "cuda":
        name, num_bytes = torch.cuda.get_device_name(), torch.cuda.mem_get_info()[0]
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        name, num_bytes = f"{cores} CPU cores", _memory_of_host()
    return Machine(
        device=device.type,
        name=name,
        num_bytes=num_bytes,
        flops=_measure(device, choose_dtype(config, device)),
        layer_seconds=_measure_layer(device),
    )


def free_disk(path: Path) -> int:
    """Free bytes where `path` is, or would be made."""
    while not path.exists():
        path = path.absolute().parent
    return shutil.disk_usage(path).free


def _measure(device: "torch.device", dtype: "torch.dtype") -> float:
    import torch

    size = 4096 if device.type == "cuda" else 512
    left = torch.ones(size, size, device=device, dtype=dtype)
    left @ left
    num_products, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.5:
        left @ left
        num_products += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
    return float(2 * size**3 * num_products / (time.perf_counter() - start))


def _measure_layer(device: "torch.device") -> float:
    """Median time of a pass through a tiny transformer, by its number of layers."""
    import torch
    from transformers import LlamaConfig, LlamaModel

    shape = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        vocab_size=64,
    )
    model: Any = LlamaModel(shape)
    model.to(device).eval()
    ids = torch.zeros(8, 1, dtype=torch.long, device=device)
    seconds: list[float] = []
    with torch.inference_mode():
        model(input_ids=ids)
        while sum(seconds) < 0.5:
            start = time.perf_counter()
            model(input_ids=ids)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) / LAYERS


def _memory_of_host() -> int:
    """Bytes that can be used now; in a container not more than it may have."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    available = Path("/proc/meminfo")
    if available.exists():
        fields = dict(line.split(":", 1) for line in available.read_text().splitlines())
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    container = Path("/sys/fs/cgroup/memory.max")
    if container.exists() and (text := container.read_text().strip()).isdigit():
        limits.append(int(text))
    return min(limits)
