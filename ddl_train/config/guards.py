"""Cheap refusals before the critic is asked."""

from pydantic import Field

from ddl_train.config.stage import Share, StageConfig


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
