"""Paired statistics. Every interval says what it is of; one that cannot be computed is NaN.

Differences are resampled by cluster (an insight, a document), because items of one cluster are not
independent: the statistic is the mean over items, the ratio of two sums over clusters.
"""

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap, norm

Floats = NDArray[np.float64]
POWER = 0.8
"""Chance of seeing an effect that is there, where a number of items is worked out."""
TAIL = 100
"""Resamples that should lie beyond a bound, so that the bound is not one draw of the dice."""


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
    standard_error: float = 0.0
    """Of the mean, over resampled clusters; 0 where all clusters agree."""

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
    At least `num_resamples` are drawn, and more where so few would say nothing about the tail.
    """
    values = np.asarray(differences, dtype=np.float64)
    sums, sizes = _by_cluster(values, clusters)
    num_items, num_clusters = len(values), len(sizes)
    if num_items == 0 or not np.isfinite(values).all():
        low = high = mean = error = math.nan
    else:
        mean = float(values.mean())
        num_resamples = max(num_resamples, resamples_for(1 - confidence))
        low, high, error = _bounds(sums, sizes, mean, confidence, num_resamples, seed)
    return Interval(
        mean=mean,
        low=low,
        high=high,
        num_items=num_items,
        num_clusters=num_clusters,
        standard_error=error,
    )


def resamples_for(alpha: float) -> int:
    """Resamples that leave `TAIL` of them beyond a bound of this alpha."""
    return math.ceil(TAIL / alpha)


def exact_gain_test(differences: Sequence[float], clusters: Sequence[str]) -> float:
    """P-value of the exact paired randomisation test that more was gained than lost.

    One-sided, over clusters (Fisher 1935, Pitman 1937): had nothing been gained, what a cluster
    gained or lost would as likely be the opposite; of all such worlds, the share that gains as
    much. Where every item is its own cluster this is McNemar's exact test; items that share one are
    flipped together, since they are one piece of evidence. 1.0 where nothing changed.

    Args:
        differences: right answers after less before, whole numbers.
        clusters: of each.
    """
    sums, _ = _by_cluster(np.asarray(differences, dtype=np.float64), clusters)
    return exact_flip_test(tuple(sorted(Counter(map(int, sums)).items())))


@lru_cache(maxsize=4096)
def exact_flip_test(counts: tuple[tuple[int, int], ...]) -> float:
    """The same, from how many clusters changed by how much: (change, clusters) each."""
    worlds = np.ones(1)
    for change, num in counts:
        # every cluster doubles the worlds: half of them fall by `change`, half of them rise by it
        for _ in range(num if change else 0):
            worlds = np.pad(worlds, (0, 2 * abs(change))) + np.pad(worlds, (2 * abs(change), 0))
            worlds /= 2
    gained = sum(change * num for change, num in counts)
    most = sum(abs(change) * num for change, num in counts)
    return min(1.0, float(worlds[gained + most :].sum()))


def wilson(num_right: float, num_items: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided interval of a share; (0, 1) when nothing was asked.

    Numbers of items may be effective ones, which are not whole.
    """
    if num_items == 0:
        return 0.0, 1.0
    z = float(norm.ppf(0.5 + confidence / 2))
    share = num_right / num_items
    centre = share + z**2 / (2 * num_items)
    spread = z * math.sqrt(share * (1 - share) / num_items + z**2 / (4 * num_items**2))
    scale = 1 + z**2 / num_items
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def items_needed(interval: Interval, effect: float, *, alpha: float) -> int | None:
    """About how many items would tell an effect of this size from none, one-sided, at `POWER`.

    Supposes more items of the same kind, in clusters of the same size. None where nothing varied,
    so that nothing is known about how much items differ.
    """
    error = interval.standard_error
    if not interval.is_known or error <= 0 or effect <= 0:
        return None
    z = float(norm.ppf(1 - alpha) + norm.ppf(POWER))
    return math.ceil(interval.num_items * (z * error / effect) ** 2)


def items_without_loss(share: float, *, alpha: float) -> int:
    """Items that must all have stayed right to say that fewer than this share are lost.

    The exact binomial bound for no loss at all ("rule of three" at 5 %).
    """
    return math.ceil(math.log(alpha) / math.log1p(-share))


def _by_cluster(values: Floats, clusters: Sequence[str]) -> tuple[Floats, Floats]:
    if len(values) != len(clusters):
        raise ValueError(f"got {len(values)} differences and {len(clusters)} clusters")
    _, numbers = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums = np.bincount(numbers, weights=values).astype(np.float64)
    return sums, np.bincount(numbers).astype(np.float64)


def _bounds(
    sums: Floats, sizes: Floats, mean: float, confidence: float, num_resamples: int, seed: int
) -> tuple[float, float, float]:
    """Low and high bound, and the standard error."""
    if np.ptp(sums / sizes) == 0:
        return mean, mean, 0.0
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
    bounds = result.confidence_interval
    return float(bounds.low), float(bounds.high), float(result.standard_error)


def _ratio(sums: Floats, sizes: Floats, axis: int = -1) -> Any:
    return sums.sum(axis=axis) / sizes.sum(axis=axis)
