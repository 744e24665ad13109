"""A whole run, and what of it may differ when the run is taken up again."""

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from ddl_train.config.distill import DistillConfig
from ddl_train.config.evaluate import EvaluateConfig
from ddl_train.config.memory import MemoryConfig
from ddl_train.config.model import ModelConfig
from ddl_train.config.promote import PromoteConfig
from ddl_train.config.sleep import SleepConfig
from ddl_train.config.stage import StageConfig
from ddl_train.config.wake import WakeConfig


class Config(StageConfig):
    """A whole run."""

    name: str
    """Of the run: its folder under `checkpoints/`. Defaults to the stem of the config file."""
    checkpoints_dir: str = "checkpoints"
    seed: int = 0
    num_cycles: int = Field(3, gt=0)
    price_per_million_tokens: float | None = Field(None, ge=0)
    """For the tax in money. None leaves money out."""
    model: ModelConfig
    memory: MemoryConfig
    wake: WakeConfig = WakeConfig()
    sleep: SleepConfig = SleepConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    promote: PromoteConfig = PromoteConfig()
    distill: DistillConfig = DistillConfig()

    @model_validator(mode="after")
    def _likelihood_is_known(self) -> "Config":
        if self.model.batching == "continuous" and self.wake.stopping.min_mean_logprob is not None:
            raise ValueError(
                "wake.stopping.min_mean_logprob needs the model's own probabilities, which "
                "continuous batching does not give; set model.batching to static or auto"
            )
        return self

    @model_validator(mode="after")
    def _workers_write_static(self) -> "Config":
        if self.model.batching == "continuous" and self.wake.workers is not None:
            raise ValueError(
                "wake.workers write in static batches, so that a text does not depend on who writes "
                "it; set model.batching to static or auto"
            )
        return self

    @property
    def run_dir(self) -> Path:
        return Path(self.checkpoints_dir) / self.name


CHANGEABLE = (
    "num_cycles",
    "price_per_million_tokens",
    "memory.sources",
    "memory.license",
    "model.license",
    "wake",
    "sleep",
    "evaluate",
    "promote",
    "distill",
    "model.batch_size",
    "model.batching",
    "model.device",
    "model.max_length",
)
"""Keys (or their beginnings) that may differ when a run is resumed; all else makes it another
run."""


def changed_keys(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """Dotted keys whose values differ, each with the old and the new value."""
    before, after = flatten(old.model_dump()), flatten(new.model_dump())
    keys = sorted(before.keys() | after.keys())
    return [
        (key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    ]


def is_changeable(key: str) -> bool:
    """True when a resumed run may have another value under this dotted key."""
    return any(key == name or key.startswith(name + ".") for name in CHANGEABLE)


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and key != "chat_template_kwargs":
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
