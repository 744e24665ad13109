"""TRL's `SFTTrainer` as it comes: what the training of a night is measured against.

Rows, LoRA, batches, learning rate, precision and gradient checkpointing (which TRL has on by default)
are those of the night, so that both do the same arithmetic; all else is TRL's default.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]  # trl loads them lazily

from ddl_train.config import SleepConfig
from ddl_train.training.encoding import EncodedRows
from ddl_train.training.trainer import lora_config


def make_plain_trainer(
    base: Any,
    tokenizer: Any,
    encoded: EncodedRows,
    config: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
) -> SFTTrainer:
    """A trainer that nobody tuned, on rows that are encoded already."""
    columns = {"input_ids": list(encoded.input_ids), "labels": list(encoded.labels)}
    trainer = SFTTrainer(
        model=base,
        args=SFTConfig(
            output_dir=str(out_dir),
            seed=seed,
            use_cpu=base.device.type == "cpu",
            bf16=base.dtype is torch.bfloat16,
            gradient_checkpointing=config.gradient_checkpointing,
            per_device_train_batch_size=config.per_device_train_batch_size,
            gradient_accumulation_steps=config.gradient_accumulation_steps,
            num_train_epochs=config.num_train_epochs,
            learning_rate=config.learning_rate,
            max_length=config.max_length,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict(columns),
        processing_class=deepcopy(tokenizer),
        peft_config=lora_config(config),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
