"""One student: cut where the base is the teacher's, new where it is another, then trained.

A new one that is to learn on-policy is first taught the teacher's answers: what a student would
never write itself, no teacher can tell it to write more often.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from ddl_train.records import Usage
from ddl_train.training.distill_lesson import Lesson
from ddl_train.training.distill_offline import train_offline
from ddl_train.training.distill_onpolicy import train_on_policy
from ddl_train.training.distill_rank import cut_rank
from ddl_train.training.running import TrainedAdapter


def make_student(
    lesson: Lesson, *, rank: int, is_offline: bool
) -> tuple[TrainedAdapter, tuple[str, ...]]:
    """Make a student of `rank`, or go on where a killed call was.

    Args:
        lesson: rank and alpha of its LoRA are set here, and where it starts; without rows a student
            on the teacher's base is the cut alone.
        rank: of the student's LoRA.
        is_offline: trained on the teacher's answers, not on its own.

    Returns:
        What came of it, and notes in sentences.

    Raises:
        Interrupted: `should_stop` said so; the same call goes on from there.
    """
    notes = list[str]()
    alpha = max(1, round(lesson.sleep.lora_alpha * rank / lesson.sleep.r))
    sleep = lesson.sleep.model_copy(update={"r": rank, "lora_alpha": alpha, "num_processes": 1})
    lesson = replace(lesson, sleep=sleep)
    if lesson.student is lesson.teacher.engine:
        lesson = replace(lesson, start_from=_beside(lesson.out_dir, "cut"))
        kept = cut_rank(lesson.teacher.dir, _beside(lesson.out_dir, "cut"), rank)
        notes.append(f"rank {rank} holds {100 * kept:.1f} % of the squared delta before training")
        if not lesson.rows:
            cut = TrainedAdapter(
                dir=lesson.start_from, failed_because=None, usage=Usage(), metrics={}
            )
            return cut, (*notes, "distill.num_prompts is 0, so nothing was trained")
    made = _train(lesson, is_offline=is_offline)
    for ending in ("cut", "warm"):
        shutil.rmtree(_beside(lesson.out_dir, ending), ignore_errors=True)
    for name, what in (
        ("num_too_long", "are longer than sleep.max_length"),
        ("num_unfinished", "were not answered within distill.max_new_tokens"),
    ):
        if number := int(made.metrics.get(name, 0)):
            notes.append(f"{number} prompts {what}")
    return made, tuple(notes)


def _train(lesson: Lesson, *, is_offline: bool) -> TrainedAdapter:
    """By the way that was asked for; a new student meets the teacher's answers first."""
    if is_offline:
        return train_offline(lesson)
    if lesson.start_from is not None:
        return train_on_policy(lesson)
    warm = train_offline(replace(lesson, out_dir=_beside(lesson.out_dir, "warm")))
    if warm.dir is None:
        return warm
    made = train_on_policy(replace(lesson, start_from=warm.dir))
    return replace(made, usage=made.usage + warm.usage)


def _beside(out_dir: Path, ending: str) -> Path:
    return out_dir.with_name(f"{out_dir.name}-{ending}")
