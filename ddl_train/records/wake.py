"""What is dreamt, judged and admitted."""

import math
from dataclasses import dataclass

from ddl_train.records.memory import ConceptPair

AXES = ("novelty", "coherence", "utility")
"""What the critic scores, 1 to 10 each."""
LIKELIHOODS = ("support", "rederived")
"""What else it can be asked for, 0 to 1 each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What the generator said about a pair."""

    pair: ConceptPair
    text: str
    reasoning: str
    """Part of the text before the conclusion; empty when the text does not parse."""
    conclusion: str
    """What becomes a concept if admitted; empty for NONE or when the text does not parse."""
    is_none: bool
    """True when the generator said that there is no link."""
    adapter: str
    """Version that dreamt it, or `base`."""
    num_prompt_tokens: int
    num_completion_tokens: int
    is_finished: bool = True
    """False when it was cut off at `max_new_tokens`."""
    given_up: str | None = None
    """Why the generator did not write it to its end; a verdict keeps it as the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The critic's opinion of one proposal: expected values on the 1-10 scale, from the logits."""

    novelty: float
    coherence: float
    utility: float
    support: float | None = None
    """Geometric mean probability of the conclusion's tokens under the frozen critic, given both
    concepts and the stated reasoning; 0 to 1. None when not asked for."""
    rederived: float | None = None
    """Geometric mean probability of the whole idea's tokens under the frozen critic, given the
    concepts in the order that makes it less likely; 0 to 1. None when not asked for."""
    disagreement: float | None = None
    """Largest change of an axis when the criteria are listed in another order, in points."""

    @property
    def likelihood(self) -> float:
        """Product of the likelihoods that were asked for; 1 where none was."""
        return math.prod(x for x in (self.support, self.rederived) if x is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The critic's scores for one proposal, and whether the admission gate let it in."""

    proposal: Proposal
    scores: Scores | None
    """None when a guard refused it before the critic, or the critic's reply could not be read."""
    rejected_because: str | None = None
    """Rule that refused it, first word a stable name (`none: ...`, `coherence: ...`). None means
    admitted."""
    rationale: str | None = None
    """One sentence why, generated for what is admitted."""
    audit: str | None = None
    """None: the cascade decided. Otherwise the full critic was asked whatever the cascade said, and
    this is what it would have refused the proposal for; empty when it would have let it pass."""

    @property
    def admitted(self) -> bool:
        return self.rejected_because is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Insight:
    """An admitted proposal. Its conclusion is also a concept."""

    insight_id: int
    concept_id: int
    """The concept that its conclusion became."""
    text: str
    reasoning: str
    conclusion: str
    parents: tuple[int, int]
    """Concept ids of the pair."""
    depth: int
    cycle: int
    adapter: str
    scores: Scores
    rationale: str | None
    parent_texts: tuple[str, str]
    strength: float = 1.0
