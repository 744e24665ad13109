"""Documents cut into pieces: sentences, or chunks at natural bounds.

Chunks are cut by semchunk, which knows paragraphs, sentences and clauses of scripts with spaces;
where there are none, sentence ends are made visible to it first. Sentences are found by their
terminators (also those of Chinese, Japanese, Hindi, Arabic) with a short list of abbreviations,
and may begin with a small letter, as notes do and as no splitter at hand allows;
Thai and Lao have no terminators, so there a line is a sentence. Tables and code are pieces of their
own, whole where they fit. `markdown.py` and `plain.py` make the blocks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from semchunk.semchunk import chunk

from ddl_train.config import MemoryConfig
from ddl_train.memory.text import NO_SPACES, count_tokens

BlockKind = Literal["text", "heading", "code", "table"]

_MARK = "\n\x00"
"""Stands after a sentence of a script without spaces while semchunk works. No source has NUL."""

_WIDE_END = re.compile(
    rf"([。！？｡][」』）】”’]*)(?=[^\s」』）】”’])|(?<=[{NO_SPACES}])([.!?])(?=[{NO_SPACES}])"
)
_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?…।؟۔])|(?<=[.!?…।؟۔][\"'”’)\]»]))\s+(?=\S)"  # a terminator, then a space
    r"|(?<=[。！？｡])(?![。！？｡」』）】”’\s])|(?<=[。！？｡][」』）】”’])(?=\S)"  # no space needed
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'])(?:[A-Z]|(?i:dr|mr|mrs|ms|prof|st|jr|sr|vs|cf|ca|al|ed|eds|e\.g|i\.e|approx|"
    r"resp|bzw|z\.b|d\.h))\.$"
)
_BEFORE_NUMBERS = re.compile(r"(?:^|[\s(\[])(?i:no|nos|fig|figs|eq|eqs|vol|c|p|pp|ch|sec)\.$")
_DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}$")
"""An abbreviation such as p.m. or U.S., which ends a sentence unless a small letter follows."""

_BULLET = re.compile(r"^\s*[-*+•‣◦·–]\s+")
LIST_ITEM = re.compile(rf"{_BULLET.pattern}|^\s*(?:\(?\d{{1,3}}[.)]|[a-z]\))\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A paragraph, a list item, a heading, a table with all its rows, or a piece of code."""

    text: str
    kind: BlockKind = "text"


class Splitter:
    """Cuts blocks into the pieces that a config asks for."""

    def __init__(self, config: MemoryConfig) -> None:
        self._config = config

    def split(self, blocks: list[Block]) -> list[str]:
        """Pieces in order. As sentences, headings above text are left out: they state nothing.

        A table is one piece, and so is a code block: a row or a line alone says little. A table
        that is too long is divided between rows, and each part begins with the first row.
        """
        blocks = [part for block in blocks for part in self._divided(block)]
        if self._config.unit == "chunk":
            headings = {block.text for block in blocks if block.kind == "heading"}
            whole = "\n\n".join(block.text for block in blocks)
            return _with_headings(self._chunks(whole), headings)
        has_text = any(block.kind != "heading" for block in blocks)
        return [
            piece
            for block in blocks
            if not (block.kind == "heading" and has_text)
            for piece in self._sentences(block)
        ]

    def _divided(self, block: Block) -> list[Block]:
        if block.kind != "table" or count_tokens(block.text) <= self._config.max_tokens:
            return [block]
        head, *rows = block.text.split("\n")
        parts: list[str] = []
        for row in rows:
            longer = f"{parts[-1]}\n{row}" if parts else ""
            if parts and count_tokens(longer) <= self._config.max_tokens:
                parts[-1] = longer
            else:
                parts.append(f"{head}\n{row}")
        return [Block(text=part, kind="table") for part in parts or [head]]

    def _sentences(self, block: Block) -> list[str]:
        is_whole = block.kind in ("code", "table")
        whole = [block.text] if is_whole else split_sentences(block.text)
        return [
            piece
            for sentence in whole
            for piece in (
                [sentence.strip()]
                if count_tokens(sentence) <= self._config.max_tokens
                else self._chunks(sentence)
            )
            if piece
        ]

    def _chunks(self, text: str) -> list[str]:
        marked = _WIDE_END.sub(lambda match: match.group(0) + _MARK, text)
        pieces = chunk(marked, self._config.max_tokens, count_tokens, memoize=False)
        clean = [str(piece).replace(_MARK, "").replace("\x00", "").strip() for piece in pieces]
        return [piece for piece in clean if piece]


def _with_headings(pieces: list[str], headings: set[str]) -> list[str]:
    """Put a heading that was cut off before the piece it stands above, even if that is full."""
    joined: list[str] = []
    waiting: list[str] = []
    for piece in pieces:
        if all(line in headings for line in piece.split("\n\n")):
            waiting.append(piece)
        else:
            joined.append("\n\n".join([*waiting, piece]))
            waiting = []
    return [*joined, "\n\n".join(waiting)] if waiting else joined


def split_sentences(text: str) -> list[str]:
    """Sentences of one paragraph."""
    sentences: list[str] = []
    for part in _SENTENCE_END.split(text):
        if sentences and _is_open(sentences[-1], part):
            sentences[-1] += " " + part
        else:
            sentences.append(part)
    return [sentence.strip() for sentence in sentences if sentence.strip()]


def _is_open(sentence: str, following: str) -> bool:
    """True when a full stop only marks an abbreviation."""
    if _ABBREVIATION.search(sentence):
        return True
    if following[:1].isdigit() and _BEFORE_NUMBERS.search(sentence):
        return True
    return bool(_DOTTED.search(sentence)) and following[:1].islower()


def without_bullet(line: str) -> str:
    return _BULLET.sub("", line)


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """A table as text: a line for each row, ` | ` between its cells, empty cells left out."""
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return "\n".join(" | ".join(row) for row in cells if row)


def join_lines(first: str, second: str) -> str:
    """Two lines of one paragraph as one; without a space between characters that need none."""
    first, second = first.rstrip(), second.lstrip()
    is_wide = re.search(rf"[{NO_SPACES}。、，！？]$", first) and re.match(rf"[{NO_SPACES}]", second)
    return first + second if is_wide else f"{first} {second}".strip()
