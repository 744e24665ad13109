"""Static batches or continuous ones: asked for, or found out by writing a little both ways."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from ddl_train.config import ModelConfig
from ddl_train.errors import ModelError
from ddl_train.records import Sampling

Kind = Literal["static", "continuous"]
MAX_TRIAL_TOKENS = 128
"""Of each answer that is written to find out."""
ON_CPU = (
    "on a CPU static batches are faster: there is no launch to hide, and paged attention reads the "
    "keys of all rows for each"
)


@dataclass(frozen=True, slots=True)
class Batching:
    """How answers are batched, and why."""

    kind: Kind
    because: str


def choose_batching(
    config: ModelConfig,
    device: torch.device,
    sampling: Sampling,
    tokens_per_second: Callable[[Kind], float],
) -> Batching:
    """Which way to write.

    Args:
        config: `batching` is followed where it is not `auto`.
        device: that writes.
        sampling: of what will be written.
        tokens_per_second: writes a little one way; how fast that was.
    """
    if config.batching != "auto":
        return Batching(config.batching, "model.batching says so")
    if device.type == "cpu":
        return Batching("static", ON_CPU)
    if sampling.stopping.min_mean_logprob is not None:
        return Batching("static", "wake.stopping.min_mean_logprob needs static batches")
    try:
        continuous = tokens_per_second("continuous")
    except (ModelError, ValueError) as error:
        return Batching("static", f"continuous batching is not possible: {error}")
    static = tokens_per_second("static")
    return Batching(
        "continuous" if continuous > static else "static",
        f"continuous batching wrote {continuous:,.0f} tokens a second and static batches "
        f"{static:,.0f}, tried on the first pairs",
    )
