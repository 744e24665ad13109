"""What is asked of an adapter, and what the gate makes of the answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ddl_train.records.model import Usage


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
    is_tonight: bool | None = None
    """True when the adapter in use was not trained on the insight; None outside of uptake."""
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
    divergences: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of the same texts: mean token KL(adapter || base), in nats; 0 for the base itself."""
    missing: tuple[str, ...] = ()
    """Suites that were asked for and could not be measured, each with why."""
    usage: Usage = field(default_factory=Usage)
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
