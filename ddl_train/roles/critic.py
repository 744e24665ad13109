"""The critic: the frozen base, or a model on a server, asked what an idea is worth.

Scores are read from the logits at the place where the number would stand, as the expected value
over 1 to 10: one forward pass, no text. A second, independent opinion is the likelihood of the
conclusion given the concepts and the stated reasoning; admission weighs it apart from the axes.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ddl_train.config import WakeConfig
from ddl_train.records import (
    AXES,
    BASE,
    Continuation,
    Engine,
    FloatArray,
    Proposal,
    Sampling,
    Scores,
    TextModel,
    Usage,
)
from ddl_train.roles.prompts import PromptPack

LOW, HIGH = 1, 10
_RATIONALE = Sampling(max_new_tokens=60)


class LogitCritic:
    """Scores with a frozen model, whichever adapter dreamt; implements `records.Critic`."""

    def __init__(
        self,
        engine: Engine,
        pack: PromptPack,
        config: WakeConfig,
        *,
        judge: TextModel | None = None,
    ) -> None:
        """Wire it up.

        Args:
            engine: the local base, for the likelihoods of support.
            pack: prompts.
            config: says whether support and a second order of the criteria are asked for.
            judge: gives axes and rationales in place of the base; a model on a server.
        """
        self._engine = engine
        self._judge = judge or engine
        self._pack = pack
        self._asks_support = config.min_support is not None
        self._orders = [list(pack.axes)]
        if config.max_disagreement is not None:
            self._orders.append(list(reversed(pack.axes)))

    def score(self, proposals: Sequence[Proposal]) -> tuple[list[Scores | None], Usage]:
        """Score each proposal, in order. None: the model gave no usable numbers."""
        if not proposals:
            return [], Usage()
        expected, usage = self._expected(proposals)
        supports: list[float | None] = [None] * len(proposals)
        if self._asks_support:
            supports, more = self._supports(proposals)
            usage += more
        scores = [
            _read_scores(rows, self._pack.axes, support)
            for rows, support in zip(expected, supports, strict=True)
        ]
        return scores, usage

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        """One sentence for each, in order: the first line of a greedy answer of the base."""
        if not proposals:
            return [], Usage()
        prompts = [
            self._pack.render("rationale", a=p.pair.a.text, b=p.pair.b.text, idea=p.text)
            for p in proposals
        ]
        answers, usage = self._judge.generate(prompts, sampling=_RATIONALE, adapter=BASE, seed=0)
        return [answer.text.partition("\n")[0].strip() for answer in answers], usage

    def _expected(self, proposals: Sequence[Proposal]) -> tuple[FloatArray, Usage]:
        """Expected score of each proposal under each order on each axis: [n, orders, axes].

        The three questions about one idea follow one another and differ in their last words only,
        so that an engine can compute what they share once.
        """
        prompts = [
            self._pack.render(
                "score", a=p.pair.a.text, b=p.pair.b.text, idea=p.text, axes=order, axis=axis
            )
            for p in proposals
            for order in self._orders
            for axis in self._pack.axes
        ]
        table, usage = self._judge.integer_distribution(prompts, low=LOW, high=HIGH, adapter=BASE)
        expected = table.astype(np.float64) @ np.arange(LOW, HIGH + 1)
        shape = (len(proposals), len(self._orders), len(self._pack.axes))
        return np.asarray(expected.reshape(shape), dtype=np.float32), usage

    def _supports(self, proposals: Sequence[Proposal]) -> tuple[list[float | None], Usage]:
        """Geometric mean probability of each conclusion, given what was said before it."""
        items = [
            Continuation(
                prompt=self._pack.render("propose", a=p.pair.a.text, b=p.pair.b.text),
                continuation=p.conclusion,
                given=p.text[: p.text.rfind(p.conclusion)],
            )
            for p in proposals
        ]
        likelihoods, usage = self._engine.loglikelihood(items, adapter=BASE)
        return [math.exp(found.mean) if found.num_tokens else 0.0 for found in likelihoods], usage


def _read_scores(rows: FloatArray, axes: Sequence[str], support: float | None) -> Scores | None:
    """Mean over the orders, and how much they differ. None when a number is missing."""
    if not np.isfinite(rows).all():
        return None
    values: Mapping[str, float] = dict(zip(axes, map(float, rows.mean(axis=0)), strict=True))
    spread = float((rows.max(axis=0) - rows.min(axis=0)).max()) if len(rows) > 1 else None
    return Scores(**{axis: values[axis] for axis in AXES}, support=support, disagreement=spread)
