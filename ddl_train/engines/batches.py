"""Batches: sequences of like length together, padded on the left."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Padded:
    """Token ids of a batch, padded on the left."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor


def pad_left(sequences: Sequence[Sequence[int]], pad: int, device: torch.device) -> Padded:
    """Stack sequences; the last tokens line up."""
    width = max(map(len, sequences))
    ids = [[pad] * (width - len(sequence)) + list(sequence) for sequence in sequences]
    mask = [[0] * (width - len(sequence)) + [1] * len(sequence) for sequence in sequences]
    return Padded(
        torch.tensor(ids, dtype=torch.long, device=device),
        torch.tensor(mask, dtype=torch.long, device=device),
    )


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Positions in batches of up to `size`, longest first, so that padding and memory are least.

    The longest come first: what does not fit fails at once, not after an hour.
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    return [order[start : start + size] for start in range(0, len(order), size)]
