"""The noise floor: the gain that a night may show which had nothing to teach.

A null night takes the same steps over replay or general rows only, from another seed. What it gains
is luck and drift; one more such night stays below the floor at the given confidence.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ddl_train.gate.checks import gained, mean, suite_of
from ddl_train.probes.statistics import prediction_bound
from ddl_train.records import EvalReport


class NoiseFloor(NamedTuple):
    """For `promote.min_gain`."""

    value: float
    """NaN when fewer than two null nights were measured."""
    gains: tuple[float, ...]
    """In uptake, of each null night."""


def noise_floor(
    nights: Sequence[tuple[EvalReport, EvalReport]], *, confidence: float = 0.95
) -> NoiseFloor:
    """Floor from null nights, each with the report of what it is compared with; at least 0."""
    gains = tuple(
        mean(gained(suite_of(night, "uptake"), suite_of(before, "uptake"))[0])
        for night, before in nights
    )
    bound = prediction_bound(gains, confidence=confidence)
    return NoiseFloor(bound if math.isnan(bound) else max(0.0, bound), gains)
