"""The critic: the frozen base, or a model on a server, asked what an idea is worth.

Scores are read from the logits at the place where the number would stand, as the expected value
over 1 to 10: one forward pass, no text. Two further opinions are likelihoods, which admission weighs
apart from the axes: of the conclusion, given the concepts and the stated reasoning (support), and of
the whole idea, given the concepts in either order (rederived). What was misread when the idea was
written is misread in its scores too, and seldom again when the concepts change places.

The short critic asks one of these numbers, or a shorter question of the pack, before the rest.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ddl_train.config import WakeConfig
from ddl_train.records import (
    AXES,
    BASE,
    Continuation,
    FloatArray,
    Proposal,
    Sampling,
    Scores,
    ScoringModel,
    TextModel,
    Usage,
)
from ddl_train.roles.prompts import SCREEN, PromptPack

LOW, HIGH = 1, 10
SUPPORT = "support"
_RATIONALE = Sampling(max_new_tokens=60)


class LogitCritic:
    """Scores with a frozen model, whichever adapter dreamt; implements `records.Critic`."""

    def __init__(
        self,
        engine: ScoringModel,
        pack: PromptPack,
        config: WakeConfig,
        *,
        judge: TextModel | None = None,
    ) -> None:
        """Wire it up.

        Args:
            engine: the local base, or vLLM with the same weights, for the likelihoods.
            pack: prompts.
            config: says which likelihoods and whether a second order of the criteria are asked for.
            judge: gives axes and rationales in place of the base; a model on a server.
        """
        self._engine = engine
        self._judge = judge or engine
        self._pack = pack
        self._asks_support = config.min_support is not None
        self._asks_rederived = config.min_rederived is not None
        self._short = config.cascade.screen.ask if config.cascade.screen else None
        self._orders = [list(pack.axes)]
        if config.max_disagreement is not None:
            self._orders.append(list(reversed(pack.axes)))

    def screen(self, proposals: Sequence[Proposal]) -> tuple[list[float | None], Usage]:
        """The answer to what `wake.cascade.screen` asks, of each, in order.

        None: the model gave no usable number, or nothing is asked.
        """
        if not proposals or self._short is None:
            return [None] * len(proposals), Usage()
        if self._short == SUPPORT:
            supports, usage = self._supports(proposals)
            return list(supports), usage
        if self._short in self._pack.axes:
            prompts = [self._question(p, self._pack.axes, self._short) for p in proposals]
        else:
            prompts = [self._pack.render(SCREEN, **_texts(p)) for p in proposals]
        values, usage = self._numbers(prompts)
        return [float(one) if math.isfinite(one) else None for one in values], usage

    def score(
        self,
        proposals: Sequence[Proposal],
        *,
        screened: Sequence[float | None] | None = None,
    ) -> tuple[list[Scores | None], Usage]:
        """Score each proposal, in order. None: the model gave no usable numbers.

        What `screen` has found out of these proposals, and is a part of the scores, is not asked
        again.
        """
        if not proposals:
            return [], Usage()
        known: list[float | None] = [None] * len(proposals) if screened is None else [*screened]
        expected, usage = self._expected(proposals, known)
        supports: list[float | None] = known if self._short == SUPPORT else [None] * len(proposals)
        rederived: Sequence[float | None] = [None] * len(proposals)
        if self._asks_support:
            asked = [n for n, support in enumerate(supports) if support is None]
            found, more = self._supports([proposals[n] for n in asked])
            filled = dict(zip(asked, found, strict=True))
            supports = [filled.get(n, support) for n, support in enumerate(supports)]
            usage += more
        if self._asks_rederived:
            rederived, more = self._rederived(proposals)
            usage += more
        scores = [
            _read_scores(rows, self._pack.axes, support, again)
            for rows, support, again in zip(expected, supports, rederived, strict=True)
        ]
        return scores, usage

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        """One sentence for each, in order: the first line of a greedy answer of the base."""
        if not proposals:
            return [], Usage()
        prompts = [self._pack.render("rationale", **_texts(p)) for p in proposals]
        answers, usage = self._judge.generate(prompts, sampling=_RATIONALE, adapter=BASE, seed=0)
        return [answer.text.partition("\n")[0].strip() for answer in answers], usage

    def _expected(
        self, proposals: Sequence[Proposal], known: Sequence[float | None]
    ) -> tuple[FloatArray, Usage]:
        """Expected score of each proposal under each order on each axis: [n, orders, axes].

        The three questions about one idea follow one another and differ in their last words only,
        so that an engine can compute what they share once. `known` are answers to the short
        critic's axis in the first order.
        """
        axes = self._pack.axes
        table = np.full((len(proposals), len(self._orders), len(axes)), np.nan, dtype=np.float32)
        if self._short in axes:
            values = [math.nan if value is None else value for value in known]
            table[:, 0, axes.index(self._short)] = values
        asked = np.argwhere(np.isnan(table))
        prompts = [
            self._question(proposals[n], self._orders[order], axes[axis])
            for n, order, axis in asked.tolist()
        ]
        values_asked, usage = self._numbers(prompts)
        table[tuple(asked.T)] = values_asked
        return table, usage

    def _numbers(self, prompts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """The expected answer to each question; NaN where the model gave no usable numbers."""
        rows, usage = self._judge.integer_distribution(prompts, low=LOW, high=HIGH, adapter=BASE)
        expected = rows.astype(np.float64) @ np.arange(LOW, HIGH + 1)
        return np.asarray(expected, dtype=np.float32), usage

    def _question(self, proposal: Proposal, order: Sequence[str], axis: str) -> str:
        return self._pack.render("score", **_texts(proposal), axes=list(order), axis=axis)

    def _supports(self, proposals: Sequence[Proposal]) -> tuple[list[float], Usage]:
        """Geometric mean probability of each conclusion, given what was said before it."""
        items = [
            Continuation(
                prompt=self._pack.render("propose", a=p.pair.a.text, b=p.pair.b.text),
                continuation=p.conclusion,
                given=p.text[: p.text.rfind(p.conclusion)],
            )
            for p in proposals
        ]
        return self._probabilities(items)

    def _rederived(self, proposals: Sequence[Proposal]) -> tuple[list[float], Usage]:
        """Geometric mean probability of each idea, from the order that makes it less likely."""
        items = [
            Continuation(
                prompt=self._pack.render("propose", a=first.text, b=second.text),
                continuation=p.text,
            )
            for p in proposals
            for first, second in ((p.pair.a, p.pair.b), (p.pair.b, p.pair.a))
        ]
        found, usage = self._probabilities(items)
        lower = np.minimum(found[::2], found[1::2])  # keeps what is no number, whichever it is
        return [float(value) for value in lower], usage

    def _probabilities(self, items: Sequence[Continuation]) -> tuple[list[float], Usage]:
        likelihoods, usage = self._engine.loglikelihood(items, adapter=BASE)
        return [math.exp(found.mean) if found.num_tokens else 0.0 for found in likelihoods], usage


def _texts(proposal: Proposal) -> dict[str, str]:
    """What every question about an idea is given."""
    return {"a": proposal.pair.a.text, "b": proposal.pair.b.text, "idea": proposal.text}


def _read_scores(
    rows: FloatArray, axes: Sequence[str], support: float | None, rederived: float | None
) -> Scores | None:
    """Mean over the orders, and how much they differ. None when a number is missing."""
    if not np.isfinite(rows).all():
        return None
    values: Mapping[str, float] = dict(zip(axes, map(float, rows.mean(axis=0)), strict=True))
    spread = float((rows.max(axis=0) - rows.min(axis=0)).max()) if len(rows) > 1 else None
    return Scores(
        **{axis: values[axis] for axis in AXES},
        support=support,
        rederived=rederived,
        disagreement=spread,
    )
