"""On-policy distillation through TRL's DistillationTrainer, resumable to the bit.

The student answers, the teacher says of every token how likely it was, and the student moves
towards it (Agarwal et al., 2306.13649; Thinking Machines, "On-Policy Distillation", 2025). TRL
compares the whole distributions, vocabulary chunk by chunk: nothing is cut to a top k, which it
offers only where the teacher is a server.

Teacher and student may stand on one base: the teacher is then a second module tree over the very
same weights. Both bases are lent by their engines and go back as they were.
"""

import copy
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PrinterCallback, set_seed
from trl import DistillationConfig, DistillationTrainer  # type: ignore[attr-defined]  # lazy

from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import JsonObject, Usage
from ddl_train.training.distill_cross import make_cross_trainer
from ddl_train.training.distill_lesson import Lesson
from ddl_train.training.distill_prompts import encode_prompts
from ddl_train.training.lending import lent_to_generate
from ddl_train.training.running import (
    TrainedAdapter,
    done_before,
    run_trainer,
    settle,
    weights_sha256,
)
from ddl_train.training.trainer import lora_config, quiet_libraries, trainer_settings
from ddl_train.training.watcher import Watcher

SHARE_OF_RATE = 0.2
"""Of `sleep.learning_rate`, where `distill.learning_rate` says nothing."""
NOT_OF_THE_TRAINING = {"min_kept", "min_kept_smaller", "min_items", "max_items", "save_steps"}
"""Config keys that do not change what is trained."""


def train_on_policy(lesson: Lesson) -> TrainedAdapter:
    """Train a student on its own answers, or go on where a killed call was.

    On a CPU the same lesson gives the same bytes, interrupted or not.

    Raises:
        Interrupted: `should_stop` said so; the same call goes on from there.
        ResourceError: the disk is full.
        ValueError: there are no rows.
    """
    if not lesson.rows:
        raise ValueError("distilling needs at least one prompt")
    started = time.monotonic()
    ids, num_too_long = encode_prompts(
        lesson.rows,
        lesson.student.chat,
        max_length=lesson.sleep.max_length,
        batch_size=lesson.config.per_device_train_batch_size,
    )
    counts = {"num_rows": float(len(ids)), "num_too_long": float(num_too_long)}
    if not ids:
        most = lesson.sleep.max_length
        reason = f"all {len(lesson.rows)} prompts are longer than sleep.max_length {most}"
        return TrainedAdapter(dir=None, failed_because=reason, usage=Usage(), metrics=counts)
    if done := done_before(lesson.out_dir, _facts(lesson, ids)):
        return done
    teacher = lesson.teacher
    with (
        lesson.progress.stage("distil on-policy", None) as bar,
        quiet_libraries(),
        _lent(lesson.student, teacher.engine) as (base, teacher_base),
    ):
        watcher = Watcher(bar.advance, lesson.should_stop)
        # a second tree over the same weights, made before PEFT puts the student's layers in
        judge = PeftModel.from_pretrained(shared_view(teacher_base), str(teacher.dir))
        trainer = _make_trainer(base, judge.requires_grad_(False), ids, lesson)
        saved = run_trainer(
            trainer,
            watcher,
            lesson.out_dir,
            base=lesson.student.name,
            revision=lesson.student.revision,
        )
        num_tokens = int(trainer.state.num_input_tokens_seen)
        trainer.accelerator.free_memory()
    usage = _usage(lesson, num_tokens, sum(map(len, ids)), time.monotonic() - started)
    return settle(lesson.out_dir, saved, watcher, counts, usage)


def _facts(lesson: Lesson, ids: Sequence[Sequence[int]]) -> JsonObject:
    """Names this training: what is asked, how, of whom."""
    return {
        "prompts": ids,
        "config": lesson.config.model_dump(mode="json", exclude=NOT_OF_THE_TRAINING),
        "sleep": lesson.sleep.model_dump(mode="json", exclude={"save_steps", "report_to"}),
        "bases": [lesson.student.base_sha256, lesson.teacher.engine.base_sha256],
        "adapters": [weights_sha256(lesson.teacher.dir), weights_sha256(lesson.start_from)],
        "seed": lesson.seed,
    }


def _usage(lesson: Lesson, num_tokens: int, num_read: int, seconds: float) -> Usage:
    """Tokens are written, read again and learnt from by the student, and read by the teacher."""
    each = 6.0 * lesson.student.num_parameters + 2.0 * lesson.teacher.engine.num_parameters
    return Usage(
        num_prompt_tokens=num_read,
        num_completion_tokens=max(0, num_tokens - num_read),
        seconds=seconds,
        flops=num_tokens * each,
    )


def shared_view(model: Any) -> Any:
    """The same model as a module tree of its own over the very same tensors, ties kept."""
    memo: dict[int, Any] = {id(one): one for one in model.parameters()}
    memo |= {id(one): one for one in model.buffers()}
    return copy.deepcopy(model, memo)


class _IdsTrainer(DistillationTrainer):
    """Takes prompts as token ids: exactly what the student is later asked with."""

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[Any], None, dict[str, Any]]:
        return prompts, None, {}


def _make_trainer(base: Any, judge: Any, ids: Sequence[Sequence[int]], lesson: Lesson) -> Any:
    set_seed(lesson.seed)
    if lesson.start_from is None:
        model, peft_config = base, lora_config(lesson.sleep)
    else:
        model = PeftModel.from_pretrained(base, str(lesson.start_from), is_trainable=True)
        peft_config = None
    settings, student, teacher = _settings(base, lesson), lesson.student, lesson.teacher.engine
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


def _settings(base: Any, lesson: Lesson) -> dict[str, Any]:
    """What both of TRL's trainers are told."""
    config, sleep = lesson.config, lesson.sleep
    settings = trainer_settings(base, sleep, out_dir=lesson.out_dir, seed=lesson.seed)
    return settings | {
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "gradient_accumulation_steps": 1,
        "learning_rate": lesson.learning_rate(SHARE_OF_RATE),
        "warmup_steps": config.warmup_steps,
        "num_train_epochs": 1.0,
        "beta": config.beta,
        "temperature": config.temperature,
        "max_completion_length": config.max_new_tokens,
        "gradient_checkpointing": sleep.gradient_checkpointing,
        "save_steps": config.save_steps,
    }


@contextmanager
def _lent(student: TransformersEngine, teacher: TransformersEngine) -> Iterator[tuple[Any, Any]]:
    """Both bases, or one twice."""
    with lent_to_generate(student) as base:
        if teacher is student:
            yield base, base
        else:
            with teacher.lend_base() as teacher_base:
                yield base, teacher_base
