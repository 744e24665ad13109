"""A student of the promoted adapter."""

from pydantic import Field, model_validator

from ddl_train.config.stage import Share, StageConfig


class DistillConfig(StageConfig):
    """A student of the promoted adapter, and what it must have kept to be of use."""

    num_prompts: int = Field(2048, ge=0)
    """Prompts that a student answers, or is taught the answers of; those that there are come round
    again until there are so many."""
    wake_share: Share = 0.2
    """Share of prompts that show a pair to dream on."""
    general_share: Share = 0.3
    """Share of prompts from `sleep.general`; the rest are study questions."""
    learning_rate: float | None = Field(None, gt=0)
    """None takes a fifth of `sleep.learning_rate` on-policy, half of it offline."""
    warmup_steps: int = Field(5, ge=0)
    per_device_train_batch_size: int = Field(32, gt=0)
    """Prompts of an optimizer step."""
    beta: Share = 1.0
    """On-policy divergence: 1 is the reverse KL, 0 the forward KL, between them the generalised
    Jensen-Shannon divergence."""
    temperature: float = Field(1.0, gt=0)
    """At which a student writes what the teacher judges, and of both in the loss."""
    max_new_tokens: int = Field(48, gt=0)
    """Of an answer in training."""
    save_steps: int = Field(50, gt=0)
    """What a crash repeats at most, in optimizer steps."""
    min_kept: Share = 0.9
    """Share of the teacher's gain that a student of lower rank must have kept."""
    min_kept_smaller: Share = 0.75
    """The same for a student on a smaller base."""
    min_items: int = Field(500, gt=0)
    """Questions of uptake and truth below which no student is let through."""
    max_items: int = Field(2000, gt=0)
    """Cap on each suite, in place of `evaluate.max_items` and `max_uptake_insights`, where these
    are lower."""

    @model_validator(mode="after")
    def _room_for_study(self) -> "DistillConfig":
        if self.wake_share + self.general_share >= 1:
            raise ValueError(
                f"wake_share and general_share add up to {self.wake_share + self.general_share:g} "
                "and leave nothing for study questions; expected less than 1"
            )
        return self
