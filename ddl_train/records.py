"""The records that flow through a cycle, in the order they are made.

    Concept -> ConceptPair -> Proposal -> Scores -> Verdict -> Insight
            -> StudyItem -> TrainingRow -> AdapterVersion -> ItemResult -> EvalReport -> Promotion

All are frozen. Each knows where it came from. Stored facts are fields, the rest are properties.
The Protocols at the end name what a stage is handed: they are the seams between the folders.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

BASE = "base"
"""Name of the untouched base model wherever an adapter can be named."""

ConceptKind = Literal["document", "insight"]
AXES = ("novelty", "coherence", "utility")
"""What the critic scores, 1 to 10 each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A piece of a source document, before memory has it."""

    text: str
    source: str
    """Path of the file it came from, as given by the user, `#row` appended for JSONL and Parquet."""
    position: int
    """Ordinal of the piece within its source, from 0."""
    source_sha256: str
    """Of the whole source as read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """Something memory holds: a piece of a document, or an admitted insight."""

    concept_id: int
    """Dense, from 1, in order of arrival; never reused."""
    text: str
    kind: ConceptKind
    source: str
    position: int
    sha256: str
    """Of the normalised text (NFKC, casefolded, spaces joined)."""
    depth: int = 0
    """Lineage depth: 0 for documents, 1 + the deepest parent for insights."""
    strength: float = 1.0
    """Weight in strength-weighted sampling."""
    cycle: int = -1
    """Cycle in which it entered memory; -1 for what was there before the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptPair:
    """Two concepts drawn to be dreamt on, and how they came to be drawn."""

    pair_number: int
    """i(i-1)/2 + j for concept ids i > j, from 0; survives the growth of memory."""
    a: Concept
    b: Concept
    sampler: str
    """Name of the sampler that drew it."""
    probability: float
    """Chance of this pair in this draw under the mixture of samplers."""
    is_revisit: bool = False
    """True when an earlier adapter has already dreamt on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How an engine samples. `temperature` 0 is greedy."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    stop_after: str | None = None
    """Generation of a sequence ends once its text starts with this (the generator's NONE)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What calls to a model cost. Adds up with `+`."""

    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    seconds: float = 0.0
    flops: float = 0.0
    """Estimated: 2 x parameters x tokens forward; training adds its own factor."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            num_prompt_tokens=self.num_prompt_tokens + other.num_prompt_tokens,
            num_completion_tokens=self.num_completion_tokens + other.num_completion_tokens,
            seconds=self.seconds + other.seconds,
            flops=self.flops + other.flops,
        )

    @property
    def num_tokens(self) -> int:
        return self.num_prompt_tokens + self.num_completion_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model wrote after one prompt."""

    text: str
    """Decoded without special tokens, stripped."""
    num_prompt_tokens: int
    num_completion_tokens: int
    is_finished: bool
    """True when it ended with EOS (or `stop_after`) before `max_new_tokens`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """A continuation whose likelihood is asked for, after the user message `prompt`."""

    prompt: str
    """The user message, before the chat template."""
    continuation: str
    given: str = ""
    """Beginning of the answer that is given, not scored (a critic's stated reasoning)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Likelihood:
    """Log-likelihood of one continuation, in nats."""

    total: float
    num_tokens: int

    @property
    def mean(self) -> float:
        return self.total / max(self.num_tokens, 1)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The critic's opinion of one proposal: expected values on the 1-10 scale, from the logits."""

    novelty: float
    coherence: float
    utility: float
    support: float | None = None
    """Geometric mean probability of the conclusion's tokens under the frozen critic, given both
    concepts and the stated reasoning; 0 to 1. None when not asked for."""
    disagreement: float | None = None
    """Largest change of an axis when the criteria are listed in another order, in points."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyItem:
    """A question and its answer, written by the model from one insight."""

    insight_id: int
    kind: str
    """Template that asked for it without its prefix: restate, forward, reverse, ..."""
    question: str
    answer: str
    family: Literal["study", "probe"] = "study"
    """Study items may be trained on; probe items never are."""
    is_checked: bool = True
    """False when the frozen base, given the insight, does not answer so: such items are kept but
    never used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRow:
    """One row of a night: a user message and the answer the loss is taken on."""

    prompt: str
    completion: str
    origin: str
    """`new`, `replay`, `general` or `no_link`."""
    insight_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterVersion:
    """A LoRA adapter on disk, named by its content."""

    version: str
    """First 16 hex digits of the sha256 of its manifest."""
    path: Path
    cycle: int
    base: str
    """Name or path of the base model it belongs to."""
    base_sha256: str
    """Fingerprint of the base's config and weights index, so that another base is noticed."""
    parent: str | None
    """Version it was continued from; None when trained from the frozen base."""
    num_rows: int
    num_insights: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One held-out question. The form of a line in a probe file."""

    probe_id: str
    prompt: str
    """A question (rendered through the pack's `answer` template), or the whole user message when
    `is_raw`."""
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """Distractors, none of them right. Empty: the answer is generated and compared."""
    about: str | None = None
    """Statement that it asks about; items about something dreamt are reported apart."""
    kind: str = "question"
    context: tuple[str, ...] = ()
    is_raw: bool = False
    insight_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemResult:
    """One probe under one adapter. Pairs up across adapters by `probe_id`."""

    probe_id: str
    suite: str
    kind: str
    is_correct: bool
    margin: float
    """Mean log-likelihood of the best right answer minus the best distractor, in nats per token;
    for generated answers the mean log-likelihood of the right answer."""
    chance: float
    """Probability of being right by guessing; 0 for generated answers."""
    answer: str | None = None
    """What was generated or preferred."""
    cluster: str = ""
    """Resampling unit: items of one insight or one document share it."""
    is_dreamt: bool | None = None
    """True when an admitted insight states what it asks about; None when not known."""
    is_finished: bool | None = None
    """True when a generated answer came to an end by itself; None for ranked ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalReport:
    """All suites under one adapter."""

    adapter: str
    cycle: int
    items: tuple[ItemResult, ...]
    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Retention texts: name of the text set -> mean token loss of each text, in nats, in order."""
    missing: tuple[str, ...] = ()
    """Suites that were asked for and could not be measured, each with why."""
    usage: Usage = Usage()
    figures: Mapping[str, float] = field(default_factory=dict)
    """What is of all items of a suite and of none alone: `diversity/vendi_score` -> value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """The promotion gate's decision about one night."""

    candidate: str
    promoted: bool
    reasons: tuple[str, ...]
    """Every check in words, `ok: ...`, `warn: ...` or `refused: ...`, in the order they were
    made."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The figures behind the reasons."""
    decided_by: str = "gate"
    """`gate`, or `person` for `ddl-train promote` and `rollback`."""


class Engine(Protocol):
    """A model that can be run. Prompts are user messages; the chat format is the engine's."""

    name: str

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        """Complete each prompt, in order. Same seed, prompts and batch size: same texts on CPU."""
        ...

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        """Score each continuation, in order; EOS after the continuation is not counted."""
        ...

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        """Probability of each integer low..high as the whole answer, [n, high-low+1].

        Rows sum to 1 over these; exact where an integer is two tokens.
        """
        ...

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Mean-pooled last hidden states of the base: [n, width], not normalised."""
        ...

    def text_loss(self, texts: Sequence[str], *, adapter: str) -> tuple[list[Likelihood], Usage]:
        """Log-likelihood of plain texts, without the chat format."""
        ...


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    name: str
    """Identifies the embedding space; a change means that stored vectors are of no use."""

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Unit rows [n, width]."""
        ...


class Generator(Protocol):
    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        """One proposal for each pair, in order."""
        ...


class Critic(Protocol):
    def score(self, proposals: Sequence[Proposal]) -> tuple[list[Scores | None], Usage]:
        """Score each proposal, in order. None: the verdict could not be read."""
        ...

    def explain(self, proposals: Sequence[Proposal]) -> tuple[list[str], Usage]:
        """One sentence for each, in order. Asked only for what is admitted."""
        ...


class Prompts(Protocol):
    """The templates in which a language model is asked; `roles.prompts` loads them."""

    @property
    def none(self) -> str:
        """What a generator answers when there is no link."""
        ...

    def render(self, template: str, **variables: Any) -> str:
        """The user message of one template (`answer`, `propose`, ...)."""
        ...


class StageProgress(Protocol):
    """What one stage tells of its work while it goes on."""

    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        """`n` more items are done; `facts` (an admission rate, a loss) replace those shown.

        `total` is told by a stage that learns only at work how much there is.
        """
        ...


class SilentProgress:
    """A `Progress` that says nothing."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator["StageProgress"]:
        yield _SilentStage()


class _SilentStage:
    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        pass


class Progress(Protocol):
    """Who wants to know how far a run is.

    `report.progress` has one that draws bars, one that prints plain lines, and a silent one.
    """

    def stage(self, name: str, total: int | None) -> AbstractContextManager[StageProgress]:
        """Begin a stage of `total` items (None when not known); leaving the context ends it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """The nearest thing memory holds to a text."""

    concept_id: int
    cosine: float


JsonObject = dict[str, Any]
