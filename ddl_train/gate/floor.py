"""The noise floor: the gain that a night may show which had nothing to teach.

A null night takes the same steps over replay or general rows only, from another seed. What such
nights gain alike is drift, and the floor is its upper confidence bound. What they gain by luck, each
in other questions, is in the interval of every night itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ddl_train.gate.checks import gained, mean, suite_of
from ddl_train.probes.statistics import paired_interval
from ddl_train.records import EvalReport

NUM_RESAMPLES = 4000


class NoiseFloor(NamedTuple):
    """For `promote.min_gain`."""

    value: float
    """NaN when no null night was measured."""
    gains: tuple[float, ...]
    """In uptake, of each null night."""


def noise_floor(
    nights: Sequence[tuple[EvalReport, EvalReport]], *, confidence: float = 0.95
) -> NoiseFloor:
    """Floor from null nights, each with the report of what it is compared with; at least 0.

    Nights are pooled and resampled by insight: asking the same of two nights is no new evidence.
    """
    compared = [gained(suite_of(night, "uptake"), suite_of(old, "uptake")) for night, old in nights]
    interval = paired_interval(
        [value for differences, _ in compared for value in differences],
        [cluster for _, clusters in compared for cluster in clusters],
        confidence=confidence,
        num_resamples=NUM_RESAMPLES,
    )
    gains = tuple(mean(differences) for differences, _ in compared)
    return NoiseFloor(max(0.0, interval.high) if interval.is_known else interval.high, gains)
