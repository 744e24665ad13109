"""Who teaches, who learns, what is asked and how: all that any way of distilling is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddl_train.config import DistillConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Progress, SilentProgress, TrainingRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """An adapter on its base."""

    engine: TransformersEngine
    """Has the adapter loaded."""
    version: str
    """Its name in the engine."""
    dir: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """One training of one student."""

    student: TransformersEngine
    """Lends its base, and its chat format encodes the prompts; may be the teacher's engine."""
    teacher: Teacher
    rows: Sequence[TrainingRow]
    """Prompts of `draw_prompts`."""
    config: DistillConfig
    sleep: SleepConfig
    """LoRA of a new student, and what the config of distilling leaves to it."""
    out_dir: Path
    """Of this student and of no other; the result is in `out_dir/adapter`."""
    seed: int
    """Of initialisation, order, and what the student writes."""
    start_from: Path | None = None
    """Adapter folder to begin with; None makes a new LoRA."""
    progress: Progress = field(default_factory=SilentProgress)
    """Told of the teacher's answers, and of the optimizer steps of each training."""
    should_stop: Callable[[], bool] | None = None
    """Asked after every step; True saves a checkpoint and stops."""

    def learning_rate(self, share: float) -> float:
        """The one that was set, else this share of a night's."""
        return self.config.learning_rate or share * self.sleep.learning_rate
