"""A night of context self-distillation through TRL's SDFTTrainer, resumable to the bit.

The model answers a question about an insight with nothing in view; the frozen base, which has the
two concepts and the insight in view, says of every token how likely it was, and the model moves
towards that (Shenfeld et al., "Self-Distillation Enables Continual Learning", 2601.19897). Rows
without an insight have nothing to show: there the teacher reads what the student reads, and the
answer is held to the base's. A recovery afterwards does only that, on general prompts.

TRL compares the whole distributions. The teacher is the base without any adapter, whatever the
night began with.
"""

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PrinterCallback, set_seed
from trl.experimental.sdft import SDFTConfig, SDFTTrainer

from ddl_train.config import SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Insight, Prompts, StudyItem, TrainingRow, Usage
from ddl_train.training.distill_prompts import encode_prompts
from ddl_train.training.lending import lent_to_generate
from ddl_train.training.lora import NOT_OF_THE_NIGHT
from ddl_train.training.running import (
    TrainedAdapter,
    done_before,
    run_trainer,
    settle,
    weights_sha256,
)
from ddl_train.training.trainer import lora_config, quiet_libraries, trainer_settings
from ddl_train.training.watcher import Watcher

Ids = Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What one phase is taught: the same rows as the student and as the teacher reads them."""

    student: Sequence[Ids]
    teacher: Sequence[Ids]
    num_too_long: int


def prompts_in_context(
    insights: Iterable[Insight],
    items: Iterable[StudyItem],
    prompts: Prompts,
    *,
    shows_concepts: bool = True,
) -> dict[str, str]:
    """Each study question as the student is asked it -> with concepts and idea in view.

    A question that several insights answer comes with all of them.
    """
    known = {insight.insight_id: insight for insight in insights}
    contexts: dict[str, dict[str, None]] = {}
    for item in items:
        if insight := known.get(item.insight_id):
            concepts = insight.parent_texts if shows_concepts else ()
            contexts.setdefault(item.question, {}).update(dict.fromkeys([*concepts, insight.text]))
    return {
        prompts.render("answer", question=question, context=[]): prompts.render(
            "answer", question=question, context=list(context)
        )
        for question, context in contexts.items()
    }


def train_self_distill(
    engine: TransformersEngine,
    rows: Sequence[TrainingRow],
    in_context: Mapping[str, str],
    general: Sequence[TrainingRow],
    config: SleepConfig,
    *,
    out_dir: Path,
    seed: int,
    start_from: Path | None = None,
    progress: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainedAdapter:
    """Train one adapter, or go on where a killed call with the same arguments was.

    Args:
        engine: lends its base, which is student and teacher.
        rows: of one night, in order; their completions are not looked at.
        in_context: from `prompts_in_context`; a row whose prompt is not there has no context.
        general: prompts of the recovery, in order.
        config: LoRA and trainer settings, and `sdft`.
        out_dir: folder of this night and of no other; the result is in `out_dir/adapter`.
        seed: of initialisation and of what the student writes.
        start_from: adapter folder to go on from; None trains a new adapter.
        progress: told "n more optimizer steps done" and the `total` of the phase.
        should_stop: asked after every step; True saves a checkpoint and stops.

    Raises:
        Interrupted: `should_stop` said so; the same call goes on from there.
        ResourceError: the disk is full.
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("a night needs at least one row; the caller skips sleep without any")
    size = round(config.sdft.recovery_share * len(rows))
    recovery = [general[number % len(general)] for number in range(size)] if general else []
    night = out_dir / "before_recovery" if recovery else out_dir
    watcher = Watcher(progress, should_stop)
    trained = _phase(engine, rows, in_context, config, night, seed, start_from, watcher)
    if not recovery or trained.dir is None:
        return trained
    watcher = Watcher(progress, should_stop)
    recovered = _phase(engine, recovery, {}, config, out_dir, seed, trained.dir, watcher)
    metrics = {**trained.metrics, **recovered.metrics, "num_rows": trained.metrics["num_rows"]}
    return replace(recovered, usage=trained.usage + recovered.usage, metrics=metrics)


def _phase(
    engine: TransformersEngine,
    rows: Sequence[TrainingRow],
    in_context: Mapping[str, str],
    config: SleepConfig,
    out_dir: Path,
    seed: int,
    start_from: Path | None,
    watcher: Watcher,
) -> TrainedAdapter:
    started = time.monotonic()
    lesson = _encode(engine, rows, in_context, config)
    counts = {"num_rows": float(len(lesson.student)), "num_too_long": float(lesson.num_too_long)}
    if not lesson.student:
        reason = f"all {len(rows)} rows are longer than sleep.max_length {config.max_length}"
        return TrainedAdapter(dir=None, failed_because=reason, usage=Usage(), metrics=counts)
    facts = {
        "prompts": [lesson.student, lesson.teacher],
        "config": config.model_dump(mode="json", exclude=NOT_OF_THE_NIGHT),
        "base": engine.base_sha256,
        "seed": seed,
        "parent": weights_sha256(start_from),
    }
    if done := done_before(out_dir, facts):
        return done
    with quiet_libraries(), lent_to_generate(engine) as base:
        trainer = _make_trainer(base, engine, lesson, config, out_dir, seed, start_from)
        saved = run_trainer(trainer, watcher, out_dir, base=engine.name, revision=engine.revision)
        num_tokens = int(trainer.state.num_input_tokens_seen)
        trainer.accelerator.free_memory()
    num_read = sum(map(len, lesson.student))
    usage = Usage(
        num_prompt_tokens=num_read,
        num_completion_tokens=max(0, num_tokens - num_read),
        seconds=time.monotonic() - started,
        # written, read again and learnt from, and read by the teacher
        flops=8.0 * engine.num_parameters * num_tokens,
    )
    return settle(out_dir, saved, watcher, counts, usage)


def _encode(
    engine: TransformersEngine,
    rows: Sequence[TrainingRow],
    in_context: Mapping[str, str],
    config: SleepConfig,
) -> Lesson:
    """Ids that both read, row by row; a row that is too long for the teacher is left out."""
    shown = [replace(row, prompt=in_context.get(row.prompt, row.prompt)) for row in rows]
    room = {"max_length": config.max_length, "batch_size": 1}
    fits = [bool(encode_prompts([row], engine.chat, **room)[0]) for row in shown]
    room["batch_size"] = config.per_device_train_batch_size * config.gradient_accumulation_steps
    kept = [number for number, fit in enumerate(fits) if fit]
    student, _ = encode_prompts([rows[number] for number in kept], engine.chat, **room)
    teacher, _ = encode_prompts([shown[number] for number in kept], engine.chat, **room)
    return Lesson(student=student, teacher=teacher, num_too_long=len(rows) - len(kept))


class _IdsTrainer(SDFTTrainer):
    """Takes ids by name, exactly what the model is later asked with, and counts tokens."""

    named: Mapping[str, Ids]

    def _tokenize_prompts(self, prompts: list[Any]) -> list[list[int]]:
        return [list(self.named[prompt]) for prompt in prompts]

    def sample_rollouts(self, inputs: list[dict[str, Any]]) -> Any:
        """What TRL does, and its tokens added to the state, which checkpoints keep."""
        batch = super().sample_rollouts(inputs)
        num_tokens = batch["prompt_mask"].sum() + batch["completion_mask"].sum()
        self.state.num_input_tokens_seen += int(num_tokens)
        return batch


def _make_trainer(
    base: Any,
    engine: TransformersEngine,
    lesson: Lesson,
    config: SleepConfig,
    out_dir: Path,
    seed: int,
    start_from: Path | None,
) -> Any:
    set_seed(seed)
    if start_from is None:
        model, peft_config = base, lora_config(config)
    else:
        model = PeftModel.from_pretrained(base, str(start_from), is_trainable=True)
        peft_config = None
    names = [f"{number}:" for number in range(len(lesson.student))]
    arguments = SDFTConfig(
        **trainer_settings(base, config, out_dir=out_dir, seed=seed),
        num_train_epochs=1.0,  # rows hold all epochs, in order
        shuffle_dataset=False,
        num_generations=1,
        max_prompt_length=None,
        max_completion_length=config.sdft.max_completion_length,
        temperature=config.sdft.temperature,
        distillation_mode="full_logits",
        distillation_alpha=config.sdft.distillation_alpha,
        generate_from_teacher=config.sdft.generate_from_teacher,
        teacher_model_kind="base",
        teacher_prompt_template="{prompt}{privileged_context}",
        gradient_checkpointing=config.gradient_checkpointing,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    trainer = _IdsTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(
            {"prompt": names, "privileged_context": ["in context"] * len(names)}
        ),
        processing_class=copy.deepcopy(engine.tokenizer),
        peft_config=peft_config,
    )
    trainer.named = dict(zip(names, lesson.student, strict=True)) | {
        f"{name}in context": ids for name, ids in zip(names, lesson.teacher, strict=True)
    }
    trainer.args.warmup_steps = min(config.warmup_steps, len(names) // 10)
    trainer.remove_callback(PrinterCallback)
    assert isinstance(trainer.model, torch.nn.Module)
    return trainer
