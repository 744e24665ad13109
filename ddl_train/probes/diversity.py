"""Diversity: does it still have more than three jokes?

Measured on the ideas that one adapter has about fixed pairs, beside what the base has. Texts are
cut into words, or characters in scripts without spaces.

    distinct_1, distinct_2   different n-grams over all n-grams (Li et al., 2016)
    self_bleu                mean BLEU-4 of each idea against all others (Zhu et al., 2018)
    entropy                  of the words, in bits
    vendi_score              effective number of different ideas, from their embeddings
                             (Friedman and Dieng, 2023)
    near_duplicates          share of ideas whose conclusion is another's by cosine
    commonest_opening        share of the opening that most ideas begin with
    ideas                    share of pairs about which there was an idea at all
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ddl_train.probes.text import units
from ddl_train.records import FloatArray

_ORDERS = 4
_OPENING = 3

Gram = tuple[str, ...]


def diversity_figures(
    texts: Sequence[str], vectors: FloatArray, *, num_pairs: int, max_cosine: float
) -> dict[str, float]:
    """The figures above; those that need an idea, or two, are left out where there are none.

    Args:
        texts: the ideas, whole.
        vectors: unit rows, of their conclusions.
        num_pairs: that were dreamt on, those without an idea included.
        max_cosine: above it two conclusions are near-duplicates.
    """
    figures = {"ideas": len(texts) / num_pairs if num_pairs else 0.0}
    split = [units(text) for text in texts]
    words = Counter(word for one in split for word in one)
    if not words:
        return figures
    openings = Counter(tuple(one[:_OPENING]) for one in split)
    figures |= {
        "distinct_1": distinct(split, 1),
        "distinct_2": distinct(split, 2),
        "entropy": entropy(list(words.values())),
        "vendi_score": vendi_score(vectors),
        "near_duplicates": float(np.mean(is_near_duplicate(vectors, max_cosine))),
        "commonest_opening": max(openings.values()) / len(split),
    }
    if len(split) > 1:
        figures["self_bleu"] = float(np.mean(self_bleu(texts)))
    return figures


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """Different n-grams over all n-grams of all texts; 0 when there are none."""
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def entropy(counts: Sequence[int]) -> float:
    """Shannon entropy of a distribution, in bits."""
    total = sum(counts)
    return -sum(count / total * math.log2(count / total) for count in counts if count)


def self_bleu(texts: Sequence[str]) -> list[float]:
    """BLEU-4 of each text against all the others; 1 says what others say, 0 shares no word.

    Without brevity penalty, and with one added to both sides of each precision above unigrams
    (Lin and Och, 2004), so that short texts have a value too.
    """
    counted = [_counts(text) for text in texts]
    scores = []
    for number, mine in enumerate(counted):
        others = [one for place, one in enumerate(counted) if place != number]
        largest = [_largest([one[n] for one in others]) for n in range(_ORDERS)]
        scores.append(_bleu(mine, largest))
    return scores


def pairwise_bleu(texts: Sequence[str]) -> list[float]:
    """Mean BLEU-4 of each text against each other text: as `self_bleu`, whatever their number."""
    counted = [_counts(text) for text in texts]
    return [
        float(np.mean([_bleu(mine, one) for place, one in enumerate(counted) if place != number]))
        if len(counted) > 1
        else 0.0
        for number, mine in enumerate(counted)
    ]


def vendi_score(vectors: FloatArray) -> float:
    """Exponential of the entropy of the eigenvalues of the mean cosine matrix: 1 to n."""
    if len(vectors) == 0:
        return 0.0
    rows = vectors.astype(np.float64)
    values = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def is_near_duplicate(vectors: FloatArray, max_cosine: float) -> list[bool]:
    """Whether another row lies nearer than this."""
    if len(vectors) < 2:
        return [False] * len(vectors)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    return [bool(value) for value in cosines.max(axis=1) > max_cosine]


def _grams(text: Sequence[str], n: int) -> list[Gram]:
    return [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]


def _counts(text: str) -> list[Counter[Gram]]:
    """Of each order from 1 to 4."""
    split = units(text)
    return [Counter(_grams(split, n)) for n in range(1, _ORDERS + 1)]


def _largest(counts: Sequence[Counter[Gram]]) -> Counter[Gram]:
    """Of each n-gram the largest count in any text."""
    found: Counter[Gram] = Counter()
    for one in counts:
        found |= one
    return found


def _bleu(mine: Sequence[Counter[Gram]], theirs: Sequence[Counter[Gram]]) -> float:
    precisions = [
        (sum((a & b).values()) + int(n > 0)) / max(sum(a.values()) + int(n > 0), 1)
        for n, (a, b) in enumerate(zip(mine, theirs, strict=True))
    ]
    return float(np.exp(np.mean(np.log(precisions)))) if min(precisions) > 0 else 0.0
