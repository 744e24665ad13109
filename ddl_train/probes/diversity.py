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
    split = [units(text) for text in texts]
    scores = [0.0] * len(split)
    precisions = np.zeros((len(split), _ORDERS))
    for n in range(1, _ORDERS + 1):
        counts = [Counter(_grams(text, n)) for text in split]
        first, second = _two_largest(counts)
        for number, mine in enumerate(counts):
            shared = sum(
                min(count, second[gram] if first[gram][1] == number else first[gram][0])
                for gram, count in mine.items()
            )
            smooth = int(n > 1)
            precisions[number, n - 1] = (shared + smooth) / max(sum(mine.values()) + smooth, 1)
    for number, row in enumerate(precisions):
        scores[number] = float(np.exp(np.log(row).mean())) if (row > 0).all() else 0.0
    return scores


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


def _two_largest(
    counts: Sequence[Counter[Gram]],
) -> tuple[dict[Gram, tuple[int, int]], dict[Gram, int]]:
    """Of each n-gram the largest count and whose it is, and the largest count of anybody else."""
    first: dict[Gram, tuple[int, int]] = {}
    second: dict[Gram, int] = {}
    for number, mine in enumerate(counts):
        for gram, count in mine.items():
            best = first.get(gram, (0, -1))
            if count > best[0]:
                first[gram], second[gram] = (count, number), best[0]
            else:
                second[gram] = max(second.get(gram, 0), count)
    return first, second
