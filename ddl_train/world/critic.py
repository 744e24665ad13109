"""A critic that knows the truth: the ceiling for any critic that has to guess it.

It is handed to a run from outside, like any other critic; the run does not know where it looks.
"""

from collections.abc import Sequence

from ddl_train.records import Proposal, Scores, Usage
from ddl_train.world.language import canonical
from ddl_train.world.oracle import Oracle, Truth

SCORES: dict[Truth, tuple[float, float, float]] = {
    "true": (9.0, 9.5, 9.0),
    "already_stated": (1.0, 9.5, 3.0),
    "contested": (5.0, 3.0, 3.0),
    "unsupported": (5.0, 1.5, 2.0),
    "false": (5.0, 1.0, 1.0),
    "unreadable": (1.0, 1.0, 1.0),
}
"""Novelty, coherence and utility. Only what is true passes every threshold of the gate."""


class OracleCritic:
    """Scores each conclusion by its truth; what was reasoned does not matter."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def screen(self, proposals: Sequence[Proposal]) -> tuple[list[float | None], Usage]:
        """The coherence of each, in order."""
        return [self._score(proposal).coherence for proposal in proposals], Usage()

    def score(
        self,
        proposals: Sequence[Proposal],
        *,
        screened: Sequence[float | None] | None = None,
    ) -> tuple[list[Scores | None], Usage]:
        """Score each proposal, in order."""
        return [self._score(proposal) for proposal in proposals], Usage()

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        """Name two statements that each conclusion follows from, or why it does not."""
        return [self._explain(proposal) for proposal in proposals], Usage()

    def _score(self, proposal: Proposal) -> Scores:
        truth = self._oracle.judge(proposal.conclusion).truth
        novelty, coherence, utility = SCORES[truth]
        certain = 1.0 if truth in ("true", "already_stated") else 0.0
        return Scores(
            novelty=novelty,
            coherence=coherence,
            utility=utility,
            support=certain,
            rederived=certain,
            disagreement=0.0,
        )

    def _explain(self, proposal: Proposal) -> str:
        judged = self._oracle.judge(proposal.conclusion)
        if judged.truth != "true" or judged.fact is None:
            return judged.truth.replace("_", " ")
        way = min(self._oracle.derivations(judged.fact), key=lambda way: way.depth)
        return f"follows from: {canonical(way.first)}; {canonical(way.second)}"
