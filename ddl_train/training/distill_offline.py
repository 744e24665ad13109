"""Offline distillation: the teacher answers every prompt once, and a student is trained on it.

Cheaper than on-policy, since nothing is written while training, and it works across tokenizers; the
student meets the teacher's beginnings only, never its own (Kim and Rush, 1606.07947).
"""

from collections.abc import Sequence
from dataclasses import replace

from ddl_train.records import Completion, Sampling, TrainingRow, Usage
from ddl_train.training.distill_lesson import Lesson
from ddl_train.training.lora import train_lora
from ddl_train.training.running import TrainedAdapter

SHARE_OF_RATE = 0.5
"""Of `sleep.learning_rate`, where `distill.learning_rate` says nothing."""
AT_A_TIME = 256
"""Prompts that the teacher answers before it is said how far it is."""


def train_offline(lesson: Lesson) -> TrainedAdapter:
    """Train a student on the teacher's greedy answers; bare texts are trained as they are.

    Raises:
        Interrupted, ResourceError: as of `train_lora`.
    """
    config = lesson.config
    taught, num_unfinished, usage = _answered(lesson)
    if not taught:
        reason = (
            f"the teacher finished none of {num_unfinished} answers within distill.max_new_tokens "
            f"{config.max_new_tokens}"
        )
        return TrainedAdapter(dir=None, failed_because=reason, usage=usage, metrics={})
    settings = {
        "num_train_epochs": 1.0,
        "learning_rate": lesson.learning_rate(SHARE_OF_RATE),
        "per_device_train_batch_size": config.per_device_train_batch_size,
        "warmup_steps": config.warmup_steps,
        "save_steps": config.save_steps,
    }
    with lesson.progress.stage("distil offline", None) as bar:
        trained = train_lora(
            lesson.student,
            taught,
            lesson.sleep.model_copy(update=settings),
            out_dir=lesson.out_dir,
            seed=lesson.seed,
            start_from=lesson.start_from,
            progress=bar.advance,
            should_stop=lesson.should_stop,
        )
    metrics = {**trained.metrics, "num_unfinished": float(num_unfinished)}
    return replace(trained, usage=trained.usage + usage, metrics=metrics)


def _answered(lesson: Lesson) -> tuple[Sequence[TrainingRow], int, Usage]:
    """Rows with the teacher's finished answers, how many it did not finish, and what that cost."""
    asked = list(dict.fromkeys(row.prompt for row in lesson.rows if row.prompt))
    completions, usage = list[Completion](), Usage()
    with lesson.progress.stage("teacher answers", len(asked)) as bar:
        for start in range(0, len(asked), AT_A_TIME):
            written, cost = lesson.teacher.engine.generate(
                asked[start : start + AT_A_TIME],
                sampling=Sampling(max_new_tokens=lesson.config.max_new_tokens),
                adapter=lesson.teacher.version,
                seed=lesson.seed,
            )
            completions += written
            usage += cost
            bar.advance(len(written))
    answers = {
        prompt: one.text
        for prompt, one in zip(asked, completions, strict=True)
        if one.is_finished and one.text
    }
    taught = [
        replace(row, completion=answers[row.prompt]) if row.prompt else row
        for row in lesson.rows
        if not row.prompt or row.prompt in answers
    ]
    return taught, len(asked) - len(answers), usage
