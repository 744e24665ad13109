"""On-policy distillation through TRL's DistillationTrainer, resumable to the bit.

The student answers, the teacher says of every token how likely it was, and the student moves
towards it (Agarwal et al., 2306.13649; Thinking Machines, "On-Policy Distillation", 2025). TRL
compares the whole distributions, vocabulary chunk by chunk: nothing is cut to a top k, which it
offers only where the teacher is a server.

Teacher and student may stand on one base: the teacher is then a second module tree over the very
same weights. Both bases are lent by their engines and go back as they were.
"""

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PrinterCallback, set_seed
from trl import DistillationConfig, DistillationTrainer  # type: ignore[attr-defined]  # lazy

from ddl_train.config import DistillConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import Interrupted
from ddl_train.records import TrainingRow, Usage
from ddl_train.training.checkpoints import (
    TRAINER,
    close_night,
    drop_checkpoints,
    newest_complete,
    open_night,
)
from ddl_train.training.distill_cross import make_cross_trainer
from ddl_train.training.distill_prompts import encode_prompts
from ddl_train.training.lora import (
    TrainedAdapter,
    full_disk_is_said,
    not_finite,
    save_adapter,
)
from ddl_train.training.trainer import lora_config, quiet_libraries
from ddl_train.training.watcher import Watcher

SHARE_OF_RATE = 0.2
"""Of `sleep.learning_rate`, where `distill.learning_rate` says nothing."""
NOT_OF_THE_TRAINING = {"min_kept", "min_kept_smaller", "min_items", "max_items", "save_steps"}
"""Config keys that do not change what is trained."""


def train_on_policy(
    student: TransformersEngine,
    teacher: TransformersEngine,
    teacher_dir: Path,
    rows: Sequence[TrainingRow],
    config: DistillConfig,
    sleep: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
    start_from: Path | None = None,
    progress: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainedAdapter:
    """Train a student on its own answers to `rows`, or go on where a killed call was.

    On a CPU the same arguments give the same bytes, interrupted or not.

    Args:
        student: lends its base; its chat format encodes the prompts.
        teacher: engine of the teacher; may be `student` itself.
        teacher_dir: adapter folder of the teacher.
        rows: prompts of `draw_prompts`, at least one.
        config: how it is trained.
        sleep: LoRA of a new student, and what the config of distilling leaves to it.
        out_dir: folder of this student and of no other; the result is in `out_dir/adapter`.
        seed: of initialisation and of what the student writes.
        start_from: adapter folder to begin with; None makes a new LoRA of `sleep`.
        progress: told "n more optimizer steps done" and the `total`.
        should_stop: asked after every step; True saves a checkpoint and stops.

    Raises:
        Interrupted: `should_stop` said so; the same call goes on from there.
        ResourceError: the disk is full.
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("distilling needs at least one prompt")
    started = time.monotonic()
    ids, num_too_long = encode_prompts(
        rows,
        student.chat,
        max_length=sleep.max_length,
        batch_size=config.per_device_train_batch_size,
    )
    counts = {"num_rows": float(len(ids)), "num_too_long": float(num_too_long)}
    if not ids:
        reason = f"all {len(rows)} prompts are longer than sleep.max_length {sleep.max_length}"
        return TrainedAdapter(dir=None, failed_because=reason, usage=Usage(), metrics=counts)
    facts = {
        "prompts": ids,
        "config": config.model_dump(mode="json", exclude=NOT_OF_THE_TRAINING),
        "sleep": sleep.model_dump(mode="json", exclude={"save_steps", "report_to"}),
        "bases": [student.base_sha256, teacher.base_sha256],
        "adapters": [_sha256(teacher_dir), _sha256(start_from)],
        "seed": seed,
    }
    fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    if done := open_night(out_dir, fingerprint):
        return TrainedAdapter(
            dir=out_dir / "adapter",
            failed_because=None,
            usage=Usage(**done["usage"]),
            metrics=done["metrics"],
        )
    watcher = Watcher(progress, should_stop)
    adapter_tmp = out_dir / "adapter.tmp"
    with quiet_libraries(), _lent(student, teacher) as (base, teacher_base):
        # a second tree over the same weights, made before PEFT puts the student's layers in
        judge = PeftModel.from_pretrained(shared_view(teacher_base), str(teacher_dir))
        trainer = _make_trainer(
            base,
            student,
            teacher,
            judge.requires_grad_(False),
            ids,
            config,
            sleep,
            out_dir,
            seed,
            start_from,
        )
        trainer.add_callback(watcher)
        resumed = newest_complete(out_dir)
        with full_disk_is_said(out_dir):
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
            if watcher.failed_because is None and not watcher.was_stopped:
                save_adapter(trainer.model, student, adapter_tmp)
        num_tokens = int(trainer.state.num_input_tokens_seen)
        trainer.accelerator.free_memory()
    if watcher.was_stopped:
        raise Interrupted("distilling stopped after saving a checkpoint")
    metrics = counts | watcher.metrics
    num_read = sum(map(len, ids))
    usage = Usage(
        num_prompt_tokens=num_read,
        num_completion_tokens=max(0, num_tokens - num_read),
        seconds=time.monotonic() - started,
        # written, read again and learnt from by the student; read by the teacher
        flops=num_tokens * (6.0 * student.num_parameters + 2.0 * teacher.num_parameters),
    )
    failed_because = watcher.failed_because or not_finite(adapter_tmp)
    if failed_because:
        drop_checkpoints(out_dir)
        return TrainedAdapter(dir=None, failed_because=failed_because, usage=usage, metrics=metrics)
    adapter_dir = close_night(out_dir, adapter_tmp, {"usage": asdict(usage), "metrics": metrics})
    return TrainedAdapter(dir=adapter_dir, failed_because=None, usage=usage, metrics=metrics)


def shared_view(model: Any) -> Any:
    """The same model as a module tree of its own over the very same tensors, ties kept."""
    memo: dict[int, Any] = {id(one): one for one in model.parameters()}
    memo |= {id(one): one for one in model.buffers()}
    return copy.deepcopy(model, memo)


class _IdsTrainer(DistillationTrainer):
    """Takes prompts as token ids: exactly what the student is later asked with."""

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[Any], None, dict[str, Any]]:
        return prompts, None, {}


def _make_trainer(
    base: Any,
    student: TransformersEngine,
    teacher: TransformersEngine,
    judge: Any,
    ids: Sequence[Sequence[int]],
    config: DistillConfig,
    sleep: SleepConfig,
    out_dir: Path,
    seed: int,
    start_from: Path | None,
) -> Any:
    set_seed(seed)
    if start_from is None:
        model, peft_config = base, lora_config(sleep)
    else:
        model = PeftModel.from_pretrained(base, str(start_from), is_trainable=True)
        peft_config = None
    settings = _settings(base, config, sleep, out_dir, seed)
    if same_tokens(student, teacher):
        arguments = DistillationConfig(**settings, shuffle_dataset=False)
        if arguments.n_gpu > 1:
            arguments._n_gpu = 1
        trainer: Any = _IdsTrainer(
            model=model,
            teacher_model=judge,
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": [list(one) for one in ids]}),
            processing_class=copy.deepcopy(student.tokenizer),
            peft_config=peft_config,
        )
    else:
        trainer = make_cross_trainer(model, judge, peft_config, ids, student, teacher, settings)
    trainer.remove_callback(PrinterCallback)
    return trainer


def same_tokens(one: TransformersEngine, other: TransformersEngine) -> bool:
    """Whether a sequence of ids is the same text to both, and both heads are over the same ids."""
    text = "What does one say to the other?"
    return (
        one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
        and one.vocab_size == other.vocab_size
        and one.chat.prompt_ids(text) == other.chat.prompt_ids(text)
    )


def _settings(
    base: Any, config: DistillConfig, sleep: SleepConfig, out_dir: Path, seed: int
) -> dict[str, Any]:
    """What both of TRL's trainers are told."""
    on_cpu = base.device.type == "cpu"
    return {
        "output_dir": str(out_dir / TRAINER),
        "run_name": out_dir.name,
        "seed": seed,
        "use_cpu": on_cpu,
        "bf16": str(base.dtype) == "torch.bfloat16",
        "dataloader_pin_memory": not on_cpu,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "learning_rate": config.learning_rate or SHARE_OF_RATE * sleep.learning_rate,
        "lr_scheduler_type": sleep.lr_scheduler_type,
        "warmup_steps": config.warmup_steps,
        "weight_decay": sleep.weight_decay,
        "max_grad_norm": sleep.max_grad_norm,
        "num_train_epochs": 1.0,
        "beta": config.beta,
        "temperature": config.temperature,
        "max_completion_length": config.max_new_tokens,
        "gradient_checkpointing": sleep.gradient_checkpointing,
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": sleep.report_to or "none",
        "disable_tqdm": True,
    }


@contextmanager
def _lent(student: TransformersEngine, teacher: TransformersEngine) -> Iterator[tuple[Any, Any]]:
    """Both bases, or one twice. TRL writes into their configs, which are put back as well."""
    with student.lend_base() as base:
        text_config = base.config.get_text_config()
        pad_token_id = text_config.pad_token_id
        own = base.generation_config.eos_token_id
        ends = [*([own] if isinstance(own, int) else own or []), *student.chat.eos_token_ids]
        base.generation_config = copy.deepcopy(base.generation_config)
        base.generation_config.eos_token_id = list(dict.fromkeys(ends))
        try:
            if teacher is student:
                yield base, base
            else:
                with teacher.lend_base() as teacher_base:
                    yield base, teacher_base
        finally:
            text_config.pad_token_id = pad_token_id


def _sha256(adapter_dir: Path | None) -> str | None:
    if adapter_dir is None:
        return None
    return hashlib.sha256((adapter_dir / "adapter_model.safetensors").read_bytes()).hexdigest()
