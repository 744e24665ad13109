"""The promotion gate and the harms it bounds."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ddl_train.config.stage import Share, StageConfig


class Bounds(StageConfig):
    """Of one harm: beyond `warn` it is said, beyond `block` the night is refused.

    Refused is also a suite so small that its confidence bound cannot exclude twice `block`.
    """

    warn: float = Field(ge=0)
    block: float = Field(ge=0)

    @model_validator(mode="after")
    def _warn_first(self) -> "Bounds":
        if self.warn > self.block:
            raise ValueError(f"warn {self.warn:g} must not exceed block {self.block:g}")
        return self


class PromoteConfig(StageConfig):
    """The promotion gate. Harms are against the adapter in use and against the untouched base."""

    mode: Literal["uptake", "strict"] = "uptake"
    """`strict` also needs a gain in truth."""
    alpha: float = Field(0.025, gt=0, lt=0.5)
    """Chance that any of the planned nights is promoted though it gained nothing; each gets an even
    share, and what promoted nights left. 0.025 is the upper side of a two-sided interval of 95 %."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Of each bound on a harm by itself, and of all students of a teacher together."""
    min_items: int = Field(10, gt=0)
    """Fewer items than this in a suite that decides are a refusal."""
    min_gain: Share | None = None
    """Noise floor: gain in uptake that null nights bring, as `ddl-train bench gate` measures it. A
    night must have gained more by its lower bound. None: not measured, taken as 0."""
    effect: Share = 0.1
    """Gain beyond the noise floor for which the gate says how many items would show it."""
    retention: Bounds = Bounds(warn=0.025, block=0.05)
    """Loss of accuracy on what must not be forgotten."""
    skill: Bounds = Bounds(warn=0.025, block=0.05)
    """Loss of accuracy in what the base can do in context."""
    false_memory: Bounds = Bounds(warn=0.05, block=0.1)
    """Rise of the share of falsehoods believed. Wider than the others: what the base guesses at
    flips by chance, so that 140 questions tell 0.1 from nothing and 0.05 would take 500."""
    diversity: Bounds = Bounds(warn=0.1, block=0.25)
    """Loss of diversity of proposals, as the suite scores it. Collapse is slow: half of it may
    pass for taste."""
    critic: Bounds = Bounds(warn=0.01, block=0.02)
    """Loss on canaries that the critic must refuse or keep."""
    eos: Bounds = Bounds(warn=0.02, block=0.05)
    """Loss in the share of answers (retention and skill) that come to an end by themselves."""
    length: Bounds = Bounds(warn=0.2, block=0.5)
    """Change of the mean log length of these answers; 0.5 is 40 % shorter or 65 % longer."""
    loss: Bounds = Bounds(warn=0.05, block=0.15)
    """Rise of the mean token loss on retention texts, in nats; 0.15 is 16 % more perplexity."""
    kl: Bounds = Bounds(warn=0.1, block=0.3)
    """Rise of KL(adapter || base) on retention texts, in nats a token. Twice `loss`, as it counts
    what was learned beside what was lost; LoRA nights that forget little raise the loss of foreign
    text by 0.03 to 0.06 (PEFT's comparison of methods), those that forget by 0.2."""
    scale_factors: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[0.9, 0.75, 0.5])
    """A night refused for forgetting only is tried again with its delta scaled by these, the
    largest first; an empty list throws it away at once."""
    num_resamples: int = Field(2000, gt=0)
    """At least; a small share of alpha takes more."""

    @model_validator(mode="before")
    @classmethod
    def _one_bound_keeps_the_other(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        filled = dict(values)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Bounds) and isinstance(values.get(name), dict):
                filled[name] = field.default.model_dump() | values[name]
        return filled
