"""Where to look: how pairs are drawn."""

from pydantic import Field, model_validator

from ddl_train.config.stage import StageConfig


class LearnConfig(StageConfig):
    """Learning where to look: a bandit over the samplers and over strata of the pair space.

    Rewarded by admitted insights per token, and once nights have been promoted by those that the
    adapter in use answers when asked. Every sampler needs a share above 0 to take part.
    """

    floor: float = Field(0.1, gt=0, le=1)
    """Share of each batch drawn without regard to what was learned, alike from all strata at hand;
    and of the candidates, alike from all samplers. Exploration never dies."""
    candidates: int = Field(12, gt=0)
    """Candidates drawn for each place of a batch, of which one is taken. 1 learns next to nothing."""
    discount: float = Field(0.8, gt=0, le=1)
    """Weight of a cycle's verdicts in the next one: each night changes who dreams."""
    prior_pairs: float = Field(100.0, gt=0)
    """Pairs that what is known of the features of a stratum counts for, beside its own verdicts."""


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
    learn: LearnConfig | None = None
    """Learn where to look. None draws by the shares alone; `{}` learns with its defaults."""
    revisit_gaps: tuple[int, ...] = ()
    """Cycles after which a pair that was refused may come back for the first, second, ... time;
    the last gap repeats. `[1, 2, 4, 8]` doubles. Empty: as soon as another adapter dreams."""
    revisit_boost: float = Field(1.0, ge=1)
    """Factor of `wake.revisit_share` in the cycle after a promoted night, when the model has
    changed; the share is at most 1."""

    @model_validator(mode="after")
    def _some_share(self) -> "SamplerConfig":
        shares = (
            self.uniform + self.distance_band + self.near_other_source + self.strength
        ) + self.insight
        if shares <= 0:
            raise ValueError("every sampler has share 0; give at least one a positive share")
        if self.band_low >= self.band_high:
            raise ValueError(f"band_low {self.band_low} must be below band_high {self.band_high}")
        if any(gap < 1 for gap in self.revisit_gaps):
            raise ValueError(
                f"revisit_gaps: got {list(self.revisit_gaps)}, expected 1 or more each"
            )
        return self
