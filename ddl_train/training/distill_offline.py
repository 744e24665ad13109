"""Offline distillation: the teacher answers every prompt once, and a student is trained on it.

Cheaper than on-policy, since nothing is written while training, and it works across tokenizers; the
student meets the teacher's beginnings only, never its own (Kim and Rush, 1606.07947).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ddl_train.config import DistillConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Sampling, TrainingRow
from ddl_train.training.lora import TrainedAdapter, train_lora

SHARE_OF_RATE = 0.5
"""Of `sleep.learning_rate`, where `distill.learning_rate` says nothing."""


def train_offline(
    student: TransformersEngine,
    teacher: TransformersEngine,
    version: str,
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
    """Train a student on the teacher's greedy answers to `rows`.

    Args:
        student: lends its base.
        teacher: has the teacher loaded.
        version: the teacher's name in its engine.
        rows: prompts of `draw_prompts`; bare texts are trained as they are.
        config: how it is trained.
        sleep: LoRA of a new student, and what the config of distilling leaves to it.
        out_dir: folder of this student and of no other.
        seed: of initialisation and order.
        start_from: adapter folder to begin with; None makes a new LoRA.
        progress: told "n more optimizer steps done" and the `total`.
        should_stop: asked after every step.
    """
    asked = list(dict.fromkeys(row.prompt for row in rows if row.prompt))
    sampling = Sampling(max_new_tokens=config.max_new_tokens)
    completions, usage = teacher.generate(asked, sampling=sampling, adapter=version, seed=seed)
    answers = {
        prompt: one.text
        for prompt, one in zip(asked, completions, strict=True)
        if one.is_finished and one.text
    }
    taught = [
        replace(row, completion=answers[row.prompt]) if row.prompt else row
        for row in rows
        if not row.prompt or row.prompt in answers
    ]
    if not taught:
        reason = (
            f"the teacher finished none of {len(asked)} answers within distill.max_new_tokens "
            f"{config.max_new_tokens}"
        )
        return TrainedAdapter(dir=None, failed_because=reason, usage=usage, metrics={})
    settings = {
        "num_train_epochs": 1.0,
        "learning_rate": config.learning_rate or SHARE_OF_RATE * sleep.learning_rate,
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "warmup_steps": config.warmup_steps,
        "save_steps": config.save_steps,
    }
    trained = train_lora(
        student,
        taught,
        sleep.model_copy(update=settings),
        out_dir=out_dir,
        seed=seed,
        start_from=start_from,
        progress=progress,
        should_stop=should_stop,
    )
    unfinished = {"num_unfinished": float(len(asked) - len(answers))}
    return replace(
        trained,
        usage=trained.usage + usage,
        metrics={**trained.metrics, **unfinished},
    )
