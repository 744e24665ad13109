"""Fakes for what is slow or unsure: small, deterministic, and honest about being fakes.

EchoEngine(answer=lambda prompt: "NONE")        an engine that answers from a function
ScriptedGenerator(["a, so b", "NONE"])           proposals from a list of texts
TableCritic({"conclusion": (7, 8, 6)})           scores from a table
HashEmbedder()                                   texts that share words are near each other
a_concept(3), a_pair(1, 2), a_proposal("..."), an_insight(1), a_scores(...)
"""

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ddl_train.records import (
    BASE,
    Completion,
    Concept,
    ConceptKind,
    ConceptPair,
    Continuation,
    FloatArray,
    Insight,
    Likelihood,
    Proposal,
    Sampling,
    Scores,
    TextLoss,
    Usage,
)


def _cost(number: int) -> Usage:
    return Usage(num_prompt_tokens=10 * number, num_completion_tokens=number, flops=float(number))


class EchoEngine:
    """Answers from functions. By default it repeats the last line of the prompt."""

    name = "echo"
    base_sha256 = "0" * 64

    def __init__(
        self,
        *,
        answer: Callable[[str], str] = lambda prompt: prompt.splitlines()[-1],
        log_prob: Callable[[Continuation], float] = lambda item: -1.0,
        rating: Callable[[str], int] = lambda prompt: 5,
    ) -> None:
        """Set what it says.

        Args:
            answer: text for a prompt.
            log_prob: log-probability of each token (word) of a continuation.
            rating: the integer that gets all the probability.
        """
        self.answer = answer
        self.log_prob = log_prob
        self.rating = rating
        self.asked: list[str] = []
        """Every prompt it was given, in order."""
        self.adapters_used: list[str] = []

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        self.asked += prompts
        self.adapters_used.append(adapter)
        return [
            Completion(
                text=self.answer(prompt),
                num_prompt_tokens=len(prompt.split()),
                num_completion_tokens=len(self.answer(prompt).split()),
                is_finished=True,
            )
            for prompt in prompts
        ], _cost(len(prompts))

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        self.adapters_used.append(adapter)
        found = []
        for item in items:
            num_tokens = len(item.continuation.split())
            found.append(Likelihood(total=self.log_prob(item) * num_tokens, num_tokens=num_tokens))
        return found, _cost(len(items))

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        self.asked += prompts
        self.adapters_used.append(adapter)
        table = np.zeros((len(prompts), high - low + 1), dtype=np.float32)
        for row, prompt in zip(table, prompts, strict=True):
            row[self.rating(prompt) - low] = 1.0
        return table, _cost(len(prompts))

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        return HashEmbedder().embed(texts)

    def text_loss(self, texts: Sequence[str], *, adapter: str) -> tuple[list[TextLoss], Usage]:
        self.adapters_used.append(adapter)
        divergence = 0.0 if adapter == BASE else 0.1
        return [
            TextLoss(loss=2.0, divergence=divergence, num_tokens=len(text.split()))
            for text in texts
        ], _cost(len(texts))


class ScriptedGenerator:
    """Says the given texts one after another, over and over; `", so "` parts an idea."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = list(texts)
        self._next = 0

    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        proposals = []
        for pair in pairs:
            text = self._texts[self._next % len(self._texts)]
            self._next += 1
            proposals.append(a_proposal(text, pair=pair, adapter=adapter))
        return proposals, _cost(len(pairs))


class TableCritic:
    """Looks novelty, coherence and utility up by conclusion; `default` for what it lacks."""

    def __init__(
        self,
        table: Mapping[str, tuple[float, float, float]] | None = None,
        *,
        default: tuple[float, float, float] | None = (5.0, 5.0, 5.0),
    ) -> None:
        self._table = dict(table or {})
        self._default = default

    def screen(self, proposals: Sequence[Proposal]) -> tuple[list[float | None], Usage]:
        """The coherence of each."""
        scores, usage = self.score(proposals)
        return [one.coherence if one else None for one in scores], usage

    def score(
        self,
        proposals: Sequence[Proposal],
        *,
        screened: Sequence[float | None] | None = None,
    ) -> tuple[list[Scores | None], Usage]:
        found = [self._table.get(proposal.conclusion, self._default) for proposal in proposals]
        return [a_scores(*row) if row else None for row in found], _cost(len(proposals))

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        return [f"because {proposal.conclusion}" for proposal in proposals], _cost(len(proposals))


class HashEmbedder:
    """Sums a fixed random direction for each word: texts that share words are near."""

    def __init__(self, width: int = 64) -> None:
        self.name = f"hash:{width}"
        self._width = width

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        rows = np.stack([self._row(text) for text in texts]) if texts else np.zeros((0, 0))
        return np.asarray(rows, dtype=np.float32), _cost(len(texts))

    def _row(self, text: str) -> FloatArray:
        row = np.zeros(self._width)
        for word in re.findall(r"\w+", text.casefold()) or [text]:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            row += np.random.default_rng(seed).normal(size=self._width)
        return np.asarray(row / max(float(np.linalg.norm(row)), 1e-12), dtype=np.float32)


def a_concept(
    concept_id: int = 1, text: str = "", *, kind: ConceptKind = "document", depth: int = 0
) -> Concept:
    text = text or f"concept {concept_id}"
    return Concept(
        concept_id=concept_id,
        text=text,
        kind=kind,
        source="notes.md",
        position=concept_id,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        depth=depth,
    )


def a_pair(a: str = "", b: str = "", *, first: int = 2, second: int = 1) -> ConceptPair:
    return ConceptPair(
        pair_number=first * (first - 1) // 2 + second,
        a=a_concept(first, a),
        b=a_concept(second, b),
        sampler="uniform",
        probability=1.0,
    )


def a_proposal(text: str, *, pair: ConceptPair | None = None, adapter: str = BASE) -> Proposal:
    """An idea of the form `reasoning, so conclusion`; or NONE; or something that is neither."""
    reasoning, marker, conclusion = text.partition(", so ")
    return Proposal(
        pair=pair or a_pair(),
        text=text,
        reasoning=reasoning if marker else "",
        conclusion=conclusion,
        is_none=text == "NONE",
        adapter=adapter,
        num_prompt_tokens=20,
        num_completion_tokens=len(text.split()),
    )


def a_scores(
    novelty: float = 7.0,
    coherence: float = 7.0,
    utility: float = 7.0,
    *,
    support: float | None = None,
    rederived: float | None = None,
    disagreement: float | None = 0.0,
) -> Scores:
    return Scores(
        novelty=novelty,
        coherence=coherence,
        utility=utility,
        support=support,
        rederived=rederived,
        disagreement=disagreement,
    )


def an_insight(
    insight_id: int = 1,
    text: str = "zorol lowers vakase and high vakase causes miritis, so zorol may relieve miritis",
    *,
    cycle: int = 0,
    depth: int = 1,
    parents: tuple[int, int] = (1, 2),
) -> Insight:
    reasoning, _, conclusion = text.partition(", so ")
    return Insight(
        insight_id=insight_id,
        concept_id=100 + insight_id,
        text=text,
        reasoning=reasoning,
        conclusion=conclusion or text,
        parents=parents,
        depth=depth,
        cycle=cycle,
        adapter=BASE,
        scores=a_scores(),
        rationale=None,
        parent_texts=("zorol lowers vakase", "high vakase causes miritis"),
    )


def geometric(likelihood: Likelihood) -> float:
    """Geometric mean probability of a token."""
    return math.exp(likelihood.mean)
