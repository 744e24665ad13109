"""Forgetting: a source and everything that rests on it leave the run for good.

Removed are the concepts that only the forgotten sources held, every pair, proposal and verdict on
them, the insights dreamt from them, what was dreamt from those, and so on, with their concepts and
study items. Answers quoted in the reports are blanked. The file is rewritten, so the text is in
neither the database nor its log. What stays is a row of counts and hashes, by which the sources are
not read again unless a person ingests them by name.

Weights cannot be cleaned this way: the adapters whose nights saw any of it are named, with those
continued from them. They are still there; roll back, or train on.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

from ddl_train.errors import SourceError
from ddl_train.memory.reading import select_in
from ddl_train.memory.sources import content_hash, file_of, name_hashes
from ddl_train.memory.stamps import drop_stamps
from ddl_train.storage.database import owe_scrub, transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What was removed."""

    num_sources: int
    num_concepts: int
    num_insights: int
    num_pairs: int
    num_study_items: int
    adapters: tuple[str, ...]
    """Versions whose weights have seen any of it, in the order they were made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Doomed:
    concepts: set[int]
    insights: set[int]
    kept_as_documents: set[int]
    """Concepts of insights whose text a remaining document states too."""


def forget_sources(connection: sqlite3.Connection, pattern: str) -> Forgotten:
    """Remove the sources that match a glob. The caller removes the index, then calls `finish_scrub`.

    A pattern is matched against the source as it was given, and against the file of a row.

    Raises:
        SourceError: no source of this run matches.
    """
    with transaction(connection):
        names = _matching(connection, pattern)
        forgotten_id = _next_id(connection)
        hashes = _hashes(connection, names, pattern)
        _delete(connection, "sources", "source", names)
        drop_stamps(connection)
        connection.execute(
            "DELETE FROM held_out WHERE NOT EXISTS (SELECT 1 FROM pieces p JOIN sources s "
            "USING (source) WHERE p.sha256 = held_out.sha256 AND s.is_held_out)"
        )
        doomed = _doomed(connection, names)
        pairs = _pairs_on(connection, doomed)
        items = _count_in(connection, "study_items", "insight_id", sorted(doomed.insights))
        adapters = _exposed(connection, doomed)
        _remove(connection, doomed, pairs)
        _blank_answers(connection)
        removed = Forgotten(
            num_sources=len(names),
            num_concepts=len(doomed.concepts),
            num_insights=len(doomed.insights),
            num_pairs=len(pairs),
            num_study_items=items,
            adapters=tuple(adapters),
        )
        _write_act(connection, forgotten_id, pattern, removed, hashes)
        owe_scrub(connection)
    return removed


def adapters_that_saw(connection: sqlite3.Connection) -> list[str]:
    """Versions whose weights have seen what is forgotten, in the order they were made.

    What a person ingested again since is forgotten no more.
    """
    rows = connection.execute(
        "SELECT adapters FROM forgotten WHERE forgotten_id IN "
        "(SELECT forgotten_id FROM forgotten_names)"
    )
    return _with_continued(connection, {one for row in rows for one in json.loads(row["adapters"])})


def _matching(connection: sqlite3.Connection, pattern: str) -> list[str]:
    names = [row[0] for row in connection.execute("SELECT source FROM sources ORDER BY source")]
    found = [name for name in names if matches(name, pattern)]
    if not found:
        some = ", ".join(sorted({file_of(name) for name in names})[:3]) or "none"
        raise SourceError(f"no source of this run matches {pattern!r}; it has, for example: {some}")
    return found


def matches(source: str, pattern: str) -> bool:
    """Whether a source, or the file of a row, fits a glob or is named by it."""
    patterns = {pattern, str(Path(pattern))}
    return any(
        name == one or fnmatchcase(name, one)
        for name in (source, file_of(source))
        for one in patterns
    )


def _hashes(connection: sqlite3.Connection, names: Sequence[str], pattern: str) -> set[str]:
    """By what the forgotten sources are known if they come again: name, whole file, content."""
    hashes = set()
    for row in select_in(connection, "SELECT * FROM sources WHERE source IN ", names):
        hashes |= {name_hashes(row["source"])[0], content_hash(row["sha256"])}
        if matches(file_of(row["source"]), pattern):
            hashes.add(name_hashes(row["source"])[1])
    return hashes


def _doomed(connection: sqlite3.Connection, names: Sequence[str]) -> _Doomed:
    """Follow the insights from the concepts that no source holds any more."""
    concepts: set[int] = set()
    insights: set[int] = set()
    kept: set[int] = set()
    fresh = {
        row["concept_id"]
        for row in select_in(
            connection, f"{_ORPHANS} AND kind = 'document' AND c.source IN ", names
        )
    }
    while fresh:
        concepts |= fresh
        children = _children(connection, sorted(fresh))
        fresh = set()
        for insight_id, concept_id, is_stated in children:
            if insight_id in insights:
                continue
            insights.add(insight_id)
            (kept if is_stated else fresh).add(concept_id)
    return _Doomed(concepts=concepts, insights=insights, kept_as_documents=kept)


_STATED = """EXISTS (SELECT 1 FROM pieces p JOIN sources s USING (source)
    WHERE p.sha256 = c.sha256 AND NOT s.is_held_out)"""
_ORPHANS = f"SELECT concept_id FROM concepts c WHERE NOT {_STATED}"


def _children(
    connection: sqlite3.Connection, concept_ids: Sequence[int]
) -> list[tuple[int, int, bool]]:
    """Insights that have one of these parents: id, their concept, is it stated elsewhere."""
    select = f"SELECT insight_id, c.concept_id, {_STATED} FROM insights JOIN concepts c USING (concept_id) "
    return [
        (row[0], row[1], bool(row[2]))
        for parent in ("parent_a", "parent_b")
        for row in select_in(connection, f"{select} WHERE {parent} IN ", concept_ids)
    ]


def _pairs_on(connection: sqlite3.Connection, doomed: _Doomed) -> list[int]:
    """Pairs that show a doomed concept, or that a doomed insight came from."""
    found = set()
    for column in ("a_id", "b_id"):
        select = f"SELECT pair_id FROM pairs WHERE {column} IN "
        found |= {row[0] for row in select_in(connection, select, sorted(doomed.concepts))}
    select = "SELECT pair_id FROM insights WHERE insight_id IN "
    found |= {row[0] for row in select_in(connection, select, sorted(doomed.insights))}
    return sorted(found)


def _exposed(connection: sqlite3.Connection, doomed: _Doomed) -> list[str]:
    """Adapters that were trained on any of it, and those continued from them."""
    select = "SELECT DISTINCT version FROM night_rows WHERE subject = '{}' AND subject_id IN "
    seen = {
        row["version"]
        for subject, ids in (("insight", doomed.insights), ("concept", doomed.concepts))
        for row in select_in(connection, select.format(subject), sorted(ids))
    }
    return _with_continued(connection, seen)


def _with_continued(connection: sqlite3.Connection, seen: set[str]) -> list[str]:
    """These adapters and those continued from them, in the order they were made."""
    seen, exposed = set(seen), []
    for row in connection.execute("SELECT version, parent FROM adapters ORDER BY adapter_id"):
        if row["version"] in seen or row["parent"] in seen:
            seen.add(row["version"])
            exposed.append(row["version"])
    return exposed


def _remove(connection: sqlite3.Connection, doomed: _Doomed, pairs: Sequence[int]) -> None:
    _delete(connection, "insights", "insight_id", sorted(doomed.insights))
    for table in ("verdicts", "proposals", "pairs"):
        _delete(connection, table, "pair_id", pairs)
    _delete(connection, "concepts", "concept_id", sorted(doomed.concepts))
    connection.executemany(
        "UPDATE concepts SET kind = 'document', depth = 0, (source, position) = (SELECT p.source, "
        "p.position FROM pieces p JOIN sources s USING (source) WHERE p.sha256 = concepts.sha256 "
        "AND NOT s.is_held_out ORDER BY p.source LIMIT 1) WHERE concept_id = ?",
        [(concept_id,) for concept_id in sorted(doomed.kept_as_documents)],
    )
    # A shared text that came from a forgotten source belongs to one that still holds it.
    connection.execute(
        "UPDATE concepts SET (source, position) = (SELECT p.source, p.position FROM pieces p "
        "JOIN sources s USING (source) WHERE p.sha256 = concepts.sha256 AND NOT s.is_held_out "
        "ORDER BY p.source LIMIT 1) WHERE kind = 'document' AND source NOT IN "
        "(SELECT source FROM sources) AND EXISTS (SELECT 1 FROM pieces p JOIN sources s "
        "USING (source) WHERE p.sha256 = concepts.sha256 AND NOT s.is_held_out)"
    )


def _blank_answers(connection: sqlite3.Connection) -> None:
    """Answers in reports may quote anything; what was right and by how much stays."""
    for row in connection.execute("SELECT report_id, body FROM reports").fetchall():
        body: dict[str, Any] = json.loads(row["body"])
        for item in body["items"]:
            item["answer"] = None
        connection.execute(
            "UPDATE reports SET body = ? WHERE report_id = ?",
            (json.dumps(body, ensure_ascii=False), row["report_id"]),
        )


def _write_act(
    connection: sqlite3.Connection,
    forgotten_id: int,
    pattern: str,
    removed: Forgotten,
    hashes: Iterable[str],
) -> None:
    connection.execute(
        "INSERT INTO forgotten VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            forgotten_id,
            sha256(pattern.encode()).hexdigest(),
            removed.num_sources,
            removed.num_concepts,
            removed.num_insights,
            removed.num_pairs,
            removed.num_study_items,
            json.dumps(removed.adapters),
            datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO forgotten_names VALUES (?, ?)",
        [(digest, forgotten_id) for digest in sorted(hashes)],
    )


def _next_id(connection: sqlite3.Connection) -> int:
    return 1 + int(
        connection.execute("SELECT coalesce(max(forgotten_id), 0) FROM forgotten").fetchone()[0]
    )


def _count_in(connection: sqlite3.Connection, table: str, column: str, ids: Sequence[int]) -> int:
    select = f"SELECT count(*) FROM {table} WHERE {column} IN "
    return sum(row[0] for row in select_in(connection, select, ids))


def _delete(connection: sqlite3.Connection, table: str, column: str, values: Sequence[Any]) -> None:
    connection.executemany(
        f"DELETE FROM {table} WHERE {column} = ?", [(value,) for value in values]
    )
