"""What stands between a proposal and the full critic, and what stands behind it."""

from typing import Literal

from pydantic import Field, model_validator

from ddl_train.config.model import ModelConfig
from ddl_train.config.server import CriticServerConfig
from ddl_train.config.stage import Share, StageConfig


class DistanceConfig(StageConfig):
    """Embedding novelty: how far a conclusion must and may lie from what is known.

    A distance is 1 less the cosine, in memory's space: 0 for the same, about 1 for unrelated texts.
    """

    least: float | None = Field(None, ge=0, le=2)
    """Distance to the nearest concept of memory, its parents among them, below which a conclusion
    says again what is known (`restated`). None is off."""
    most: float | None = Field(None, ge=0, le=2)
    """Distance to the nearer of its two parents above which a conclusion has left its subject
    (`strayed`). None is off."""

    @model_validator(mode="after")
    def _some_room(self) -> "DistanceConfig":
        if self.least is not None and self.most is not None and self.least >= self.most:
            raise ValueError(f"least {self.least:g} must be below most {self.most:g}")
        return self


class ScreenConfig(StageConfig):
    """The short critic: one number read from logits, before the full critic is asked."""

    ask: Literal["screen", "novelty", "coherence", "utility", "support"] = "screen"
    """`screen` asks with the pack's own short template (1 to 10); an axis asks that question of the
    full critic (1 to 10), `support` the likelihood of the conclusion (0 to 1). What is asked of the
    full critic anyway is not asked again of what passes."""
    least: float = Field(ge=0, le=10)
    """What scores below this is refused. Without a quota, the threshold of the full critic
    (`wake.min_support`, `wake.min_coherence`, ...) or less loses nothing: for `support` always, for
    an axis where the criteria are asked in one order. Where the full critic has no such threshold,
    it is one question more."""

    @model_validator(mode="after")
    def _on_its_scale(self) -> "ScreenConfig":
        low, high = (0, 1) if self.ask == "support" else (1, 10)
        if not low <= self.least <= high:
            raise ValueError(
                f"least is {self.least:g}; expected {low} to {high}, the scale of {self.ask}"
            )
        return self


class SecondConfig(StageConfig):
    """A larger critic that is asked again about the best of what would be admitted.

    Its refusals refuse. It has the prompts of the first; likelihoods are not asked again.
    """

    server: CriticServerConfig | None = None
    """A model on a server. Either this or `local`."""
    local: ModelConfig | None = None
    """A model that runs here, beside the base."""
    top_share: Share = 0.1
    """Share of what each batch would admit that it is asked about, rounded up, the best by the sum
    of the axes."""
    min_novelty: float | None = Field(None, ge=1, le=10)
    """None takes `wake.min_novelty`; so for the other axes."""
    min_coherence: float | None = Field(None, ge=1, le=10)
    min_utility: float | None = Field(None, ge=1, le=10)

    @model_validator(mode="after")
    def _one_place(self) -> "SecondConfig":
        if (self.server is None) == (self.local is None):
            raise ValueError("give either server or local: where the larger critic runs")
        return self


class CascadeConfig(StageConfig):
    """Stages from cheap to dear, each asked only about what the one before let pass.

    Guards and near-duplicates (`wake.guards`) come first, then these; None is off.
    """

    distance: DistanceConfig = DistanceConfig()
    screen: ScreenConfig | None = None
    second: SecondConfig | None = None
    audit_share: Share = 0.0
    """Share of the proposals, drawn at random, that the full critic judges whatever near-duplicates,
    distance, the short critic and the guards of worth (`short`, `copied`, `touch`) say; what they
    would have said is kept, so that a report can tell what they lose. Text that cannot be judged or
    that could steer a judge (`empty`, `unfinished`, `control`, `appeal`, `markup`, ...) is refused
    all the same."""
