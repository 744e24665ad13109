"""What TRL and PEFT are told: every setting that stands between a config and a night."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import datasets
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]  # trl loads them lazily

from ddl_train.config import SleepConfig
from ddl_train.training.checkpoints import TRAINER
from ddl_train.training.encoding import EncodedRows


def make_trainer(
    base: Any,
    tokenizer: Any,
    encoded: EncodedRows,
    config: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
    start_from: Path | None,
) -> SFTTrainer:
    """The Trainer of one night, with its LoRA on the base."""
    # the adapter is initialised from the global generator on some paths of peft and trl
    set_seed(seed)
    if start_from is None:
        model, peft_config = base, _lora_config(config)
    else:
        model = PeftModel.from_pretrained(base, str(start_from), is_trainable=True)
        peft_config = None
    columns = {"input_ids": list(encoded.input_ids), "labels": list(encoded.labels)}
    arguments = _arguments(base, config, out_dir=out_dir, seed=seed)
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        # the trainer sets a pad token on the tokenizer it is given
        processing_class=deepcopy(tokenizer),
        peft_config=peft_config,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _lora_config(config: SleepConfig) -> LoraConfig:
    return LoraConfig(
        r=config.r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=config.target_modules,
        task_type="CAUSAL_LM",
    )


def _arguments(base: Any, config: SleepConfig, *, out_dir: Path, seed: int) -> SFTConfig:
    on_cpu = base.device.type == "cpu"
    arguments = SFTConfig(
        output_dir=str(out_dir / TRAINER),
        run_name=out_dir.name,
        seed=seed,
        use_cpu=on_cpu,
        bf16=base.dtype is torch.bfloat16,
        dataloader_pin_memory=not on_cpu,
        # a packed forward pass joins its whole batch into one row, and attention is quadratic
        per_device_train_batch_size=1 if config.packing else config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        packing=config.packing,
        max_length=config.max_length,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=config.warmup_steps,
        num_train_epochs=config.num_train_epochs,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=config.report_to or "none",
        disable_tqdm=True,
        **_checkpointing(is_on=config.gradient_checkpointing),
    )
    if arguments.n_gpu > 1:
        # without this the Trainer wraps the model in DataParallel, which TRL refuses
        arguments._n_gpu = 1
    return arguments


def _checkpointing(*, is_on: bool) -> dict[str, Any]:
    """Both names of one setting: TRL reads the old one, newer transformers warns about it."""
    fields = SFTConfig.__dataclass_fields__
    names = ("gradient_checkpointing", "activation_checkpointing")
    return {name: is_on for name in names if name in fields}


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Progress belongs to the caller, and deprecations inside the libraries are not ours."""
    had_bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if not had_bars:
            datasets.enable_progress_bars()
