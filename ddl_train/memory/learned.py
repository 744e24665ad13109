"""Learning where to look: the samplers propose, and of what they propose the bandit takes some.

For every place of a batch several candidates are drawn from the samplers, in shares that follow
what their pairs have brought; the candidates are sorted into strata, and from each stratum so many
are taken as its posterior asks for (`bandit.py`). What a batch costs does not grow with memory.

The probability kept with a pair is exact where those of the samplers are. The candidates are a
first sample: a pair is expected in it sum(draws x chance) times over the samplers. What is taken is
a second sample from these, with a known chance. The product, over how often the pair came and how
many places were filled, is the pair's probability for one place; its inverse weighs the pair in
estimates that look through the learning (double expansion, Saerndal, Swensson and Wretman 1992).
It is not changed by what the bandit believes, which may be wrong.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ddl_train.config.sampler import LearnConfig
from ddl_train.memory import bandit
from ddl_train.memory.bandit import Path, name_of, posteriors
from ddl_train.memory.draw import Draw, Mixture
from ddl_train.memory.sampler import pair_number
from ddl_train.memory.space import Ids, Space
from ddl_train.memory.strata import Strata
from ddl_train.memory.yields import Yields, sampler_path

REVISITS_EACH = 4
"""Candidates for each place of a revisit."""
_NEIGHBOURS_EACH = 4
"""Neighbours taken for each concept that neighbours are looked up for: looking up is what costs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A pair that may be taken."""

    ids: Ids
    sampler: str
    """One of those that drew it."""
    times: int = 1
    """How often it was drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A candidate that was taken."""

    candidate: Candidate
    stratum: Path
    chance: float
    """With which it was taken from the candidates."""


class Looker:
    """Chooses the pairs of one batch."""

    def __init__(
        self,
        config: LearnConfig,
        strata: Strata,
        yields: Yields,
        rng: random.Random,
        *,
        now: int,
    ) -> None:
        """Wire it up.

        Args:
            config: how to learn.
            strata: tells the stratum of a pair.
            yields: what came of samplers and strata so far, up to date.
            rng: of the batch.
            now: cycle under way.
        """
        self._config = config
        self._strata = strata
        self._of_samplers = yields.of_samplers(now, config.discount)
        self._of_strata = yields.of_strata(now, config.discount)
        self._rng = rng

    def take(self, candidates: Sequence[Candidate], places: int) -> list[Taken]:
        """Fill places from different pairs, the promising strata first, all strata now and then."""
        places = min(places, len(candidates))
        if not places:
            return []
        config, rng = self._config, self._rng
        paths = self._strata.of([one.ids for one in candidates])
        sizes = dict(Counter(paths))
        rates = posteriors(list(sizes), self._of_strata, prior_pairs=config.prior_pairs)
        chances = bandit.inclusion(sizes, rates, places, floor=config.floor, rng=rng)
        chosen = bandit.systematic([chances[path] for path in paths], places, rng)
        return [
            Taken(candidate=candidates[row], stratum=paths[row], chance=chances[paths[row]])
            for row in chosen
        ]

    def take_again(self, drawn: Sequence[Draw], places: int) -> list[Draw]:
        """Of pairs that may come back as many as there are places."""
        by_number = {one.number: one for one in drawn}
        taken = self.take([Candidate(ids=one.ids, sampler=one.sampler) for one in drawn], places)
        return [
            replace(
                by_number[pair_number(*one.candidate.ids)],
                probability=drawn[0].probability * len(drawn) * one.chance / len(taken),
                stratum=name_of(one.stratum),
            )
            for one in taken
        ]

    def draw(
        self,
        mixture: Mixture,
        space: Space,
        count: int,
        is_new: Callable[[Sequence[int]], set[int]],
    ) -> list[Draw]:
        """Up to `count` different pairs; fewer when there are no more.

        Args:
            mixture: of the batch.
            space: of the batch.
            count: pairs wanted.
            is_new: of some pair numbers, those that were never drawn.
        """
        if len(space.ids) < 2 or not count:
            return []
        num_wanted = self._config.candidates * count
        num_draws, candidates = _propose(
            mixture, space, self._shares(mixture), num_wanted, is_new, self._rng
        )
        draws = _as_draws(mixture, self.take(candidates, count), num_draws, self._rng)
        return draws + _fill_up(mixture, self._strata, draws, count, is_new, self._rng)

    def _shares(self, mixture: Mixture) -> dict[str, float]:
        """Share of each sampler in the candidates of this batch."""
        configured = {name: share for name, share in mixture.shares.items() if share > 0}
        paths = {name: sampler_path(name) for name in configured}
        rates = posteriors(
            list(paths.values()), self._of_samplers, prior_pairs=self._config.prior_pairs
        )
        return bandit.shares(
            configured,
            {name: rates[path] for name, path in paths.items()},
            floor=self._config.floor,
            rng=self._rng,
        )


def _propose(
    mixture: Mixture,
    space: Space,
    shares: Mapping[str, float],
    count: int,
    is_new: Callable[[Sequence[int]], set[int]],
    rng: random.Random,
) -> tuple[dict[str, int], list[Candidate]]:
    """About `count` draws: how many each sampler made, and the new pairs among them."""
    drawn: list[tuple[Ids, str]] = []
    num_draws = {}
    for name, share in shares.items():
        each = _NEIGHBOURS_EACH if name in ("near_other_source", "insight") else 1
        wanted = max(round(share * count / each), 1) * each
        pairs = [pair for pair in mixture.candidates(name, wanted, each=each) if pair[0] != pair[1]]
        drawn += [(pair, name) for pair in pairs]
        # What the chances of these are conditional on: that the draw has found a pair.
        is_given = name in ("strength", "distance_band")
        num_draws[name] = len(pairs) if is_given else wanted
    rng.shuffle(drawn)
    numbers = [pair_number(*ids) for ids, _ in drawn]
    times = Counter(numbers)
    first = dict(zip(reversed(numbers), reversed(drawn), strict=True))
    new = is_new(list(times))
    held = space.place(np.array([ids for ids, _ in first.values()], dtype=np.int64).reshape(-1, 2))
    kept = {number for number, places in zip(first, held, strict=True) if places.min() >= 0} & new
    return num_draws, [
        Candidate(ids=first[number][0], sampler=first[number][1], times=times[number])
        for number in times
        if number in kept
    ]


def _as_draws(
    mixture: Mixture, taken: Sequence[Taken], num_draws: Mapping[str, int], rng: random.Random
) -> list[Draw]:
    chances = mixture.chances([one.candidate.ids for one in taken])
    draws = []
    for row, one in enumerate(taken):
        expected = sum(number * chances[name][row] for name, number in num_draws.items())
        draws.append(
            Draw(
                number=pair_number(*one.candidate.ids),
                ids=_in_any_order(one.candidate.ids, rng),
                sampler=one.candidate.sampler,
                probability=float(expected * one.chance / one.candidate.times / len(taken)),
                stratum=name_of(one.stratum),
                chances={name: float(values[row]) for name, values in chances.items()},
            )
        )
    return draws


def _fill_up(
    mixture: Mixture,
    strata: Strata,
    draws: Sequence[Draw],
    count: int,
    is_new: Callable[[Sequence[int]], set[int]],
    rng: random.Random,
) -> list[Draw]:
    """Where too few candidates were new, the rest is uniform's."""
    found: dict[int, tuple[Ids, str]] = {one.number: (one.ids, one.sampler) for one in draws}
    mixture.keep_uniform(count, found, is_new)
    more = list(found.items())[len(draws) :]
    if not more:
        return []
    pairs = [ids for _, (ids, _) in more]
    chances, uniform = mixture.chances(pairs), mixture.chance_uniform(pairs)
    return [
        Draw(
            number=number,
            ids=_in_any_order(ids, rng),
            sampler=name,
            probability=float(uniform[row]),
            stratum=name_of(path),
            chances={arm: float(values[row]) for arm, values in chances.items()},
        )
        for row, ((number, (ids, name)), path) in enumerate(
            zip(more, strata.of(pairs), strict=True)
        )
    ]


def _in_any_order(ids: Ids, rng: random.Random) -> Ids:
    return ids if rng.random() < 0.5 else (ids[1], ids[0])
