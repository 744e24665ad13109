"""What TRL and PEFT are told: every setting that stands between a config and a night."""

import math
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
from transformers.utils import logging as transformers_logging
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]  # trl loads them lazily

from ddl_train.config import SleepConfig
from ddl_train.errors import ConfigError
from ddl_train.training.checkpoints import TRAINER
from ddl_train.training.encoding import EncodedRows
from ddl_train.training.shares import in_steps, shared


def make_trainer(
    base: Any,
    tokenizer: Any,
    encoded: EncodedRows,
    config: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
    start_from: Path | None,
    on_cpu: bool | None = None,
) -> SFTTrainer:
    """The Trainer of one night, with its LoRA on the base.

    Args:
        base: the plain base.
        tokenizer: of the base.
        encoded: the rows.
        config: of the night; with several processes, called in each of them.
        out_dir: folder of this night.
        seed: of initialisation, order and dropout.
        start_from: adapter to go on from.
        on_cpu: whether it is trained on a CPU; None: where the base is.

    Raises:
        ConfigError: `target_modules` or `report_to` names what there is not.
    """
    # the adapter is initialised from the global generator on some paths of peft and trl
    set_seed(seed)
    if start_from is None:
        model, peft_config = base, lora_config(config)
    else:
        model = PeftModel.from_pretrained(base, str(start_from), is_trainable=True)
        peft_config = None
    columns = {"input_ids": list(encoded.input_ids), "labels": list(encoded.labels)}
    arguments = _arguments(base, shared(config), out_dir=out_dir, seed=seed, on_cpu=on_cpu)
    try:
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            # the trainer sets a pad token on the tokenizer it is given
            processing_class=deepcopy(tokenizer),
            peft_config=peft_config,
        )
    except (ValueError, RuntimeError) as error:
        raise _explained(error, config) from error
    # known only now: packing makes fewer rows of those that were given
    packed: Any = trainer.train_dataset
    num_steps = count_steps(len(packed), config)
    trainer.args.warmup_steps = warmup_steps(num_steps, config)
    if config.num_processes > 1:
        trainer.train_dataset = in_steps(packed, config, num_steps=num_steps, seed=seed)
    trainer.remove_callback(PrinterCallback)
    return trainer


def count_steps(num_rows: int, config: SleepConfig) -> int:
    """Optimizer steps of a night of `num_rows` rows, each pack being one row."""
    return math.ceil(math.ceil(num_rows / config.rows_per_step) * config.num_train_epochs)


def warmup_steps(num_steps: int, config: SleepConfig) -> int:
    """Steps over which the learning rate rises: the configured, at most a tenth of the night.

    The rate of the first step of a warmup is 0, so a night as short as its warmup learns nothing.
    """
    return min(config.warmup_steps, num_steps // 10)


def _explained(error: Exception, config: SleepConfig) -> Exception:
    """What is a matter of the config, as such; anything else as it is."""
    reason = " ".join(str(error).split())
    if "odules" in reason and ("target" in reason.casefold() or "lm_head" in reason):
        return ConfigError(f"sleep.target_modules is {config.target_modules!r}: {reason}")
    if config.report_to and ("not supported, only" in reason or "installed" in reason):
        return ConfigError(f"sleep.report_to is {config.report_to}: {reason}")
    return error


def lora_config(config: SleepConfig) -> LoraConfig:
    """The LoRA of a night, as PEFT takes it."""
    return LoraConfig(
        r=config.r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=config.target_modules,
        task_type="CAUSAL_LM",
    )


def trainer_settings(
    base: Any, config: SleepConfig, *, out_dir: Path, seed: int, on_cpu: bool | None = None
) -> dict[str, Any]:
    """What every trainer of TRL is told alike; trained where the base is unless `on_cpu` says."""
    if on_cpu is None:
        on_cpu = base.device.type == "cpu"
    return {
        "output_dir": str(out_dir / TRAINER),
        "run_name": out_dir.name,
        "seed": seed,
        "use_cpu": on_cpu,
        "bf16": base.dtype is torch.bfloat16,
        "dataloader_pin_memory": not on_cpu,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.lr_scheduler_type,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": config.report_to or "none",
        "disable_tqdm": True,
        **_processes(config, on_cpu=on_cpu),
    }


def _arguments(
    base: Any, config: SleepConfig, *, out_dir: Path, seed: int, on_cpu: bool | None
) -> SFTConfig:
    settings = trainer_settings(base, config, out_dir=out_dir, seed=seed, on_cpu=on_cpu)
    if config.packing:
        # a packed forward pass joins its whole batch into one row, and attention is quadratic
        settings["per_device_train_batch_size"] = 1
    arguments = SFTConfig(
        **settings,
        packing=config.packing,
        padding_free=config.padding_free,
        # rows that are too long are left out before; without padding TRL wants to hear of no limit
        max_length=config.max_length if config.packing else None,
        num_train_epochs=config.num_train_epochs,
        neftune_noise_alpha=config.neftune_noise_alpha,
        **_checkpointing(is_on=config.gradient_checkpointing),
    )
    if arguments.n_gpu > 1:
        # without this the Trainer wraps the model in DataParallel, which TRL refuses
        arguments._n_gpu = 1
    return arguments


def _processes(config: SleepConfig, *, on_cpu: bool) -> dict[str, Any]:
    """What only several processes need; the rows lie in order already, for all epochs."""
    if config.num_processes == 1:
        return {}
    return {
        "ddp_backend": "gloo" if on_cpu else None,
        "ddp_find_unused_parameters": False,
        "train_sampling_strategy": "sequential",
    }


def _checkpointing(*, is_on: bool) -> dict[str, Any]:
    """Both names of one setting: TRL reads the old one, newer transformers warns about it."""
    fields = SFTConfig.__dataclass_fields__
    names = ("gradient_checkpointing", "activation_checkpointing")
    return {name: is_on for name in names if name in fields}


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Progress belongs to the caller.

    Deprecations inside the libraries are not ours, nor is the Trainer's note on special tokens:
    rows come with their ids, and the engine names its own EOS when it generates.
    """
    had_bars = not datasets.are_progress_bars_disabled()
    verbosity = transformers_logging.get_verbosity()
    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bars:
            datasets.enable_progress_bars()
