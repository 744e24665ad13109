"""Exact search by blocks finds what comparing everything finds."""

import numpy as np
import pytest

from ddl_train.memory import exact
from ddl_train.memory.exact import nearest_rows, search_exact
from ddl_train.memory.index import VectorIndex


@pytest.mark.parametrize(("rows", "queries", "k"), [(20_000, 300, 10), (9_000, 1, 1), (30, 5, 30)])
def test_the_nearest_by_blocks_are_the_nearest_of_all(rows: int, queries: int, k: int) -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((rows, 12), dtype=np.float32)
    asked = random.standard_normal((queries, 12), dtype=np.float32)
    products = asked @ matrix.T
    best, found = search_exact(matrix, asked, k)
    expected = np.argsort(-products, axis=1, kind="stable")[:, :k]
    assert np.array_equal(found, expected)
    assert np.allclose(best, np.take_along_axis(products, expected, axis=1), atol=1e-5)


def test_of_equal_vectors_the_first_come_first() -> None:
    matrix = np.ones((10_000, 4), dtype=np.float32)
    _, found = search_exact(matrix, matrix[:2], 5)
    assert found.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_a_large_index_searches_by_blocks_and_finds_itself() -> None:
    points = np.random.default_rng(0).standard_normal((20_500, 8), dtype=np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    index = VectorIndex(8)
    for start in (0, 20_000):
        part = points[start : start + 20_000]
        index.add(np.arange(start + 1, start + len(part) + 1), part)
    ids, cosines = index.search(points[[5, 20_400]], 1)
    assert ids.tolist() == [[6], [20_401]]
    assert np.allclose(cosines, 1, atol=1e-6)


def test_the_nearest_centre_is_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "_PRODUCTS_AT_ONCE", 1000)
    random = np.random.default_rng(0)
    centres = random.standard_normal((70, 12), dtype=np.float32)
    vectors = random.standard_normal((300, 12), dtype=np.float32)
    found = nearest_rows(centres, vectors)
    assert np.array_equal(found, np.argmax(vectors @ centres.T, axis=1))
