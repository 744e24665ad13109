"""What was measured of an adapter, as figures. `report.evidence` reads it from a run.

Nothing here quotes a question, an answer or a source.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ddl_train.records import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounded:
    """A figure with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteResult:
    """Share right of one suite of held-out questions, 0 to 1."""

    suite: str
    title: str
    num_items: int
    chance: float
    """Share right expected from guessing."""
    adapter: Bounded
    base: Bounded
    difference: Bounded
    """Adapter less base on the same items, resampled by cluster."""
    num_lost: int
    """Items that the base answered right and the adapter does not."""
    num_won: int
    is_less_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LossResult:
    """Mean token loss on one set of held-out texts, in nats."""

    texts: str
    num_texts: int
    adapter: float
    base: float
    rise: Bounded


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """One cycle: what was dreamt, and what became of its night."""

    cycle: int
    num_pairs: int
    num_ideas: int
    num_admitted: int
    is_promoted: bool | None
    """None when the gate has not decided."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bought:
    """What distilling has bought; of each the teacher's and the student's."""

    base_parameters: tuple[int, int]
    parameters: tuple[int, int]
    """Of the adapters."""
    num_bytes: tuple[int, int]
    tokens_per_second: tuple[float, float]
    kept: float | None
    """Share of the teacher's gain; None when it was not measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All that a card says of one adapter."""

    run: str
    version: str
    teacher: str | None
    """Version it was distilled from; None for the adapter of a night."""
    bought: Bought | None
    """None for the adapter of a night."""
    is_current: bool
    cycle: int
    nights: tuple[Night, ...]
    """Up to the one that made the adapter."""
    num_sources: int
    num_rows: int
    num_insights: int
    """That it was trained on."""
    wake_tokens: float
    """Read and written awake, all cycles: the daydreaming tax."""
    suites: tuple[SuiteResult, ...]
    losses: tuple[LossResult, ...]
    reasons: tuple[str, ...]
    """The gate's checks, in sentences."""
    decided_by: str
    missing: tuple[str, ...]
    """Suites that could not be measured, and why."""
    reports: Mapping[str, JsonObject]
    """File name -> report of the adapter and of the base, with every item and no text."""
    lineage: JsonObject
    """What the adapter rests on, by numbers and hashes."""
