"""What a device can do at most, measured: bytes copied and multiply-adds of a matrix product.

A figure over such a bound says how much of the hardware is used, whatever its data sheet says.
"""

import time
from collections.abc import Callable

import torch

_NUM_ROUNDS = 5
_BYTES = {"cpu": 1 << 28, "cuda": 1 << 32}
"""Far more than any cache holds."""
_SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices."""


def measure_bandwidth(device: torch.device) -> float:
    """Bytes read and written a second in the fastest of a few large copies."""
    size = _BYTES[device.type] // 4
    source = torch.ones(size, device=device)
    target = torch.empty_like(source)
    return 2 * 4 * size / _fastest(lambda: target.copy_(source), device)


def measure_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of a few square matrix products in the dtype that a model uses."""
    side = _SIDE[device.type]
    left = torch.rand(side, side, device=device).to(dtype)
    right = torch.rand(side, side, device=device).to(dtype)
    return 2 * side**3 / _fastest(lambda: left @ right, device)


def synchronize(device: torch.device) -> None:
    """Wait until all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest round, after one that does not count."""
    seconds = []
    for _ in range(1 + _NUM_ROUNDS):
        synchronize(device)
        start = time.perf_counter()
        work()
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
