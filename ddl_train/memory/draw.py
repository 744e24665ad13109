"""Which pairs are dreamt on next: a mixture of samplers over what memory holds.

    uniform            every pair alike, each once, through the number line of `sampler.py`
    distance_band      pairs whose cosine lies in a band
    near_other_source  a concept and one of its nearest neighbours from another source
    strength           both concepts by strength
    insight            an insight and a near neighbour of it that is not its parent
    revisit            a pair that an earlier, different adapter rejected (a share of the batch)

A pair is dreamt on once; only `revisit` draws one again, and only for an adapter that has not
dreamt on it. A sampler that finds nothing new leaves its place to `uniform`. A draw depends only
on the seed, the cycle, the batch and what is stored.

The probability kept with a pair is its chance in one draw of the mixture as the batch began: the
sum over samplers of share x chance. It is exact for uniform (over the numbers not yet visited),
strength and the neighbour samplers (both directions counted); for distance_band the size of the
band is estimated from the pairs tried. Approximate in that pairs already dreamt on, stale or
forgotten are drawn again rather than left out of the sums, which makes every figure slightly too
small. For revisits it is one over the number of pairs that could have been taken.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ddl_train.config import SamplerConfig
from ddl_train.memory.index import IdArray
from ddl_train.memory.sampler import NumberLine, num_pairs, pair_ids, pair_number
from ddl_train.memory.space import Ids, NumberArray, Space
from ddl_train.memory.vectors import Vectors

_MAX_ROUNDS = 8
_TRIES_PER_PAIR = 4
_FEWEST_TRIES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """One pair as it was drawn."""

    number: int
    ids: Ids
    """In the order in which they are shown."""
    sampler: str
    probability: float
    is_revisit: bool = False
    stratum: str = ""
    chances: Mapping[str, float] = field(default_factory=dict)
    """Sampler -> chance of the pair in one draw of that sampler alone, as the batch began."""


class Mixture:
    """The samplers of one batch."""

    def __init__(
        self,
        config: SamplerConfig,
        space: Space,
        line: NumberLine,
        vectors: Vectors | None,
        rng: random.Random,
    ) -> None:
        self._config = config
        self._space = space
        self._line = line
        self._vectors = vectors
        self._rng = rng
        self._line_left = line.num_left
        self._line_counters = [block.counter for block in line.blocks]
        self._band_share = 1.0
        self._insights = space.insights
        self._near: dict[int, IdArray] = {}
        self.shares = self._usable_shares()
        """Sampler -> share; what cannot work on this memory has left its share to uniform."""

    def draw(self, count: int, is_new: Callable[[Sequence[int]], set[int]]) -> list[Draw]:
        """Up to `count` different pairs; fewer when there are no more.

        Args:
            count: pairs wanted.
            is_new: of some pair numbers, those that were never drawn.
        """
        if len(self._space.ids) < 2:
            return []
        found: dict[int, tuple[Ids, str]] = {}
        for name, wanted in self._choose_samplers(count).items():
            enough = len(found) + wanted
            for _ in range(_MAX_ROUNDS):
                if len(found) < enough:
                    drawn = self.candidates(name, enough - len(found))
                    self._keep(drawn, name, found, is_new)
        self.keep_uniform(count, found, is_new)
        chosen = list(found.items())
        chances = self.chances([ids for _, (ids, _) in chosen])
        total = np.zeros(len(chosen))
        for name, share in self.shares.items():
            if share > 0:
                total += share * chances[name]
        return [
            Draw(
                number=number,
                ids=ids if self._rng.random() < 0.5 else (ids[1], ids[0]),
                sampler=name,
                probability=float(total[row]),
                chances={arm: float(values[row]) for arm, values in chances.items()},
            )
            for row, (number, (ids, name)) in enumerate(chosen)
        ]

    def _usable_shares(self) -> dict[str, float]:
        config = self._config
        shares = {
            "uniform": config.uniform,
            "distance_band": config.distance_band,
            "near_other_source": config.near_other_source,
            "strength": config.strength,
            "insight": config.insight,
        }
        total = sum(shares.values())
        shares = {name: share / total for name, share in shares.items()}
        has_vectors = self._vectors is not None and len(self._vectors) >= 2
        for name in ("distance_band", "near_other_source", "insight"):
            if not has_vectors or (name == "insight" and len(self._insights) == 0):
                shares["uniform"] += shares[name]
                shares[name] = 0.0
        return shares

    def _choose_samplers(self, count: int) -> dict[str, int]:
        """How many pairs each sampler but uniform is asked for; the rest is uniform's."""
        names = list(self.shares)
        chosen = self._rng.choices(names, weights=[self.shares[n] for n in names], k=count)
        return {name: chosen.count(name) for name in names if name != "uniform" and name in chosen}

    def _keep(
        self,
        drawn: Sequence[Ids],
        name: str,
        found: dict[int, tuple[Ids, str]],
        is_new: Callable[[Sequence[int]], set[int]],
    ) -> None:
        numbers = {pair_number(a, b): (a, b) for a, b in drawn if a != b}
        new = is_new(list(numbers))
        for number, ids in numbers.items():
            if number in new and number not in found and self._space.holds(ids):
                found[number] = (ids, name)

    def keep_uniform(
        self,
        count: int,
        found: dict[int, tuple[Ids, str]],
        is_new: Callable[[Sequence[int]], set[int]],
    ) -> None:
        while len(found) < count:
            number = self._line.take(self._rng.random())
            if number is None:
                return
            self._keep([pair_ids(number)], "uniform", found, is_new)

    def candidates(self, name: str, count: int, *, each: int = 1) -> list[Ids]:
        """About so many pairs of a sampler, as they come: also old ones, and some twice.

        Args:
            name: of the sampler.
            count: pairs wanted; fewer come where some of the draws find nothing.
            each: neighbours taken for each concept that neighbours are looked up for.
        """
        if name == "uniform":
            ahead = (self._line.ahead(self._rng.random()) for _ in range(count))
            return [pair_ids(number) for number in ahead if number is not None]
        if name == "strength":
            return [self._two_by_strength() for _ in range(count)]
        if name == "distance_band":
            return self._in_band(count)
        first = self._insights if name == "insight" else self._space.ids
        starts = [int(first[int(self._rng.random() * len(first))]) for _ in range(count // each)]
        lists = self._neighbour_lists(np.unique(starts), name)
        pairs = []
        for start in starts:
            if near := lists[start]:
                for _ in range(each):
                    pairs.append((start, near[int(self._rng.random() * len(near))]))
        return pairs

    def _two_by_strength(self) -> Ids:
        weights = self._space.weights
        rows = [weights.row_at(self._rng.random() * weights.total) for _ in range(2)]
        return int(self._space.ids[rows[0]]), int(self._space.ids[rows[1]])

    def _in_band(self, count: int) -> list[Ids]:
        assert self._vectors is not None
        ids = self._space.ids
        tries = max(_FEWEST_TRIES, _TRIES_PER_PAIR * count)
        places = [int(self._rng.random() * len(ids)) for _ in range(2 * tries)]
        a, b = ids[places[:tries]], ids[places[tries:]]
        a, b = a[a != b], b[a != b]
        if len(a) == 0:
            return []
        cosines = self._vectors.cosines(a, b)
        is_in = (cosines >= self._config.band_low) & (cosines <= self._config.band_high)
        self._band_share = max(float(is_in.mean()), 1 / len(a))
        return [(int(x), int(y)) for x, y in zip(a[is_in][:count], b[is_in][:count], strict=True)]

    def _neighbour_lists(self, ids: IdArray, name: str) -> dict[int, list[int]]:
        """For each concept the partners from which a neighbour sampler takes one."""
        if len(ids) == 0:
            return {}
        near = self._neighbours(ids)
        is_held = (self._space.place(near.ravel()) >= 0).reshape(near.shape)
        is_kept = is_held & (near != ids[:, None])
        if name == "near_other_source":
            origins = self._space.origins
            is_kept &= origins.of(np.where(is_held, near, 0)) != origins.of(ids)[:, None]
        lists = {}
        for concept_id, row, is_partner in zip(ids.tolist(), near, is_kept, strict=True):
            kept = row[is_partner].tolist()
            if name == "insight":
                kept = [other for other in kept if other not in self._space.parents[concept_id]]
            lists[concept_id] = kept
        return lists

    def _neighbours(self, ids: IdArray) -> IdArray:
        """Nearest concepts to each of `ids`, [n, k]; each is looked up once in a batch."""
        assert self._vectors is not None
        new = [concept_id for concept_id in ids.tolist() if concept_id not in self._near]
        if new:
            near, _ = self._vectors.neighbours(np.array(new), self._config.num_neighbours + 1)
            self._near |= dict(zip(new, near, strict=True))
        return np.stack([self._near[concept_id] for concept_id in ids.tolist()])

    def chances(self, pairs: Sequence[Ids]) -> dict[str, NumberArray]:
        """Of each sampler in use, the chance of each pair in one draw of it alone."""
        if not pairs:
            return {name: np.zeros(0) for name in self.shares}
        ways: dict[str, Callable[[Sequence[Ids]], NumberArray]] = {
            "uniform": self.chance_uniform,
            "distance_band": self._chance_in_band,
            "near_other_source": lambda p: self._chance_near(p, "near_other_source"),
            "strength": self._chance_by_strength,
            "insight": lambda p: self._chance_near(p, "insight"),
        }
        return {name: ways[name](pairs) for name, share in self.shares.items() if share > 0}

    def chance_uniform(self, pairs: Sequence[Ids]) -> NumberArray:
        if not self._line_left:
            return np.zeros(len(pairs))
        ahead = []
        for a, b in pairs:
            place, index = self._line.visit_of(pair_number(a, b))
            ahead.append(place >= 0 and index >= self._line_counters[place])
        return np.array(ahead) / self._line_left

    def _chance_in_band(self, pairs: Sequence[Ids]) -> NumberArray:
        assert self._vectors is not None
        a, b = np.array(pairs).T
        cosines = self._vectors.cosines(a, b)
        is_in = (cosines >= self._config.band_low) & (cosines <= self._config.band_high)
        size = max(self._band_share * num_pairs(len(self._space.ids)), 1.0)
        return is_in / size

    def _chance_by_strength(self, pairs: Sequence[Ids]) -> NumberArray:
        all_weights = self._space.weights
        weights = all_weights.of(self._space.place(np.array(pairs)))
        total = all_weights.total
        same = all_weights.total_of_squares / total**2
        return 2 * weights[:, 0] * weights[:, 1] / total**2 / max(1 - same, 1e-12)

    def _chance_near(self, pairs: Sequence[Ids], name: str) -> NumberArray:
        starts = self._insights if name == "insight" else self._space.ids
        ids = np.unique(np.array(pairs))
        is_start = np.isin(ids, starts) if name == "insight" else self._space.place(ids) >= 0
        lists = self._neighbour_lists(ids[is_start], name)
        chances = np.zeros(len(pairs))
        for row, pair in enumerate(pairs):
            for start, other in (pair, pair[::-1]):
                near = lists.get(start, [])
                if other in near:
                    chances[row] += 1 / len(near) / len(starts)
        return chances
