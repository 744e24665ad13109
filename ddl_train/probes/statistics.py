"""Paired statistics. Every interval says what it is of; one that cannot be computed is NaN.

Differences are resampled by cluster (an insight, a document), because items of one cluster are not
independent: the statistic is the mean over items, the ratio of two sums over clusters.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap, norm

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean, and the one-sided confidence bounds on each side of it."""

    mean: float
    low: float
    """At the given confidence the true mean is above this."""
    high: float
    """At the given confidence the true mean is below this."""
    num_items: int
    num_clusters: int

    @property
    def is_known(self) -> bool:
        return math.isfinite(self.mean) and math.isfinite(self.low) and math.isfinite(self.high)


def paired_interval(
    differences: Sequence[float],
    clusters: Sequence[str],
    *,
    confidence: float,
    num_resamples: int,
    seed: int = 0,
) -> Interval:
    """BCa bootstrap of the mean difference, resampled by cluster.

    `confidence` is of each bound by itself, so 0.95 gives the two ends of a 90 % interval. Where
    all clusters agree, that value is both bounds. NaN without items, or with one that is NaN.
    """
    values = np.asarray(differences, dtype=np.float64)
    sums, sizes = _by_cluster(values, clusters)
    num_items, num_clusters = len(values), len(sizes)
    if num_items == 0 or not np.isfinite(values).all():
        low = high = mean = math.nan
    else:
        mean = float(values.mean())
        low, high = _bounds(sums, sizes, mean, confidence, num_resamples, seed)
    return Interval(mean=mean, low=low, high=high, num_items=num_items, num_clusters=num_clusters)


def wilson(num_right: int, num_items: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided interval of a share; (0, 1) when nothing was asked."""
    if num_items == 0:
        return 0.0, 1.0
    z = float(norm.ppf(0.5 + confidence / 2))
    share = num_right / num_items
    centre = share + z**2 / (2 * num_items)
    spread = z * math.sqrt(share * (1 - share) / num_items + z**2 / (4 * num_items**2))
    scale = 1 + z**2 / num_items
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def items_needed(interval: Interval, effect: float) -> int | None:
    """About how many items would tell an effect of this size from none, at the same confidence."""
    width = interval.high - interval.low
    if not interval.is_known or width <= 0 or effect <= 0:
        return None
    return math.ceil(interval.num_items * (width / 2 / effect) ** 2)


def _by_cluster(values: Floats, clusters: Sequence[str]) -> tuple[Floats, Floats]:
    if len(values) != len(clusters):
        raise ValueError(f"got {len(values)} differences and {len(clusters)} clusters")
    _, numbers = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums = np.bincount(numbers, weights=values).astype(np.float64)
    return sums, np.bincount(numbers).astype(np.float64)


def _bounds(
    sums: Floats, sizes: Floats, mean: float, confidence: float, num_resamples: int, seed: int
) -> tuple[float, float]:
    if np.ptp(sums / sizes) == 0:
        return mean, mean
    with warnings.catch_warnings():
        # its NaN bounds say the same, and the caller refuses them
        warnings.simplefilter("ignore", DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        result = bootstrap(
            (sums, sizes),
            _ratio,
            paired=True,
            vectorized=True,
            n_resamples=num_resamples,
            confidence_level=2 * confidence - 1,
            method="BCa",
            batch=max(1, 2_000_000 // len(sums)),
            rng=np.random.default_rng(seed),
        )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _ratio(sums: Floats, sizes: Floats, axis: int = -1) -> Any:
    return sums.sum(axis=axis) / sizes.sum(axis=axis)
