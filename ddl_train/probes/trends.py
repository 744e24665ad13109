"""Across cycles: transfer and forgetting, and whether a rise is a jump of the model or of the metric.

A metric that only counts what is wholly right stays at nothing and then leaps, while what the model
finds likely has risen evenly all the while (Schaeffer, Miranda and Koyejo, 2023). So a change point
is looked for in the continuous score beside the exact-match one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ddl_train.records import EvalReport

Share = tuple[int, int]
"""Right answers, and questions."""
_ALL_ORDERS = 7
"""Series of up to this many points are permuted in every way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePoint:
    """The best place to cut a series in two."""

    place: int
    """The first point of the later part."""
    before: float
    after: float
    p_value: float
    """Share of orders of the same points that can be cut as sharply, or more so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """What later nights did to earlier knowledge, in shares of uptake questions."""

    backward: float | None
    """Mean over earlier nights of what is right now, less what was right just after the night."""
    forward: float | None
    """Mean over later nights of what was right before the night, less the base."""
    forgetting: float | None
    """Mean over earlier nights of the best that ever was, less what is right now (Chaudhry et al.,
    2018)."""


def find_change(
    values: Sequence[float], *, num_permutations: int = 2000, seed: int = 0
) -> ChangePoint | None:
    """One cut by the CUSUM statistic, with a permutation test; None for fewer than four points.

    Parts of one point count too: the last night may be the one.
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) < 4 or not np.isfinite(series).all():
        return None
    place, found = _sharpest(series)
    if len(series) <= _ALL_ORDERS:
        orders: NDArray[np.float64] = np.array(list(permutations(series)), dtype=np.float64)
        as_sharp = sum(_sharpest(order)[1] >= found - 1e-12 for order in orders)
        p_value = as_sharp / len(orders)
    else:
        rng = np.random.default_rng(seed)
        as_sharp = sum(
            _sharpest(rng.permutation(series))[1] >= found - 1e-12 for _ in range(num_permutations)
        )
        p_value = (as_sharp + 1) / (num_permutations + 1)
    return ChangePoint(
        place=place,
        before=float(series[:place].mean()),
        after=float(series[place:].mean()),
        p_value=p_value,
    )


def uptake_matrix(
    reports: Sequence[EvalReport], admitted_in: Mapping[str, int], num_cycles: int
) -> list[list[Share]]:
    """Row: after which cycle was asked. Column: in which cycle the insight was admitted.

    Args:
        reports: of the adapter in use after each cycle, one a cycle.
        admitted_in: cluster of an insight's questions -> its cycle.
        num_cycles: columns.
    """
    matrix = []
    for report in reports:
        right, asked = [0] * num_cycles, [0] * num_cycles
        for item in report.items:
            if item.suite == "uptake" and item.cluster in admitted_in:
                right[admitted_in[item.cluster]] += item.is_correct
                asked[admitted_in[item.cluster]] += 1
        matrix.append(list(zip(right, asked, strict=True)))
    return matrix


def transfer(
    after: Sequence[Sequence[Share]],
    before: Sequence[Sequence[Share]],
    base: Sequence[Sequence[Share]],
) -> Transfer:
    """Transfer and forgetting from three matrices of `uptake_matrix`.

    Args:
        after: of the adapter in use after each cycle.
        before: of the adapter in use before it, asked in the same cycle.
        base: of the base, asked in the same cycle.
    """
    last = len(after) - 1
    backward, forgotten = [], []
    for column in range(last):
        now, then = _share(after[last][column]), _share(after[column][column])
        best = [_share(after[row][column]) for row in range(column, last)]
        known = [value for value in best if value is not None]
        if now is not None and then is not None:
            backward.append(now - then)
        if now is not None and known:
            forgotten.append(max(known) - now)
    forward = [
        ahead - start
        for column in range(1, len(after))
        if (ahead := _share(before[column][column])) is not None
        and (start := _share(base[column][column])) is not None
    ]
    return Transfer(backward=_mean(backward), forward=_mean(forward), forgetting=_mean(forgotten))


def _sharpest(series: NDArray[np.float64]) -> tuple[int, float]:
    """Where the standardised difference of the two parts is largest, and how large."""
    n = len(series)
    places = np.arange(1, n)
    sums = np.cumsum(series)[:-1]
    differences = (series.sum() - sums) / (n - places) - sums / places
    scores = np.abs(differences) * np.sqrt(places * (n - places) / n)
    best = int(np.argmax(scores))
    return best + 1, float(scores[best])


def _share(cell: Share) -> float | None:
    return cell[0] / cell[1] if cell[1] else None


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
