"""The distribution over integers as an answer, exact however the tokenizer spells them.

The integers form a tree of token ids ("10" may go through "1"). An answer is "1" when "1" is
written and "10" is not what follows, so what flows on to longer integers is taken off.
"""

from collections.abc import Sequence

import numpy as np

from ddl_train.engines.scoring import Query
from ddl_train.records import FloatArray

Path = tuple[int, ...]


class IntegerTree:
    """Integers by their token ids, in the context of an answer."""

    def __init__(self, spellings: Sequence[Sequence[int]]) -> None:
        """Build the tree of the token ids of each integer, in order."""
        self._leaves: list[Path] = [tuple(ids) for ids in spellings]
        self._children: dict[Path, list[int]] = {}
        for ids in self._leaves:
            for depth in range(len(ids)):
                children = self._children.setdefault(ids[:depth], [])
                if ids[depth] not in children:
                    children.append(ids[depth])
        inner = self._children
        self._branches = sorted(
            path
            for path in inner
            if not any(len(other) > len(path) and other[: len(path)] == path for other in inner)
        )
        """Inner paths that are no beginning of another: each is read in one pass."""

    def queries(self, prompt: list[int]) -> list[Query]:
        """What to ask a model so that every step of every integer is known."""
        return [
            Query(
                [*prompt, *branch],
                [self._children[branch[:depth]] for depth in range(len(branch) + 1)],
            )
            for branch in self._branches
        ]

    @property
    def num_queries(self) -> int:
        return len(self._branches)

    def distribution(self, answers: Sequence[Sequence[Sequence[float]]]) -> FloatArray:
        """Probability of each integer, from the answers to `queries`; sums to 1."""
        step: dict[Path, float] = {}
        for branch, log_probs in zip(self._branches, answers, strict=True):
            for depth, row in enumerate(log_probs):
                here = branch[:depth]
                for token, value in zip(self._children[here], row, strict=True):
                    step[(*here, token)] = value
        masses = []
        for ids in self._leaves:
            reached = sum(step[ids[: depth + 1]] for depth in range(len(ids)))
            flows_on = sum(np.exp(step[(*ids, token)]) for token in self._children.get(ids, []))
            masses.append(np.exp(reached) * max(1.0 - flows_on, 0.0))
        total = float(np.sum(masses))
        if not np.isfinite(total) or total <= 0:
            return np.full(len(masses), np.nan, dtype=np.float32)
        return np.asarray(masses, dtype=np.float64).astype(np.float32) / np.float32(total)
