"""What memory holds, as records: the selects. Reads only."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

from ddl_train.memory.rows import as_concept, as_insight, as_pair, as_verdict
from ddl_train.records import Concept, ConceptPair, Insight, StudyItem, Verdict

_MAX_PARAMETERS = 500

_CONCEPT = """
SELECT c.*,
    CASE WHEN c.kind = 'document' THEN 0 ELSE
        (SELECT count(*) FROM insights WHERE parent_a = c.concept_id)
        + (SELECT count(*) FROM insights WHERE parent_b = c.concept_id) END AS num_children,
    CASE WHEN c.kind = 'document' THEN c.cycle ELSE max(c.cycle,
        coalesce((SELECT max(cycle) FROM insights WHERE parent_a = c.concept_id), -1),
        coalesce((SELECT max(cycle) FROM insights WHERE parent_b = c.concept_id), -1)
    ) END AS last_cycle
FROM concepts c
"""

_VERDICT = """
SELECT pairs.*, proposals.text, proposals.reasoning, proposals.conclusion, proposals.is_none,
    proposals.adapter AS dreamer, proposals.num_prompt_tokens, proposals.num_completion_tokens,
    novelty, coherence, utility, support, rederived, disagreement, rejected_because, rationale, audit
FROM verdicts JOIN proposals USING (pair_id) JOIN pairs USING (pair_id)
"""

_INSIGHT = """
SELECT insights.*, proposals.text, proposals.reasoning, proposals.conclusion, proposals.adapter,
    novelty, coherence, utility, support, rederived, disagreement, rationale,
    c.depth, a.text AS a_text, b.text AS b_text
FROM insights JOIN proposals USING (pair_id) JOIN verdicts USING (pair_id)
    JOIN concepts c ON c.concept_id = insights.concept_id
    JOIN concepts a ON a.concept_id = parent_a
    JOIN concepts b ON b.concept_id = parent_b
"""


def latest_cycle(connection: sqlite3.Connection) -> int:
    """The last cycle in which a pair was drawn; -1 before the first."""
    return int(connection.execute("SELECT coalesce(max(cycle), -1) FROM pairs").fetchone()[0])


def read_concepts(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, Concept]:
    """Concepts by id; ids that memory does not hold are left out."""
    now = latest_cycle(connection)
    return {
        row["concept_id"]: as_concept(row, now)
        for row in select_in(connection, _CONCEPT + "WHERE c.concept_id IN ", sorted(set(ids)))
    }


def all_concepts(connection: sqlite3.Connection) -> list[Concept]:
    now = latest_cycle(connection)
    rows = connection.execute(_CONCEPT + "ORDER BY c.concept_id")
    return [as_concept(row, now) for row in rows]


def all_texts(connection: sqlite3.Connection) -> Iterator[str]:
    """Texts of all concepts, in the order of arrival."""
    for row in connection.execute("SELECT text FROM concepts ORDER BY concept_id"):
        yield row[0]


def sample_texts(connection: sqlite3.Connection, most: int) -> Iterator[str]:
    """Texts of documents in order of id; of more than `most` every so many-th."""
    documents = "FROM concepts WHERE depth = 0"
    count = connection.execute(f"SELECT count(*) {documents}").fetchone()[0]
    select = f"SELECT text {documents} AND concept_id % ? = 0 ORDER BY concept_id"
    return (row[0] for row in connection.execute(select, (max(1, -(-count // most)),)))


def longest_texts(connection: sqlite3.Connection, most: int) -> list[str]:
    """Texts of the longest concepts, the longest first."""
    select = "SELECT text FROM concepts ORDER BY length(text) DESC, concept_id LIMIT ?"
    return [row[0] for row in connection.execute(select, (most,))]


def read_insights(
    connection: sqlite3.Connection, *, cycle: int | None, ids: Sequence[int] | None
) -> list[Insight]:
    """Insights in order of id: of one cycle, of a list, or all."""
    if ids is not None:
        rows = list(select_in(connection, _INSIGHT + "WHERE insight_id IN ", sorted(set(ids))))
    elif cycle is not None:
        rows = connection.execute(
            _INSIGHT + "WHERE insights.cycle = ? ORDER BY insight_id", (cycle,)
        ).fetchall()
    else:
        rows = connection.execute(_INSIGHT + "ORDER BY insight_id").fetchall()
    concepts = read_concepts(connection, [row["concept_id"] for row in rows])
    found = [as_insight(row, concepts[row["concept_id"]].strength) for row in rows]
    return sorted(found, key=lambda insight: insight.insight_id)


def read_lineage(connection: sqlite3.Connection, insight: Insight) -> list[Insight]:
    """An insight and every insight it rests on, oldest first."""
    found: dict[int, Insight] = {}
    wanted = [insight]
    while wanted:
        found |= {one.insight_id: one for one in wanted}
        parents = sorted({parent for one in wanted for parent in one.parents})
        select = "SELECT insight_id FROM insights WHERE concept_id IN "
        ids = [row["insight_id"] for row in select_in(connection, select, parents)]
        new = [number for number in ids if number not in found]
        wanted = read_insights(connection, cycle=None, ids=new)
    return [found[number] for number in sorted(found)]


def read_rejected_pairs(
    connection: sqlite3.Connection, *, cycle: int, limit: int, seed: int
) -> list[tuple[Concept, Concept]]:
    """A seeded sample of pairs, up to a cycle, in which no adapter has found a link.

    The last answer was NONE, or an idea that the critic refused, the short one or the full one.
    What a guard refused, and what was refused for its place in the queue, is left out: it does not
    say that there is no link. So is what another operator than `connect` was asked.
    """
    rows = connection.execute(
        "SELECT a_id, b_id FROM pairs p JOIN proposals USING (pair_id) "
        "JOIN verdicts v USING (pair_id) WHERE p.cycle <= ? AND rejected_because IS NOT NULL "
        "AND (is_none OR novelty IS NOT NULL OR rejected_because LIKE 'screen:%') "
        "AND rejected_because NOT LIKE 'duplicate%' AND operator = 'connect' "
        "AND rejected_because NOT LIKE 'quota%' AND NOT EXISTS (SELECT 1 FROM pairs q "
        "JOIN verdicts w USING (pair_id) WHERE q.pair_number = p.pair_number "
        "AND (w.rejected_because IS NULL OR q.pair_id > p.pair_id)) ORDER BY p.pair_id",
        (cycle,),
    ).fetchall()
    chosen = Random(seed).sample(rows, min(limit, len(rows)))
    concepts = read_concepts(connection, pair_members(chosen))
    return [(concepts[row["a_id"]], concepts[row["b_id"]]) for row in chosen]


def read_dreamt_pairs(connection: sqlite3.Connection) -> set[int]:
    """Numbers of all pairs that were ever drawn."""
    return {row[0] for row in connection.execute("SELECT DISTINCT pair_number FROM pairs")}


def read_pairs(
    connection: sqlite3.Connection, *, cycle: int, batch_index: int
) -> list[tuple[int, str, ConceptPair]]:
    """The pairs of a batch in order, each with its row id and the adapter it was drawn for."""
    rows = connection.execute(
        "SELECT * FROM pairs WHERE cycle = ? AND batch_index = ? ORDER BY position",
        (cycle, batch_index),
    ).fetchall()
    concepts = read_concepts(connection, pair_members(rows))
    return [(row["pair_id"], row["adapter"], as_pair(row, concepts)) for row in rows]


def read_verdicts(
    connection: sqlite3.Connection,
    *,
    cycle: int | None,
    is_admitted: bool | None,
    limit: int | None,
) -> list[Verdict]:
    """Verdicts in the order they were given, the latest `limit` of them."""
    rows = connection.execute(
        _VERDICT + "WHERE (?1 IS NULL OR pairs.cycle = ?1) "
        "AND (?2 IS NULL OR (rejected_because IS NULL) = ?2) "
        "ORDER BY pairs.pair_id DESC LIMIT ?3",
        (cycle, is_admitted, -1 if limit is None else limit),
    ).fetchall()
    concepts = read_concepts(connection, pair_members(rows))
    return [as_verdict(row, as_pair(row, concepts)) for row in reversed(rows)]


def read_study_items(
    connection: sqlite3.Connection, insight_ids: Sequence[int] | None, family: str | None
) -> list[StudyItem]:
    select = "SELECT * FROM study_items "
    if insight_ids is None:
        rows = connection.execute(select).fetchall()
    else:
        rows = list(select_in(connection, select + "WHERE insight_id IN ", insight_ids))
    return [
        StudyItem(
            insight_id=row["insight_id"],
            kind=row["kind"],
            question=row["question"],
            answer=row["answer"],
            family=row["family"],
            is_checked=bool(row["is_checked"]),
        )
        for row in sorted(rows, key=lambda row: (row["insight_id"], row["item_id"]))
        if family is None or row["family"] == family
    ]


def select_in(
    connection: sqlite3.Connection, select: str, values: Sequence[Any]
) -> Iterator[sqlite3.Row]:
    """Rows of a select that ends in `IN `, asked in slices."""
    for start in range(0, len(values), _MAX_PARAMETERS):
        part = values[start : start + _MAX_PARAMETERS]
        marks = ",".join("?" * len(part))
        yield from connection.execute(f"{select}({marks})", tuple(part)).fetchall()


def pair_members(rows: Sequence[sqlite3.Row]) -> list[int]:
    return [concept_id for row in rows for concept_id in (row["a_id"], row["b_id"])]
