"""One student: cut where the base is the teacher's, new where it is another, then trained.

A new one that is to learn on-policy is first taught the teacher's answers: what a student would
never write itself, no teacher can tell it to write more often.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ddl_train.config import DistillConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import TrainingRow, Usage
from ddl_train.training.distill_offline import train_offline
from ddl_train.training.distill_onpolicy import train_on_policy
from ddl_train.training.distill_rank import cut_rank
from ddl_train.training.lora import TrainedAdapter


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """An adapter on its base."""

    engine: TransformersEngine
    """Has the adapter loaded."""
    version: str
    dir: Path


def make_student(
    engine: TransformersEngine,
    teacher: Teacher,
    rows: Sequence[TrainingRow],
    config: DistillConfig,
    sleep: SleepConfig,
    *,
    rank: int,
    is_offline: bool,
    out_dir: Path,
    seed: int,
    progress: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[TrainedAdapter, tuple[str, ...]]:
    """Make a student on the base of `engine`, or go on where a killed call was.

    Args:
        engine: the teacher's own, or one of a smaller base.
        teacher: who is learnt from.
        rows: prompts of `draw_prompts`; without any the cut is all there is.
        config: how it is trained.
        sleep: the run's nights; rank and alpha are set here.
        rank: of the student's LoRA.
        is_offline: trained on the teacher's answers, not on its own.
        out_dir: folder of this student and of no other.
        seed: of all that is drawn.
        progress: told "n more optimizer steps done" and the `total`.
        should_stop: asked after every step.

    Returns:
        What came of it, and notes in sentences.

    Raises:
        Interrupted: `should_stop` said so; the same call goes on from there.
    """
    start_from, notes = None, list[str]()
    if engine is teacher.engine:
        start_from = out_dir.with_name(f"{out_dir.name}-cut")
        kept = cut_rank(teacher.dir, start_from, rank)
        notes.append(f"rank {rank} holds {100 * kept:.1f} % of the squared delta before training")
        if not rows:
            cut = TrainedAdapter(dir=start_from, failed_because=None, usage=Usage(), metrics={})
            return cut, (*notes, "distill.num_prompts is 0, so nothing was trained")
    alpha = max(1, round(sleep.lora_alpha * rank / sleep.r))
    sleep = sleep.model_copy(update={"r": rank, "lora_alpha": alpha})
    common: dict[str, Any] = {
        "out_dir": out_dir,
        "seed": seed,
        "start_from": start_from,
        "progress": progress,
        "should_stop": should_stop,
    }
    usage = Usage()
    if start_from is None and not is_offline:
        common["out_dir"] = out_dir.with_name(f"{out_dir.name}-warm")
        warm = train_offline(engine, teacher.engine, teacher.version, rows, config, sleep, **common)
        if warm.dir is None:
            return warm, tuple(notes)
        common |= {"out_dir": out_dir, "start_from": warm.dir}
        usage += warm.usage
    if is_offline:
        made = train_offline(engine, teacher.engine, teacher.version, rows, config, sleep, **common)
    else:
        made = train_on_policy(engine, teacher.engine, teacher.dir, rows, config, sleep, **common)
    for ending in ("cut", "warm"):
        shutil.rmtree(out_dir.with_name(f"{out_dir.name}-{ending}"), ignore_errors=True)
    for name, what in (
        ("num_too_long", "are longer than sleep.max_length"),
        ("num_unfinished", "were not answered within distill.max_new_tokens"),
    ):
        if number := int(made.metrics.get(name, 0)):
            notes.append(f"{number} prompts {what}")
    return replace(made, usage=made.usage + usage), tuple(notes)
