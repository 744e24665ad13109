"""What was read: sources, their pieces, and the documents that are kept from wake and sleep.

Every piece of every source is a row, by the hash of its normalised text; the text stands once, as
a concept or as a held-out piece. So a text that several sources share is one concept, it stays
drawable while one source still holds it, and it stays when one of them is forgotten. A source that
changed gets its new pieces; concepts of pieces that no source holds any more are stale: they stay,
with what was dreamt from them, and are not drawn again.

Held out are the documents whose content hashes are the lowest of those that come together, as many
as bring the share up to what is asked for: at least one of three or more. Copies count as one and
stand on one side. That is decided once, when a source is first seen, and does not move when others
come. A text that stands both in a held-out document and in another of the
same reading is a concept and is left out of the held-out texts; one that is held out already never
becomes a concept.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from ddl_train.errors import SourceError
from ddl_train.memory.batches import last_concept_id, open_block
from ddl_train.memory.text import text_sha256
from ddl_train.records import Chunk
from ddl_train.storage.database import transaction

FEWEST_CONCEPTS = 2
_FEWEST_AWAKE = 2
"""Documents that are never held out: two are the least to be dreamt on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    name: str
    sha256: str
    chunks: tuple[Chunk, ...]


def write_chunks(
    connection: sqlite3.Connection,
    chunks: Iterable[Chunk],
    *,
    cycle: int,
    held_out_share: float,
    is_explicit: bool,
) -> int:
    """Take chunks into memory in one transaction; the number of new concepts.

    Raises:
        SourceError: memory would hold fewer than two concepts.
    """
    with transaction(connection):
        sources = _group(chunks)
        if is_explicit:
            _welcome_back(connection, sources)
        sources = _changed(connection, _not_forgotten(connection, sources))
        held_out = _held_out(connection, sources, held_out_share)
        kept_back = {row[0] for row in connection.execute("SELECT sha256 FROM held_out")}
        for source in sources:
            _write_source(connection, source, cycle, is_held_out=source.name in held_out)
        num_added = _write_concepts(
            connection,
            [source for source in sources if source.name not in held_out],
            kept_back,
            cycle,
        )
        _drop_lost_held_out(connection)
        check_enough(connection.execute("SELECT count(*) FROM concepts").fetchone()[0])
    return num_added


def num_held_out(num_documents: int, share: float) -> int:
    """Documents to hold out: the share rounded down, but one at least, where two others stay."""
    if share <= 0:
        return 0
    return max(min(max(int(share * num_documents), 1), num_documents - _FEWEST_AWAKE), 0)


def choose_held_out(
    documents: Mapping[str, str], share: float, *, known: Mapping[str, str], held_out: Set[str]
) -> set[str]:
    """Names of all that are held out, once these documents are in memory.

    Documents are counted by content: copies count once, and stand on the same side.

    Args:
        documents: source -> hash of its content, of what was read.
        share: of the documents to hold out.
        known: the same of what memory has; which of it is held out does not change.
        held_out: sources that memory holds out.
    """
    contents = {**known, **documents}
    awake = {contents[name] for name in known.keys() - held_out}
    asleep = {contents[name] for name in held_out} - awake
    new = sorted((_rank(sha256), sha256) for sha256 in {*documents.values()} - awake - asleep)
    target = num_held_out(len({*contents.values()}), share)
    asleep |= {sha256 for _, sha256 in new[: max(target - len(asleep), 0)]}
    return {*held_out} | {
        name for name in documents.keys() - known.keys() if documents[name] in asleep
    }


def check_enough(num_concepts: int, left_out: str = "") -> None:
    """Two concepts make a pair.

    Args:
        num_concepts: that there are.
        left_out: what was read and not taken, for the message.

    Raises:
        SourceError: there are fewer.
    """
    if num_concepts < FEWEST_CONCEPTS:
        what = "a single piece" if num_concepts else "no piece"
        raise SourceError(
            f"the sources give {what} of text to dream on, two are the least; add documents, or "
            "cut a single document finer with a smaller memory.max_tokens or memory.unit=sentence"
            + (f" ({left_out})" if left_out else "")
        )


def known_sources(connection: sqlite3.Connection) -> dict[str, str]:
    """Source -> hash of the content that was read last."""
    rows = connection.execute("SELECT source, sha256 FROM sources ORDER BY source")
    return {row["source"]: row["sha256"] for row in rows}


def held_out_texts(connection: sqlite3.Connection) -> list[str]:
    """Pieces of held-out documents that are no concepts, by source and position."""
    rows = connection.execute(
        "SELECT h.text FROM held_out h JOIN pieces p USING (sha256) JOIN sources s USING (source) "
        "WHERE s.is_held_out AND h.sha256 NOT IN (SELECT sha256 FROM concepts) "
        "GROUP BY h.sha256 ORDER BY min(p.source), min(p.position)"
    )
    return [row["text"] for row in rows]


def name_hashes(source: str) -> tuple[str, str]:
    """Hashes of a source's name and of the file it is a row of."""
    return _sha256("name:" + source), _sha256("name:" + file_of(source))


def content_hash(sha256: str) -> str:
    """Hash under which the content of a forgotten source is remembered."""
    return _sha256("content:" + sha256)


def file_of(source: str) -> str:
    """The file of a source: what stands before `#row`."""
    name, mark, row = source.rpartition("#")
    return name if mark and row.isdigit() else source


def _group(chunks: Iterable[Chunk]) -> list[_Source]:
    """Chunks by source; of sources with one name the last wins."""
    groups: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        group = groups.setdefault(chunk.source, [])
        if group and group[0].source_sha256 != chunk.source_sha256:
            group.clear()
        group.append(chunk)
    return [
        _Source(name=name, sha256=group[0].source_sha256, chunks=tuple(group))
        for name, group in groups.items()
    ]


def _not_forgotten(connection: sqlite3.Connection, sources: Sequence[_Source]) -> list[_Source]:
    banned = {row[0] for row in connection.execute("SELECT sha256 FROM forgotten_names")}
    return [
        source
        for source in sources
        if not banned & {*name_hashes(source.name), content_hash(source.sha256)}
    ]


def _welcome_back(connection: sqlite3.Connection, sources: Sequence[_Source]) -> None:
    """A person asks for these: that they were forgotten once does not count any more."""
    hashes = {
        digest
        for source in sources
        for digest in (*name_hashes(source.name), content_hash(source.sha256))
    }
    connection.executemany(
        "DELETE FROM forgotten_names WHERE sha256 = ?", [(digest,) for digest in sorted(hashes)]
    )


def _changed(connection: sqlite3.Connection, sources: Sequence[_Source]) -> list[_Source]:
    known = known_sources(connection)
    return [source for source in sources if known.get(source.name) != source.sha256]


def _held_out(connection: sqlite3.Connection, sources: Sequence[_Source], share: float) -> set[str]:
    """Names of those to hold out: what was decided before, and new ones up to the share."""
    rows = connection.execute("SELECT source, sha256, is_held_out FROM sources").fetchall()
    return choose_held_out(
        {source.name: source.sha256 for source in sources},
        share,
        known={row["source"]: row["sha256"] for row in rows},
        held_out={row["source"] for row in rows if row["is_held_out"]},
    )


def _rank(sha256: str) -> str:
    """Where a content stands in the queue to be held out: by hash, always the same."""
    return _sha256("held out:" + sha256)


def _write_source(
    connection: sqlite3.Connection, source: _Source, cycle: int, *, is_held_out: bool
) -> None:
    connection.execute("DELETE FROM pieces WHERE source = ?", (source.name,))
    connection.execute(
        "INSERT INTO sources VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (source) DO UPDATE SET sha256 = ?2, cycle = ?4",
        (source.name, source.sha256, is_held_out, cycle),
    )
    hashes = [text_sha256(chunk.text) for chunk in source.chunks]
    connection.executemany(
        "INSERT INTO pieces VALUES (?, ?, ?)",
        [
            (source.name, c.position, digest)
            for c, digest in zip(source.chunks, hashes, strict=True)
        ],
    )
    if is_held_out:
        connection.executemany(
            "INSERT OR IGNORE INTO held_out VALUES (?, ?)",
            [(digest, c.text) for c, digest in zip(source.chunks, hashes, strict=True)],
        )


def _write_concepts(
    connection: sqlite3.Connection, sources: Sequence[_Source], kept_back: set[str], cycle: int
) -> int:
    first = last_concept_id(connection) + 1
    num_added = 0
    for chunk in (chunk for source in sources for chunk in source.chunks):
        digest = text_sha256(chunk.text)
        if digest in kept_back:
            continue
        num_added += connection.execute(
            "INSERT INTO concepts VALUES (?, ?, ?, 'document', ?, ?, 0, ?) "
            "ON CONFLICT (sha256) DO NOTHING",
            (first + num_added, chunk.text, digest, chunk.source, chunk.position, cycle),
        ).rowcount
    if num_added:
        open_block(connection, first, first + num_added - 1)
    return num_added


def _drop_lost_held_out(connection: sqlite3.Connection) -> None:
    """Held-out texts that no held-out source holds any more."""
    connection.execute(
        "DELETE FROM held_out WHERE NOT EXISTS (SELECT 1 FROM pieces p JOIN sources s "
        "USING (source) WHERE p.sha256 = held_out.sha256 AND s.is_held_out)"
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
