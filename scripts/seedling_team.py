"""Processes that raise one seedling together."""

from pathlib import Path
from typing import Any

import torch
from torch import distributed


class Team:
    """Workers that each take their share of a step and meet once in it, to add up gradients.

    One thread each: on shared cores that is faster than threads that meet in every kernel.
    """

    def __init__(self, rank: int, size: int, work: Path) -> None:
        self.rank, self.size = rank, size
        if size > 1:
            meeting = f"file://{work.resolve()}/meeting"
            distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)

    def agree(self, model: Any, seconds: float) -> float:
        """Make every worker's gradients their mean; returns the seconds of the first worker."""
        if self.size == 1:
            return seconds
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        told = torch.tensor([seconds if self.rank == 0 else 0.0])
        flat = torch.cat([g.flatten() for g in gradients] + [told])
        distributed.all_reduce(flat)
        parts = flat[:-1].div_(self.size).split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return float(flat[-1])
