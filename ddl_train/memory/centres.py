"""Centres of an index's lists, by k-means over a sample: at once, or for many lists in two levels.

One level compares every vector of the sample with every centre: for 32,768 lists of width 16 that
is an hour of one core. Two levels (`faiss.contrib.clustering`) cut the sample into some parts and
each part into lists of its own, in a minute.
"""

from math import isqrt
from typing import Any

import faiss
import numpy as np
from faiss.contrib.clustering import two_level_clustering

from ddl_train.memory.kinds import TRAINED_PER_LIST
from ddl_train.records import FloatArray

_NUM_ITERATIONS = 10
_TWO_LEVELS_FROM = 4096
"""Lists."""

_two_level_clustering: Any = two_level_clustering


def place_centres(index: Any, sample: FloatArray) -> None:
    """Prepare a FAISS index with lists for `train`, which makes what centres are missing.

    Args:
        index: an `IndexIVF` without vectors.
        sample: unit vectors [n, width] to learn from.
    """
    index.cp.niter = _NUM_ITERATIONS
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = TRAINED_PER_LIST
    if index.nlist < _TWO_LEVELS_FROM:
        return
    try:
        centres, _ = _two_level_clustering(
            sample,
            isqrt(index.nlist),
            index.nlist,
            clustering_niter=_NUM_ITERATIONS,
            spherical=True,
            min_points_per_centroid=1,
        )
    except (AssertionError, RuntimeError):  # a part holds fewer vectors than its lists
        return
    centres = np.asarray(centres, dtype=np.float32)
    faiss.normalize_L2(centres)
    index.quantizer.add(centres)
