"""Pair numbers and permutations: everything once, in an order that only the key knows."""

import random
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl_train.memory.sampler import (
    Block,
    KeyedPermutation,
    NumberLine,
    num_pairs,
    pair_ids,
    pair_number,
)

ids = st.integers(1, 10**9)


@settings(deadline=None, max_examples=50)
@given(ids, ids)
def test_a_pair_number_gives_back_its_pair(a: int, b: int) -> None:
    if a == b:
        with pytest.raises(ValueError, match="no pair"):
            pair_number(a, b)
    else:
        assert pair_ids(pair_number(a, b)) == (max(a, b), min(a, b))
        assert pair_number(a, b) == pair_number(b, a)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**17))
def test_a_pair_gives_back_its_number(number: int) -> None:
    assert pair_number(*pair_ids(number)) == number


def test_numbers_are_dense_and_survive_growth() -> None:
    numbers = [pair_number(a, b) for a in range(1, 9) for b in range(1, a)]
    assert numbers == list(range(comb(8, 2)))
    assert num_pairs(8) == comb(8, 2)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 700), st.text(max_size=5))
def test_a_permutation_visits_every_number_once(n: int, key: str) -> None:
    permutation = KeyedPermutation(n, key)
    visited = [permutation(index) for index in range(n)]
    assert sorted(visited) == list(range(n))
    assert [permutation.inverse(number) for number in visited] == list(range(n))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 2**60), st.text(max_size=5), st.data())
def test_the_inverse_holds_on_any_scale(n: int, key: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, n - 1))
    assert KeyedPermutation(n, key).inverse(KeyedPermutation(n, key)(index)) == index


def test_another_key_is_another_order() -> None:
    orders = {tuple(KeyedPermutation(50, str(key))(i) for i in range(50)) for key in range(20)}
    assert len(orders) == 20


def test_the_order_looks_random() -> None:
    """The first tenth of 1000 numbers falls evenly on ten bins: chi-square of 9 degrees."""
    counts = [0] * 10
    for key in range(20):
        permutation = KeyedPermutation(1000, str(key))
        for index in range(100):
            counts[permutation(index) // 100] += 1
    chi_square = sum((count - 200) ** 2 / 200 for count in counts)
    assert chi_square < 27.9  # 99.9 %


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_blocks_cover_every_pair_of_a_growing_memory(growths: list[int], seed: int) -> None:
    rng = random.Random(seed)
    blocks, last, taken = [], 0, []
    for number, growth in enumerate(growths):
        first, end = num_pairs(last), num_pairs(last + growth)
        blocks.append(Block(first=first, num=end - first, key=str(number), counter=0))
        last += growth
        line = NumberLine(blocks)
        for _ in range(2):
            if (pair := line.take(rng.random())) is not None:
                assert line.visit_of(pair)[1] < blocks[line.visit_of(pair)[0]].counter
                taken.append(pair)
    while (pair := NumberLine(blocks).take(rng.random())) is not None:
        taken.append(pair)
    assert sorted(taken) == list(range(num_pairs(last)))
