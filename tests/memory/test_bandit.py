"""The bandit: chances that are exact, floors that hold, rare strata that shrink."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl_train.memory.bandit import (
    Path,
    Posterior,
    Yield,
    inclusion,
    name_of,
    path_of,
    posteriors,
    shares,
    systematic,
)

some_strata = st.dictionaries(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz")),
    st.tuples(st.integers(1, 40), st.floats(1e-3, 10), st.floats(0.1, 1e4)),
    min_size=1,
)


@settings(deadline=None, max_examples=60)
@given(some_strata, st.data(), st.floats(0.01, 1), st.integers(0, 99))
def test_chances_fill_the_places_and_leave_none_out(
    strata: dict[tuple[str, str], tuple[int, float, float]],
    data: st.DataObject,
    floor: float,
    seed: int,
) -> None:
    sizes: dict[Path, int] = {path: size for path, (size, _, _) in strata.items()}
    rates: dict[Path, Posterior] = {
        path: Posterior(shape, rate) for path, (_, shape, rate) in strata.items()
    }
    places = data.draw(st.integers(1, sum(sizes.values())))
    chances = inclusion(sizes, rates, places, floor=floor, rng=random.Random(seed))
    least = floor * places / len(sizes)
    assert sum(chances[path] * size for path, size in sizes.items()) == pytest.approx(places)
    for path, size in sizes.items():
        assert min(least / size, 1) - 1e-9 <= chances[path] <= 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 99))
def test_a_systematic_sample_has_its_size(values: list[float], seed: int) -> None:
    places = int(sum(values))
    chances = [value * places / sum(values) if sum(values) else 0 for value in values]
    taken = systematic(chances, places, random.Random(seed))
    assert len(taken) == len({*taken}) == places


def test_a_systematic_sample_takes_each_with_its_chance() -> None:
    chances = [1.0, 0.7, 0.6, 0.4, 0.2, 0.1]
    rng, counts, num_samples = random.Random(1), [0] * len(chances), 6000
    for _ in range(num_samples):
        for number in systematic(chances, 3, rng):
            counts[number] += 1
    for chance, count in zip(chances, counts, strict=True):
        error = (chance * (1 - chance) / num_samples) ** 0.5
        assert abs(count / num_samples - chance) <= 4 * error + 1e-9


def test_a_better_stratum_gets_more_places_and_a_hopeless_one_its_floor() -> None:
    sizes: dict[Path, int] = {("good",): 50, ("bad",): 50}
    rates: dict[Path, Posterior] = {("good",): Posterior(200, 1e4), ("bad",): Posterior(1, 1e4)}
    chances = inclusion(sizes, rates, 20, floor=0.1, rng=random.Random(0))
    assert chances["bad",] == pytest.approx(0.1 * 20 / 2 / 50)
    assert chances["good",] == pytest.approx(0.95 * 20 / 50)


def test_what_was_never_tried_is_expected_as_its_features_say() -> None:
    yields: dict[Path, Yield] = {
        ("near", "new"): Yield(100, 30, 3000),
        ("far", "new"): Yield(100, 1, 3000),
        ("far", "old"): Yield(100, 1, 3000),
    }
    found = posteriors([("near", "old"), ("far", "old")], yields, prior_pairs=20)
    assert found["near", "old"].mean > 10 * found["far", "old"].mean


def test_a_rare_stratum_shrinks_and_a_common_one_speaks_for_itself() -> None:
    def mean_of(pairs: int, reward: float) -> float:
        yields: dict[Path, Yield] = {
            ("a",): Yield(1000, 100, 30_000),
            ("b",): Yield(pairs, reward, 30 * pairs),
        }
        return posteriors([("b",)], yields, prior_pairs=20)["b",].mean

    assert 0 < mean_of(1, 0) < 0.1 / 30 * 1.1
    assert mean_of(1, 0) > 10 * mean_of(2000, 0)
    assert mean_of(2000, 800) == pytest.approx(0.4 / 30, rel=0.1)


def test_nothing_known_makes_all_alike() -> None:
    found = posteriors([("a",), ("b",)], {}, prior_pairs=20)
    assert found["a",] == found["b",]


def test_every_sampler_keeps_its_floor() -> None:
    rates = {"uniform": Posterior(1, 1e9), "insight": Posterior(1e6, 1)}
    found = shares({"uniform": 0.5, "insight": 0.5}, rates, floor=0.1, rng=random.Random(0))
    assert found["uniform"] == pytest.approx(0.05)
    assert sum(found.values()) == pytest.approx(1)


def test_a_stratum_is_read_back_from_its_name() -> None:
    path = ("thirds split", "cosine 0.1 to 0.2", "new")
    assert path_of(name_of(path)) == path
