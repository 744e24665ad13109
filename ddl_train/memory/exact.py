"""Exact search of many queries over many vectors, at the speed of the matrix product.

FAISS compares a query with each vector in turn (`IndexFlatIP`, faiss-cpu 1.15: 27 ns for 64 numbers
on one core, of which BLAS needs 2). Here blocks of products are made by BLAS, and of each block only
what beats the k-th best so far is looked at, which soon is next to nothing.
"""

import numpy as np

from ddl_train.records import FloatArray
from ddl_train.storage.cache import IdArray

_VECTORS_AT_ONCE = 8192
_QUERIES_AT_ONCE = 256
_PRODUCTS_AT_ONCE = 1 << 22


def search_exact(matrix: FloatArray, queries: FloatArray, k: int) -> tuple[FloatArray, IdArray]:
    """Inner products and rows of the k largest, largest first; of equal ones the first rows.

    Args:
        matrix: [rows, width], at least k rows.
        queries: [n, width]; any number, taken in slices of bounded memory.
        k: wanted of each.
    """
    parts = [
        _search(matrix, queries[start : start + _QUERIES_AT_ONCE], k)
        for start in range(0, len(queries), _QUERIES_AT_ONCE)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def nearest_rows(matrix: FloatArray, vectors: FloatArray) -> IdArray:
    """Of each vector the row with the largest inner product, [n]; of equal ones the first.

    Args:
        matrix: [rows, width], a few thousand rows: the centres of lists.
        vectors: [n, width]; any number.
    """
    size = max(1, _PRODUCTS_AT_ONCE // len(matrix))
    parts = [
        np.argmax(vectors[start : start + size] @ matrix.T, axis=1)
        for start in range(0, len(vectors), size)
    ]
    return np.concatenate(parts).astype(np.int64)


def _search(matrix: FloatArray, queries: FloatArray, k: int) -> tuple[FloatArray, IdArray]:
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    rows = np.zeros((len(queries), k), dtype=np.int64)
    for start in range(0, len(matrix), _VECTORS_AT_ONCE):
        products = queries @ matrix[start : start + _VECTORS_AT_ONCE].T
        floor = best[:, -1:]
        if start == 0 and products.shape[1] > k:
            floor = np.partition(products, -k - 1, axis=1)[:, -k - 1, None]
            floor = np.nextafter(floor, np.float32(-np.inf))
        places = np.flatnonzero(products > floor)
        if len(places):
            asked, found = np.divmod(places, products.shape[1])
            best, rows = _merge(best, rows, asked, products.ravel()[places], start + found)
    return best, rows


def _merge(
    best: FloatArray, rows: IdArray, asked: IdArray, values: FloatArray, new_rows: IdArray
) -> tuple[FloatArray, IdArray]:
    """The k best of those so far and of new (query, value, row) triples."""
    num_queries, k = best.shape
    of_query = np.concatenate([np.repeat(np.arange(num_queries), k), asked])
    all_values = np.concatenate([best.ravel(), values])
    all_rows = np.concatenate([rows.ravel(), new_rows])
    order = np.lexsort((-all_values, of_query))
    starts = np.searchsorted(of_query[order], np.arange(num_queries))
    chosen = order[starts[:, None] + np.arange(k)]
    return all_values[chosen], all_rows[chosen]
