"""What is known, and how it is cut and embedded."""

from typing import Literal

from pydantic import Field

from ddl_train.config.stage import Share, StageConfig


class MemoryConfig(StageConfig):
    """What is known: sources, their pieces, their vectors."""

    sources: list[str] = Field(min_length=1)
    """Files, folders, globs (Markdown, text, JSONL, Parquet; PDF, HTML and Office with the
    `documents` extra) and dataset directories."""
    text_column: str = "text"
    """Column or key that holds the text in JSONL, Parquet and datasets."""
    max_tokens: int = Field(120, gt=0)
    """Longest piece, in words (characters where there are no spaces between words)."""
    unit: Literal["sentence", "chunk"] = "chunk"
    """A concept is one sentence, or a piece of up to `max_tokens` split at natural bounds. As
    sentences, a table is one concept, and so is a code block, where they fit."""
    embedder: str = "hidden_states"
    """`hidden_states` of the base, `words` (hashed, long ones weigh more; neither downloads
    anything), or `sentence-transformers:NAME_OR_PATH`."""
    exact_up_to: int = Field(20_000, ge=0)
    """Concepts of documents up to which neighbours are searched exactly; above, through lists at a
    recall of 0.95, measured when they are made. Exact search costs as much as there are concepts,
    and a pair asks two or three times."""
    max_index_gb: float = Field(8.0, gt=0)
    """Host memory that the nearest-neighbour index may take, in GB; vectors that do not fit whole are
    compressed in it."""
    license: str | None = None
    """Licence of the sources, as the Hub spells it (`cc-by-4.0`); `publish` needs to know it."""
    held_out_share: Share = 0.1
    """Share of the source documents that wake and sleep never see, for retention: at least one of
    three or more, unless the share is 0."""
