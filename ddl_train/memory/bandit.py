"""A bandit over strata: how many of the candidates of each are taken, and which.

The reward of a stratum is a rate, insights per token, with a Gamma posterior (insights are counted
as a Poisson process over tokens). A stratum is a value for each of several features. The prior of its rate is
the overall rate times a factor for each value, worth so many pairs, so that rare strata shrink to
what their features say, and features to the whole. The factors are those of a Poisson regression
with Gamma priors of mean 1, fitted by Bailey's (1963) sweeps; the posterior above it is the
credibility of Buehlmann (1967). What is old counts less: discounted Thompson sampling (Raj and
Kalyani 2017).

A batch is taken from a pool of candidates by Thompson sampling (1933) in its batched form: every
round draws a rate for each stratum and fills the places from the best downwards; a candidate's
chance is the mean over rounds, above a floor that all strata share alike (Hadad et al. 2021). The
sample itself is systematic (Madow 1949): exactly these chances and exactly so many taken, whatever
the rounds have drawn. So the chances are known, not estimated.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

Path = tuple[str, ...]
"""A stratum: the value of each feature of its pairs, in the same order everywhere."""

NUM_ROUNDS = 24
_NUM_SWEEPS = 10
_PRIOR_HITS = 1.0
"""Insights that the belief in no effect counts for, in each value of each feature."""
_SEPARATOR = " / "


def name_of(path: Path) -> str:
    """A stratum as it is written down."""
    return _SEPARATOR.join(path)


def path_of(name: str) -> Path:
    """A stratum as it was written down."""
    return tuple(name.split(_SEPARATOR))


@dataclass(slots=True)
class Yield:
    """What came of the pairs of a stratum; discounted, so not whole numbers."""

    pairs: float = 0.0
    reward: float = 0.0
    tokens: float = 0.0

    def add(self, other: "Yield", weight: float = 1.0) -> None:
        self.pairs += weight * other.pairs
        self.reward += weight * other.reward
        self.tokens += weight * other.tokens


_NOTHING = Yield()


@dataclass(frozen=True, slots=True)
class Posterior:
    """Gamma over insights per token."""

    shape: float
    rate: float

    @property
    def mean(self) -> float:
        return self.shape / self.rate

    def draw(self, rng: random.Random) -> float:
        return rng.gammavariate(self.shape, 1.0) / self.rate


def posteriors(
    wanted: Sequence[Path], yields: Mapping[Path, Yield], *, prior_pairs: float
) -> dict[Path, Posterior]:
    """Posterior of each stratum.

    Args:
        wanted: strata, all of the same features.
        yields: of the strata that were dreamt on.
        prior_pairs: that what the features say counts for, beside what a stratum itself says.
    """
    whole = Yield()
    for one in yields.values():
        whole.add(one)
    exposure = prior_pairs * (whole.tokens / whole.pairs if whole.tokens else 1.0)
    overall = (1.0 + whole.reward) / (exposure + whole.tokens)
    effects = _effects(yields, overall)
    found = {}
    for path in wanted:
        expected = exposure * overall
        for feature in enumerate(path):
            expected *= effects.get(feature, 1.0)
        own = yields.get(path, _NOTHING)
        found[path] = Posterior(expected + own.reward, exposure + own.tokens)
    return found


def _effects(yields: Mapping[Path, Yield], overall: float) -> dict[tuple[int, str], float]:
    """Factor of each value of each feature on the rate, by its place in the path and its name."""
    strata = sorted(yields)
    if not strata:
        return {}
    reward = np.array([yields[path].reward for path in strata])
    usual = np.array([yields[path].tokens for path in strata]) * overall
    features = [np.unique(values, return_inverse=True) for values in zip(*strata, strict=True)]
    factors = [np.ones(len(names)) for names, _ in features]
    expected = usual.copy()
    for _ in range(_NUM_SWEEPS):
        for place, (names, rows) in enumerate(features):
            expected /= factors[place][rows]
            sums = np.bincount(rows, reward, len(names)), np.bincount(rows, expected, len(names))
            factors[place] = (_PRIOR_HITS + sums[0]) / (_PRIOR_HITS + sums[1])
            expected *= factors[place][rows]
    return {
        (place, str(name)): float(factor)
        for place, (names, _) in enumerate(features)
        for name, factor in zip(names, factors[place], strict=True)
    }


def shares(
    configured: Mapping[str, float],
    rates: Mapping[str, Posterior],
    *,
    floor: float,
    rng: random.Random,
) -> dict[str, float]:
    """Shares of the samplers: as configured, times a rate drawn for each, above a floor."""
    drawn = {name: share * rates[name].draw(rng) for name, share in configured.items()}
    total = sum(drawn.values())
    alike = floor / len(drawn)
    return {
        name: alike + (1 - floor) * (value / total if total else 1 / len(drawn))
        for name, value in drawn.items()
    }


def inclusion(
    sizes: Mapping[Path, int],
    rates: Mapping[Path, Posterior],
    places: int,
    *,
    floor: float,
    rng: random.Random,
    num_rounds: int = NUM_ROUNDS,
) -> dict[Path, float]:
    """Chance of each candidate to be taken, by stratum; over all candidates they sum to `places`.

    Args:
        sizes: candidates in each stratum.
        rates: posterior of each stratum.
        places: to fill; at most as many as there are candidates.
        floor: share of the places that is spread alike over the strata.
        rng: of the rounds.
        num_rounds: over which the chances are averaged.
    """
    paths = list(sizes)
    size = np.array([sizes[path] for path in paths], dtype=np.float64)
    least = np.minimum(floor * places / len(paths) / size, 1.0)
    room, free = size * (1.0 - least), places - float(least @ size)
    shapes = np.array([rates[path].shape for path in paths])
    exposures = np.array([rates[path].rate for path in paths])
    source = np.random.default_rng(rng.getrandbits(64))
    drawn = source.standard_gamma(shapes, (num_rounds, len(paths))) / exposures
    order = np.argsort(-drawn, axis=1, kind="stable")
    before = np.cumsum(room[order], axis=1) - room[order]
    filled = np.clip(free - before, 0.0, room[order])
    taken = np.zeros_like(drawn)
    np.put_along_axis(taken, order, filled, axis=1)
    chances = np.minimum(least + taken.mean(axis=0) / size, 1.0)
    return dict(zip(paths, chances.tolist(), strict=True))


def systematic(chances: Sequence[float], places: int, rng: random.Random) -> list[int]:
    """Exactly `places` numbers of candidates, each taken with its chance. Order is random.

    Args:
        chances: of the candidates, at most 1 each; they sum to `places` but for rounding.
        places: how many are taken.
        rng: of the order and of the start.
    """
    order = list(range(len(chances)))
    rng.shuffle(order)
    ends = list(accumulate(chances[number] for number in order))
    scale = places / ends[-1] if ends and ends[-1] else 0.0
    start = rng.random()
    taken, passed = [], 0
    for number, end in zip(order, ends, strict=True):
        if passed < places and end * scale > start + passed:
            taken.append(number)
            passed += 1
    taken += [number for number in order if number not in {*taken}][: places - passed]
    return taken
