"""What memory holds, and the pairs it gives."""

from dataclasses import dataclass
from typing import Literal

ConceptKind = Literal["document", "insight"]


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
    stratum: str = ""
    """Part of the pair space that it lies in, as the sampler saw it; empty when none was asked."""
    operator: str = "connect"
    """What the generator is to do with the two: name of a template of the prompt pack."""
