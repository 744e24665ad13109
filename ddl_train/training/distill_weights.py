"""What a student buys: parameters, bytes and tokens a second, beside its teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddl_train.engines.speed import tokens_per_second
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Sampling
from ddl_train.training.distill_rank import WEIGHTS, count_parameters


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """What somebody loads: a base with an adapter."""

    base_parameters: int
    adapter_parameters: int
    adapter_bytes: int
    """Of `adapter_model.safetensors`."""
    tokens_per_second: float
    """Written greedily, in batches of `model.batch_size`."""


def weigh(
    loaded: Sequence[tuple[TransformersEngine, str, Path]],
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
) -> list[Weighed]:
    """Sizes of each adapter on its base, and speeds that were measured in one go.

    Args:
        loaded: engine, the adapter's name in it, and its folder.
        prompts: answered by each.
        max_new_tokens: of an answer.
    """
    speeds = tokens_per_second(
        [(engine, name) for engine, name, _ in loaded],
        prompts,
        Sampling(max_new_tokens=max_new_tokens),
    )
    return [
        Weighed(
            base_parameters=_base_parameters(engine),
            adapter_parameters=count_parameters(folder),
            adapter_bytes=(folder / WEIGHTS).stat().st_size,
            tokens_per_second=speed,
        )
        for (engine, _, folder), speed in zip(loaded, speeds, strict=True)
    ]


def _base_parameters(engine: TransformersEngine) -> int:
    """Without the adapters that lie on it."""
    with engine.lend_base() as base:
        return int(base.num_parameters())
