"""Giving up on dreams that lead nowhere."""

from pydantic import Field

from ddl_train.config.stage import StageConfig


class StoppingConfig(StageConfig):
    """When the local generator gives a dream up before its end. None is off.

    Such a dream is refused (`hopeless: ...`, `looping: ...`) and never judged.
    """

    min_mean_logprob: float | None = Field(None, le=0)
    """Mean log-probability of the tokens written, in nats at temperature 1, below which it is
    hopeless. What it should be depends on the model: look at what was admitted."""
    max_repeats: int | None = Field(None, gt=1)
    """It loops once it ends in a run of tokens said more often than this."""
    patience: int = Field(16, gt=0)
    """Tokens that are written before either is looked at."""

    @property
    def is_on(self) -> bool:
        return self.min_mean_logprob is not None or self.max_repeats is not None
