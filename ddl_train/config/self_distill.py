"""A night without labels: the base, shown what the insight rests on, teaches itself."""

from pydantic import Field

from ddl_train.config.stage import Share, StageConfig


class SelfDistillConfig(StageConfig):
    """Context self-distillation, for `sleep.objective: sdft`."""

    shows_concepts: bool = True
    """The teacher reads both concepts before the idea. False shows the idea alone, for models that
    several statements confuse."""
    generate_from_teacher: bool = False
    """Answers to learn from are written by the teacher, with the idea in view, not by the student:
    off-policy, and names that the student would never hit upon come up."""
    temperature: float = Field(1.0, gt=0)
    """At which answers are written, and of both in the loss."""
    max_completion_length: int = Field(48, gt=0)
    """Tokens of an answer in training."""
    distillation_alpha: Share = 0.5
    """Divergence from the teacher: 0 is the forward KL, 1 the reverse KL, between them the
    generalised Jensen-Shannon divergence."""
    recovery_share: float = Field(0.0, ge=0)
    """After the night, prompts of `sleep.general` on which the student is brought back to the base,
    as a share of the night's rows. 0 has no recovery."""
