"""Diversity figures on texts whose value is known."""

import math

import numpy as np
import pytest

from ddl_train.probes.diversity import (
    distinct,
    diversity_figures,
    entropy,
    is_near_duplicate,
    pairwise_bleu,
    self_bleu,
    vendi_score,
)
from ddl_train.records import FloatArray

SAME = ["zorol may relieve miritis today"] * 4
DIFFERENT = [
    "zorol may relieve miritis today",
    "bees build cells with six sides",
    "roads join two far off cities",
    "睡眠中大脑会整理记忆",
]


def rows(*values: list[float]) -> FloatArray:
    return np.array(values, dtype=np.float32)


def figures(texts: list[str], vectors: FloatArray, num_pairs: int = 8) -> dict[str, float]:
    return diversity_figures(texts, vectors, num_pairs=num_pairs, max_cosine=0.98)


def test_distinct_counts_different_over_all() -> None:
    assert distinct([["a", "b"], ["a", "c"]], 1) == 3 / 4
    assert distinct([["a", "b"], ["a", "b"]], 2) == 1 / 2
    assert distinct([["a"]], 2) == 0


def test_entropy_is_in_bits() -> None:
    assert entropy([5, 5]) == 1
    assert entropy([7]) == 0
    assert entropy([1, 1, 1, 1]) == 2


def test_the_vendi_score_is_the_number_of_different_rows() -> None:
    assert vendi_score(rows([1, 0, 0], [0, 1, 0], [0, 0, 1])) == pytest.approx(3)
    assert vendi_score(rows([1, 0, 0], [1, 0, 0], [1, 0, 0])) == pytest.approx(1)
    two = vendi_score(rows([1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]))
    assert two == pytest.approx(2, abs=1e-6)


def test_one_joke_told_four_times_is_its_own_reference() -> None:
    assert self_bleu(SAME) == pytest.approx([1.0] * 4)


def test_texts_that_share_no_word_have_no_bleu() -> None:
    assert self_bleu(DIFFERENT) == [0.0] * 4


def test_a_word_said_once_elsewhere_counts_once() -> None:
    once, twice = self_bleu(["a b", "a a"])
    # unigrams 1/2 and smoothed (0+1)/(1+1), then (0+1)/(0+1) twice
    assert once == pytest.approx((1 / 2 * 1 / 2) ** 0.25)
    assert twice == pytest.approx((1 / 2 * 1 / 2) ** 0.25)


def test_pairwise_overlap_does_not_grow_with_the_number_of_texts() -> None:
    many = DIFFERENT[:2] * 5 + DIFFERENT[2:3]
    assert pairwise_bleu(SAME) == pytest.approx([1.0] * 4)
    assert pairwise_bleu(["alone"]) == [0.0]
    assert self_bleu(many)[0] == pytest.approx(1.0)
    assert pairwise_bleu(many)[0] == pytest.approx(4 / 10)


def test_near_duplicates_are_those_with_a_twin() -> None:
    assert is_near_duplicate(rows([1, 0], [0, 1], [1, 0]), 0.98) == [True, False, True]
    assert is_near_duplicate(rows([1, 0]), 0.98) == [False]
    assert is_near_duplicate(np.zeros((0, 1), dtype=np.float32), 0.98) == []


def test_a_collapsed_adapter_shows_in_every_figure() -> None:
    one = rows(*[[1.0, 0.0, 0.0, 0.0]] * 4)
    many = np.eye(4, dtype=np.float32)
    collapsed, free = figures(SAME, one), figures(DIFFERENT, many)
    for name in ("distinct_1", "distinct_2", "entropy", "vendi_score"):
        assert collapsed[name] < free[name]
    for name in ("self_bleu", "near_duplicates", "commonest_opening"):
        assert collapsed[name] > free[name]
    assert free["near_duplicates"] == 0
    assert collapsed["near_duplicates"] == 1
    assert collapsed["ideas"] == free["ideas"] == 0.5
    assert all(math.isfinite(value) for value in [*collapsed.values(), *free.values()])


def test_an_adapter_without_ideas_has_none_to_compare() -> None:
    assert figures([], np.zeros((0, 1), dtype=np.float32)) == {"ideas": 0.0}
