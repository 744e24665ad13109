"""What is studied, trained on, and comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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
    """Version whose weights it began with: the one that a night went on from, or the whole night
    of which it is a share; None when trained from the frozen base."""
    num_rows: int
    num_insights: int
