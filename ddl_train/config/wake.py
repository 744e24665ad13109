"""Daydreaming: how pairs are drawn, guarded and judged."""

from pydantic import Field, model_validator

from ddl_train.config.server import CriticServerConfig, GeneratorServerConfig
from ddl_train.config.stage import Share, StageConfig


class SamplerConfig(StageConfig):
    """Shares of the mixture that draws pairs. They are normalised to sum to 1."""

    uniform: float = Field(1.0, ge=0)
    """Every pair alike, without repetition, through a keyed permutation of the pair space."""
    distance_band: float = Field(0.0, ge=0)
    """Pairs whose cosine lies between `band_low` and `band_high`."""
    near_other_source: float = Field(0.0, ge=0)
    """A concept and one of its nearest neighbours from another source."""
    strength: float = Field(0.0, ge=0)
    """Both concepts drawn by strength: insights that were built upon come up more."""
    insight: float = Field(0.0, ge=0)
    """An insight with a near neighbour of it: finds get built upon."""
    band_low: float = Field(0.1, ge=-1, le=1)
    band_high: float = Field(0.6, ge=-1, le=1)
    num_neighbours: int = Field(20, gt=0)
    """How far down the list of nearest neighbours the neighbour samplers reach."""

    @model_validator(mode="after")
    def _some_share(self) -> "SamplerConfig":
        shares = (
            self.uniform + self.distance_band + self.near_other_source + self.strength
        ) + self.insight
        if shares <= 0:
            raise ValueError("every sampler has share 0; give at least one a positive share")
        if self.band_low >= self.band_high:
            raise ValueError(f"band_low {self.band_low} must be below band_high {self.band_high}")
        return self


class GuardConfig(StageConfig):
    """Cheap refusals before the critic is asked. None is off."""

    is_enabled: bool = True
    """False passes everything but NONE and the empty; what does not parse as an idea is taken as a
    conclusion whole. For tests on random weights."""
    min_characters: int = Field(12, ge=0)
    max_characters: int = Field(1200, gt=0)
    max_repetition: Share | None = 0.4
    """Largest share of repeated 3-grams (characters where there are no spaces)."""
    min_compression: Share | None = 0.25
    """Compressed over raw size below this is repetition."""
    max_overlap: Share | None = 0.8
    """Largest share of the conclusion's n-grams found in one of the two concepts."""
    min_touch: Share | None = 0.0
    """Share of content n-grams of each concept that the idea must exceed touching."""
    max_cosine: float | None = Field(0.98, ge=-1, le=1)
    """A conclusion nearer than this to memory or to this batch is a near-duplicate."""


class WakeConfig(StageConfig):
    """Daydreaming: pairs in, verdicts out."""

    num_pairs: int = Field(256, gt=0)
    """Pairs dreamt on each cycle."""
    batch_size: int = Field(64, gt=0)
    """Pairs between two writes: what a crash repeats at most, and how soon an insight can be
    dreamt upon."""
    revisit_share: Share = 0.1
    """Share of each batch that re-draws pairs an earlier adapter rejected, once there are any."""
    sampler: SamplerConfig = SamplerConfig()
    guards: GuardConfig = GuardConfig()
    generator: GeneratorServerConfig | None = None
    """A server that dreams. None: the local base with the current adapter."""
    critic: CriticServerConfig | None = None
    """A server that judges. None: the local base without an adapter."""
    prompts: str = "default"
    """Prompt pack: `default`, `terse`, or a folder of your own."""
    max_new_tokens: int = Field(160, gt=0)
    temperature: float = Field(0.8, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    min_p: float = Field(0.05, ge=0, le=1)
    min_novelty: float | None = Field(5.0, ge=1, le=10)
    min_coherence: float | None = Field(6.0, ge=1, le=10)
    min_utility: float | None = Field(4.0, ge=1, le=10)
    min_support: Share | None = None
    """Smallest geometric mean probability of the conclusion under the frozen base, given the
    concepts and the reasoning. None does not ask; 0.5 serves the seedling."""
    max_disagreement: float | None = Field(2.0, ge=0, le=9)
    """Largest change of an axis, in points, under another order of the criteria. None does not
    ask, and saves half of the critic's work."""
    quota: int | None = Field(None, gt=0)
    """Admit the best so many of each cycle by the sum of the axes instead of by thresholds."""
    explain: bool = True
    """Generate a rationale for what is admitted."""
