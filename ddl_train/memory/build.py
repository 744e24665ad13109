"""How an index is made: streamed from the database, and measured before it is used.

One slice of vectors is in memory at a time, beside the index and the sample that its lists are
learned from. Of an approximate index the recall is measured on concepts chosen by a fixed seed:
their 10 nearest by exact search come out of the same stream that fills it.
"""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from faiss import METRIC_INNER_PRODUCT
from faiss.contrib.exhaustive_search import knn_ground_truth

from ddl_train.memory.index import VectorIndex
from ddl_train.memory.kinds import (
    CANDIDATES_PER_HIT,
    TARGET_RECALL,
    Kind,
    Limits,
    kinds_for,
    sample_size,
)
from ddl_train.memory.stored import StoredVectors
from ddl_train.records import FloatArray
from ddl_train.storage.cache import IdArray

GROWTH = 4
"""An approximate index that grew to so many times the rows it was built for is built anew."""

_NUM_QUERIES = 128
_NUM_NEAREST = 10
_SEED = 0

_logger = logging.getLogger(__name__)


def build_index(
    stored: StoredVectors, ids: IdArray, limits: Limits, *, num_documents: int
) -> VectorIndex:
    """The index that serves all stored vectors.

    Args:
        stored: of one embedder, with its mean fixed.
        ids: of all of them.
        limits: which kind serves how many.
        num_documents: how many of them come from documents: these decide.

    Raises:
        ResourceError: it cannot be held in `limits.max_bytes`.
    """
    assert stored.mean is not None
    width = len(stored.mean)
    *earlier, last = kinds_for(num_documents, width, limits)
    if last.is_exact:
        return _copy(stored, width)
    for kind in earlier:
        index = _make(stored, ids, kind, widest=kind.widest)
        if index.recall >= TARGET_RECALL:
            return index
    index = _make(stored, ids, last, widest=last.num_lists)
    if index.recall < TARGET_RECALL:
        _logger.warning(
            "the index of %d concepts (%s) finds %.0f %% of the nearest; more of them are found "
            "with a larger memory.max_index_gb",
            len(ids),
            index.factory,
            100 * index.recall,
        )
    return index


def is_right(index: VectorIndex, num_documents: int, limits: Limits) -> bool:
    """Whether an index is of a kind that serves so many, and was built for about as many."""
    is_of_kind = any(
        kind.serves(index.factory) for kind in kinds_for(num_documents, index.width, limits)
    )
    return is_of_kind and (index.is_exact or num_documents <= GROWTH * index.num_trained)


def _copy(stored: StoredVectors, width: int) -> VectorIndex:
    index = VectorIndex(width)
    for ids, vectors in stored.stream():
        index.add(ids, vectors)
    return index


def _make(stored: StoredVectors, ids: IdArray, kind: Kind, *, widest: int) -> VectorIndex:
    """An approximate index: trained, filled, and tuned up to an effort of `widest`."""
    assert stored.mean is not None
    index = VectorIndex(len(stored.mean), kind.factory)
    random = np.random.default_rng(_SEED)
    wanted = max(sample_size(kind.num_lists, index.width), 1)
    index.train(stored.fetch(_choose(random, ids, wanted)), len(ids))
    asked = _choose(random, ids, _NUM_QUERIES)
    queries = stored.fetch(asked)
    k = min(_NUM_NEAREST + 1, len(ids))
    exact: Any = knn_ground_truth
    _, rows = exact(queries, _fill(index, stored), k, METRIC_INNER_PRODUCT)
    nearest = np.array(
        [row[row != own][: k - 1] for row, own in zip(ids[rows], asked, strict=True)]
    )
    factor = 1 if index.is_whole else CANDIDATES_PER_HIT
    index.tune(queries, nearest, factor=factor, widest=widest)
    return index


def _fill(index: VectorIndex, stored: StoredVectors) -> Iterator[FloatArray]:
    """Add every stored vector, slice by slice, and pass each slice on."""
    for ids, vectors in stored.stream():
        index.add(ids, vectors)
        yield vectors


def _choose(random: np.random.Generator, ids: IdArray, number: int) -> IdArray:
    """Some of the ids, in order; all if there are no more."""
    if number >= len(ids):
        return ids
    return np.sort(random.choice(ids, size=number, replace=False))
