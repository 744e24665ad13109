"""What the tests of a night share: an engine on a tiny random model, rows, a quick config."""

from pathlib import Path
from typing import Any

from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.records import TrainingRow
from tests.tiny import make_tiny


def tiny_engine(folder: Path) -> TransformersEngine:
    if not folder.exists():
        make_tiny(folder)
    return load_engine(ModelConfig(base=str(folder), device="cpu", batch_size=8))


def some_rows(num_rows: int = 10) -> list[TrainingRow]:
    return [
        TrainingRow(
            prompt=f"what may zorol {number} relieve?",
            completion=f"miritis {number * number}",
            origin="new",
            insight_id=number,
        )
        for number in range(num_rows)
    ]


def quick(**changes: Any) -> SleepConfig:
    settings: dict[str, Any] = {
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.1,
        "learning_rate": 1e-2,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 2,
        "save_steps": 3,
        "warmup_steps": 2,
    }
    return SleepConfig(**(settings | changes))
