"""What the machine has: device memory, disk, and how fast it multiplies, measured on the spot."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from ddl_train.config import ModelConfig
from ddl_train.errors import ResourceError

SHARE_OF_PEAK = 0.3
"""Of the measured matrix speed that whole forward passes are assumed to reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The device that a run would use."""

    device: str
    name: str
    num_bytes: int
    """Memory of the device that could be used now."""
    flops: float
    """Of large matrix products in the run's dtype, measured for half a second."""

    @property
    def is_gpu(self) -> bool:
        return self.device == "cuda"

    @property
    def usable_flops(self) -> float:
        return self.flops * SHARE_OF_PEAK


def read_machine(config: ModelConfig) -> Machine:
    """Look at the device that `model.device` names.

    Raises:
        ResourceError: a GPU is asked for and there is none.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if config.device == "cuda" and not has_gpu:
        raise ResourceError(
            "model.device is 'cuda' and this machine has no usable NVIDIA GPU; "
            "set model.device=cpu or auto, or run where there is one"
        )
    if has_gpu and config.device != "cpu":
        free, _ = torch.cuda.mem_get_info()
        device, name, num_bytes = "cuda", torch.cuda.get_device_name(), free
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        device, name, num_bytes = "cpu", f"{cores} CPU cores", _memory_of_host()
    is_half = config.dtype == "bfloat16" or (config.dtype == "auto" and device == "cuda")
    return Machine(
        device=device,
        name=name,
        num_bytes=num_bytes,
        flops=_measure(device, torch.bfloat16 if is_half else torch.float32),
    )


def free_disk(path: Path) -> int:
    """Free bytes where `path` is, or would be made."""
    while not path.exists():
        path = path.absolute().parent
    return shutil.disk_usage(path).free


def _measure(device: str, dtype: object) -> float:
    import torch

    size = 4096 if device == "cuda" else 512
    left = torch.ones(size, size, device=device, dtype=dtype)  # type: ignore[call-overload]
    left @ left
    num_products, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.5:
        left @ left
        num_products += 1
        if device == "cuda":
            torch.cuda.synchronize()
    return float(2 * size**3 * num_products / (time.perf_counter() - start))


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
