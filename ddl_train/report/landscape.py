"""Memory as a map: stored vectors in two dimensions, with dreams as edges.

The axes are the first two principal components of the vectors, by singular value decomposition of
a fixed sample. A map of so few dimensions shows neighbourhoods, not distances; how much of the
variance it holds is told with it. Cosines are those of memory: of centred vectors.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from ddl_train.memory.reading import select_in
from ddl_train.records import Concept, FloatArray, Insight
from ddl_train.storage.run import Run

FIT_ON = 1500
"""Vectors that the components are found from, at most."""
_AT_ONCE = 2000
_SMALLEST_NORM = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Landscape:
    """Places of concepts on the map."""

    places: dict[int, tuple[float, float]]
    """Concept id -> coordinates along the two components."""
    variance: float
    """Share of the variance that the two components hold, 0 to 1."""
    num_concepts: int
    """How many there are in memory, on the map or not."""


def read_landscape(
    run: Run, concepts: Sequence[Concept], insights: Sequence[Insight], *, most: int
) -> Landscape | None:
    """Place up to `most` concepts: insights, then what they rest on, then a sample of the rest.

    None when fewer than three concepts have a vector, or all lie in one place.
    """
    shown = _chosen([one.concept_id for one in concepts], insights, most)
    fit = np.array([vector for _, vector in _centred(run, _sample(shown, FIT_ON))])
    if len(fit) < 3:
        return None
    middle = fit.mean(axis=0)
    _, spread, axes = np.linalg.svd(fit - middle, full_matrices=False)
    total = float((spread**2).sum())
    if total <= _SMALLEST_NORM:
        return None
    axes = axes[:2]
    # the sign of a component is arbitrary: its largest entry is made positive
    axes = axes * np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    places = {}
    for concept_id, vector in _centred(run, shown):
        x, y = axes @ (vector - middle)
        places[concept_id] = (float(x), float(y))
    return Landscape(
        places=places,
        variance=float((spread[:2] ** 2).sum()) / total,
        num_concepts=len(concepts),
    )


def parent_cosines(run: Run, insights: Sequence[Insight]) -> dict[int, float]:
    """Insight id -> cosine of its two parents; insights whose parents have no vector are left out."""
    parents = sorted({parent for one in insights for parent in one.parents})
    units = dict(_centred(run, parents))
    return {
        one.insight_id: float(units[one.parents[0]] @ units[one.parents[1]])
        for one in insights
        if one.parents[0] in units and one.parents[1] in units
    }


def _chosen(ids: Sequence[int], insights: Sequence[Insight], most: int) -> list[int]:
    """Ids in the order of arrival, the same ones each time."""
    own = _sample([one.concept_id for one in insights], most)
    kept = dict.fromkeys(own)
    of_concept = {one.concept_id: one for one in insights}
    for concept_id in own:
        kept |= dict.fromkeys(of_concept[concept_id].parents)
    rest = [concept_id for concept_id in ids if concept_id not in kept]
    return sorted([*list(kept)[:most], *_sample(rest, max(most - len(kept), 0))])


def _sample(ids: Sequence[int], most: int) -> list[int]:
    return list(ids) if len(ids) <= most else sorted(Random(0).sample(list(ids), most))


def _centred(run: Run, ids: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
    """Vectors of the concepts that have one, the run's mean off and of length 1."""
    row = run.database.execute(
        "SELECT vector FROM means WHERE embedder = (SELECT embedder FROM embeddings LIMIT 1)"
    ).fetchone()
    if row is None:
        return
    mean = np.frombuffer(row["vector"], dtype="<f4")
    for start in range(0, len(ids), _AT_ONCE):
        part: Iterable[int] = ids[start : start + _AT_ONCE]
        select = "SELECT concept_id, vector FROM embeddings WHERE concept_id IN "
        for row in select_in(run.database, select, list(part)):
            yield row["concept_id"], _unit(np.frombuffer(row["vector"], dtype="<f4") - mean)


def _unit(vector: NDArray[np.float32]) -> FloatArray:
    return vector / np.float32(max(float(np.linalg.norm(vector)), _SMALLEST_NORM))
