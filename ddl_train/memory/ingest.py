"""Sources as the user names them -> chunks for memory.

A source is a file, a folder (read through, hidden names left out), a glob, or a directory that
`datasets` saved. What is named by itself must be readable and hold text. In a folder or a glob,
files of an unknown kind and files without text are passed over and counted; a file that ought to
be text and is not (binary, not UTF-8, not to be opened) is an error there too, because leaving it
out in silence would lose something. Links to folders are not followed.
"""

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddl_train.config import MemoryConfig
from ddl_train.errors import SourceError
from ddl_train.memory.markdown import markdown_blocks
from ddl_train.memory.plain import plain_blocks
from ddl_train.memory.readers import (
    SUFFIXES,
    Document,
    check_regular,
    is_dataset,
    read_documents,
)
from ddl_train.memory.sources import check_enough
from ddl_train.memory.split import Splitter
from ddl_train.memory.stamps import Stamp, stamp_of
from ddl_train.memory.text import text_sha256
from ddl_train.records import Chunk


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was read. Iterates over the chunks."""

    chunks: tuple[Chunk, ...]
    copies: tuple[str, ...]
    """Documents whose text another one before them has, each with that one."""
    num_duplicate_chunks: int
    """Pieces whose normalised text stood before; memory keeps one."""
    skipped: tuple[str, ...]
    """Files passed over, each with why."""
    stamps: tuple[Stamp, ...] = ()
    """Of the files that were read, for `Memory.keep_stamps`."""

    def left_out(self) -> str:
        """What was not taken, in one sentence; empty when all was."""
        parts = [_some("passed over", self.skipped), _some("copies", self.copies)]
        if self.num_duplicate_chunks:
            pieces = "piece stands" if self.num_duplicate_chunks == 1 else "pieces stand"
            parts.append(f"{self.num_duplicate_chunks:,} {pieces} there already, kept once")
        return "; ".join(part for part in parts if part)

    def left_out_sha256(self) -> str:
        """Changes when anything else is not taken, also beyond the names that are said."""
        facts = "\n".join([*self.skipped, *self.copies, str(self.num_duplicate_chunks)])
        return hashlib.sha256(facts.encode()).hexdigest()

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self.chunks)

    def __len__(self) -> int:
        return len(self.chunks)


def read_sources(
    sources: Sequence[str],
    config: MemoryConfig,
    *,
    known: Mapping[str, str] | None = None,
    stamps: Mapping[str, str] | None = None,
) -> Reading:
    """Read sources and cut them into pieces.

    Args:
        sources: files, folders, globs, dataset directories.
        config: how to cut, and which column holds the text.
        known: source -> hash of what memory has (`Memory.known_sources`); what has not changed is
            read but not cut.
        stamps: path -> stamp of files that memory holds whole (`Memory.stamps`); what has not
            changed is not even opened.

    Raises:
        SourceError: a source is missing, unreadable, not text or empty, or all of them together,
            where nothing is known yet, give fewer than two pieces, or one document and its copies.
    """
    known, stamps = known or {}, stamps or {}
    splitter = Splitter(config)
    chunks: list[Chunk] = []
    skipped: list[str] = []
    copies: list[str] = []
    first_of: dict[str, str] = {}
    found: list[Stamp] = []
    for path, is_named in _files(sources, skipped):
        stamp = stamp_of(path)
        if stamp is not None and stamps.get(str(path)) == stamp:
            continue
        documents: dict[str, str] = {}
        for document in read_documents(path, column=config.text_column):
            documents[document.source] = document.sha256
            first = first_of.setdefault(document.sha256, document.source)
            if first != document.source:
                copies.append(f"{document.source} (as {first})")
            if known.get(document.source) != document.sha256:
                chunks += _cut(document, splitter)
        if not documents:
            if is_named:
                raise SourceError(f"{path}: holds no text")
            skipped.append(f"{path} (holds no text)")
        elif stamp is not None:
            found.append(Stamp(path=str(path), value=stamp, documents=documents))
    num_distinct = len({text_sha256(chunk.text) for chunk in chunks})
    reading = Reading(
        chunks=tuple(chunks),
        copies=tuple(copies),
        num_duplicate_chunks=len(chunks) - num_distinct,
        skipped=tuple(skipped),
        stamps=tuple(found),
    )
    if not known:
        _check_first(reading, list(first_of.values()), num_distinct)
    return reading


def _check_first(reading: Reading, documents: Sequence[str], num_distinct: int) -> None:
    """Refuse what is too little to begin with; `documents` are the sources that are no copies."""
    if reading.copies and len(documents) == 1:
        raise SourceError(
            f"the sources hold a single document, {documents[0]}, and copies "
            f"of it; add documents that say something else ({reading.left_out()})"
        )
    check_enough(num_distinct, reading.left_out())


def _some(what: str, names: Sequence[str], most: int = 3) -> str:
    """Names up to a number, and how many more; empty when there are none."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{what}: {', '.join(names[:most])}{more}" if names else ""


def _cut(document: Document, splitter: Splitter) -> list[Chunk]:
    is_markdown = document.form == "markdown"
    blocks = markdown_blocks(document.text) if is_markdown else plain_blocks(document.text)
    sha256 = document.sha256
    return [
        Chunk(text=text, source=document.source, position=position, source_sha256=sha256)
        for position, text in enumerate(splitter.split(blocks))
    ]


def _files(sources: Sequence[str], skipped: list[str]) -> Iterator[tuple[Path, bool]]:
    """Files in a stable order, each once, and whether it was named by itself."""
    seen: set[str] = set()
    for source in sources:
        for path, is_named in _expand(source, skipped):
            if os.fspath(path) not in seen:
                seen.add(os.fspath(path))
                yield path, is_named


def _expand(source: str, skipped: list[str]) -> Iterator[tuple[Path, bool]]:
    if not source.strip():
        raise SourceError("a source is empty; expected a file, a folder or a glob")
    path = Path(source)
    if not os.path.lexists(path) and glob.has_magic(source):
        found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - absolute patterns
        if not found:
            raise SourceError(f"{source}: no file matches")
        for name in found:
            yield from _in_folder(Path(name), skipped)
    elif path.is_dir():
        yield from _in_folder(path, skipped)
    else:
        check_regular(path)
        yield path, True


def _in_folder(path: Path, skipped: list[str]) -> Iterator[tuple[Path, bool]]:
    """What a folder or the match of a glob gives."""
    if is_dataset(path):
        yield path, False
    elif path.is_dir():
        try:
            inside = sorted(path.iterdir())
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
        for inner in inside:
            if inner.name.startswith("."):
                continue
            if inner.is_dir() and inner.is_symlink():
                skipped.append(f"{inner} (links to folders are not followed)")
            else:
                yield from _in_folder(inner, skipped)
    elif path.suffix.lower() in SUFFIXES:
        check_regular(path)
        yield path, False
    else:
        skipped.append(f"{path} (files of this kind are not read)")
