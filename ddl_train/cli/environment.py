"""Environment variables of other libraries, set before they are imported."""

import os
import warnings
from pathlib import Path

from ddl_train.config import Config

ALWAYS = {
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait slow down all else
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",  # the run has its own
}


def set_up() -> None:
    """Set what is unset; what the user has set stays. Warnings among libraries are not for users."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|trl|peft")
    for name, value in ALWAYS.items():
        os.environ.setdefault(name, value)


def go_offline_if_local(config: Config) -> None:
    """Models and an embedder that lie on this disk need no network, and get none."""
    kind, _, place = config.memory.embedder.partition(":")
    is_local_embedder = kind in ("hidden_states", "words") or Path(place).is_dir()
    second = config.wake.cascade.second
    bases = [config.model, *([second.local] if second and second.local else [])]
    if all(Path(one.base).is_dir() for one in bases) and is_local_embedder:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
