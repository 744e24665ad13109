"""What is asked of a model, what it answers, and what that costs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
JsonObject = dict[str, Any]

BASE = "base"
"""Name of the untouched base model wherever an adapter can be named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """When an answer is given up before its end. None is off."""

    min_mean_logprob: float | None = None
    """Mean log-probability of what was written, in nats at temperature 1: below it is hopeless."""
    max_repeats: int | None = None
    """It loops once it ends in a run of tokens said more often than this."""
    patience: int = 16
    """Tokens that are written before either is looked at."""

    @property
    def is_on(self) -> bool:
        return self.min_mean_logprob is not None or self.max_repeats is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How an engine samples. `temperature` 0 is greedy."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    stop_after: str | None = None
    """Generation of a sequence ends once its text starts with this (the generator's NONE)."""
    stopping: Stopping = Stopping()
    """For a model that runs here; a server writes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What calls to a model cost. Adds up with `+`."""

    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    seconds: float = 0.0
    flops: float = 0.0
    """Estimated: 2 x parameters x tokens forward; training adds its own factor."""

    @classmethod
    def forward(
        cls, num_read: int, num_written: int, *, seconds: float, num_parameters: int = 0
    ) -> "Usage":
        """Of forward passes through `num_parameters`; 0 where another machine has them."""
        return cls(
            num_prompt_tokens=num_read,
            num_completion_tokens=num_written,
            seconds=seconds,
            flops=2.0 * num_parameters * (num_read + num_written),
        )

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            num_prompt_tokens=self.num_prompt_tokens + other.num_prompt_tokens,
            num_completion_tokens=self.num_completion_tokens + other.num_completion_tokens,
            seconds=self.seconds + other.seconds,
            flops=self.flops + other.flops,
        )

    @property
    def num_tokens(self) -> int:
        return self.num_prompt_tokens + self.num_completion_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model wrote after one prompt."""

    text: str
    """Decoded without special tokens, stripped."""
    num_prompt_tokens: int
    num_completion_tokens: int
    is_finished: bool
    """True when it ended with EOS (or `stop_after`) before `max_new_tokens`."""
    given_up: str | None = None
    """Why it was ended early, first word a stable name (`hopeless: ...`, `looping: ...`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """A continuation whose likelihood is asked for, after the user message `prompt`."""

    prompt: str
    """The user message, before the chat template."""
    continuation: str
    given: str = ""
    """Beginning of the answer that is given, not scored (a critic's stated reasoning)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Likelihood:
    """Log-likelihood of one continuation, in nats."""

    total: float
    num_tokens: int

    @property
    def mean(self) -> float:
        return self.total / max(self.num_tokens, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextLoss:
    """A plain text under one adapter: means over its tokens, in nats."""

    loss: float
    divergence: float
    """KL(adapter || base) of the next token; 0 for the base."""
    num_tokens: int
