"""Where to look: how pairs are drawn."""

from pydantic import Field, model_validator

from ddl_train.config.stage import StageConfig


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
