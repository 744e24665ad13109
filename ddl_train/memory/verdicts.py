"""What came of a batch is written in one transaction: all of it, or the batch is still owed.

A conclusion that memory holds already (same normalised text) is not admitted twice: its verdict
is kept as rejected, `duplicate: memory holds this as concept N`. The same goes for two equal
conclusions in one batch: the first is admitted.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, fields, replace

from ddl_train.memory.batches import last_concept_id, open_block
from ddl_train.memory.reading import read_pairs
from ddl_train.memory.text import text_sha256
from ddl_train.records import FloatArray, Scores, Usage, Verdict
from ddl_train.storage.database import transaction
from ddl_train.storage.ledger import UsageRow, add_usage

Embed = Callable[[Sequence[str]], tuple[FloatArray, Usage]]
Insert = Callable[[Sequence[int], FloatArray], None]


def write_verdicts(
    connection: sqlite3.Connection,
    cycle: int,
    batch_index: int,
    verdicts: Sequence[Verdict],
    *,
    embed: Embed,
    insert: Insert,
) -> list[int]:
    """Keep the verdicts of a batch; ids of the insights that were admitted.

    Called again for a batch that is kept already, it changes nothing.
    """
    drawn = read_pairs(connection, cycle=cycle, batch_index=batch_index)
    pair_ids = {pair.pair_number: pair_id for pair_id, _, pair in drawn}
    given = [verdict.proposal.pair.pair_number for verdict in verdicts]
    if sorted(given) != sorted(pair_ids):
        raise ValueError(
            f"batch {batch_index} of cycle {cycle} has {len(pair_ids)} pairs; "
            f"got {len(given)} verdicts, or verdicts of other pairs"
        )
    kept = _kept_insights(connection, cycle, batch_index)
    if kept is not None:
        return kept
    settled = _settle(connection, verdicts)
    admitted = [verdict for verdict in settled if verdict.admitted]
    embedded = embed([v.proposal.conclusion for v in admitted]) if admitted else None
    insight_ids = []
    with transaction(connection):
        for verdict in settled:
            _insert_dream(connection, pair_ids[verdict.proposal.pair.pair_number], verdict)
        first = last_concept_id(connection) + 1
        for concept_id, verdict in enumerate(admitted, start=first):
            pair_id = pair_ids[verdict.proposal.pair.pair_number]
            insight_ids.append(_insert_insight(connection, concept_id, pair_id, cycle, verdict))
        if embedded is not None:
            vectors, usage = embedded
            open_block(connection, first, first + len(admitted) - 1)
            insert(range(first, first + len(admitted)), vectors)
            cost = UsageRow(
                cycle=cycle, role="embedder", item="memory", num_calls=len(admitted), usage=usage
            )
            add_usage(connection, cost)
    return insight_ids


def _kept_insights(
    connection: sqlite3.Connection, cycle: int, batch_index: int
) -> list[int] | None:
    """Insights of a batch whose verdicts are there; None when they are still owed."""
    num_kept = connection.execute(
        "SELECT count(*) FROM verdicts JOIN pairs USING (pair_id) "
        "WHERE pairs.cycle = ? AND batch_index = ?",
        (cycle, batch_index),
    ).fetchone()[0]
    if not num_kept:
        return None
    rows = connection.execute(
        "SELECT insight_id FROM insights JOIN pairs USING (pair_id) "
        "WHERE pairs.cycle = ? AND batch_index = ? ORDER BY insight_id",
        (cycle, batch_index),
    )
    return [row["insight_id"] for row in rows]


def _settle(connection: sqlite3.Connection, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Refuse what is admitted but cannot become a concept."""
    settled, new = [], set()
    for verdict in verdicts:
        scores = verdict.scores
        if scores is not None and not _is_finite(scores):
            scores = None
        reason = verdict.rejected_because
        digest = text_sha256(verdict.proposal.conclusion)
        if reason is None and scores is None:
            reason = "unscored: the critic's scores are not numbers"
        if reason is None and not verdict.proposal.conclusion.strip():
            reason = "empty: there is no conclusion"
        if reason is None and digest in new:
            reason = "duplicate: an earlier idea of this batch concludes the same"
        if reason is None and (row := _concept_of(connection, digest)) is not None:
            reason = f"duplicate: memory holds this as concept {row['concept_id']}"
        if reason is None:
            new.add(digest)
        settled.append(replace(verdict, scores=scores, rejected_because=reason))
    return settled


def _is_finite(scores: Scores) -> bool:
    return all(math.isfinite(value) for value in astuple(scores) if value is not None)


def _concept_of(connection: sqlite3.Connection, digest: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT concept_id FROM concepts WHERE sha256 = ?", (digest,)
    ).fetchone()
    return row


def _insert_dream(connection: sqlite3.Connection, pair_id: int, verdict: Verdict) -> None:
    proposal, scores = verdict.proposal, verdict.scores
    # A pair drawn for one adapter and, after a person's promotion, dreamt on by another.
    connection.execute(
        "UPDATE OR IGNORE pairs SET adapter = ?1 WHERE pair_id = ?2 AND adapter != ?1",
        (proposal.adapter, pair_id),
    )
    connection.execute(
        "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            pair_id,
            proposal.text,
            proposal.reasoning,
            proposal.conclusion,
            proposal.is_none,
            proposal.adapter,
            proposal.num_prompt_tokens,
            proposal.num_completion_tokens,
        ),
    )
    values = asdict(scores) if scores else dict.fromkeys(field.name for field in fields(Scores))
    row = {name: None if value is None else float(value) for name, value in values.items()}
    connection.execute(
        f"INSERT INTO verdicts (pair_id, rejected_because, rationale, audit, {', '.join(row)}) "
        f"VALUES ({', '.join('?' * (4 + len(row)))})",
        (pair_id, verdict.rejected_because, verdict.rationale, verdict.audit, *row.values()),
    )


def _insert_insight(
    connection: sqlite3.Connection, concept_id: int, pair_id: int, cycle: int, verdict: Verdict
) -> int:
    pair, conclusion = verdict.proposal.pair, verdict.proposal.conclusion
    connection.execute(
        "INSERT INTO concepts VALUES (?, ?, ?, 'insight', ?, 0, ?, ?)",
        (
            concept_id,
            conclusion,
            text_sha256(conclusion),
            f"insight:cycle-{cycle}",
            1 + max(pair.a.depth, pair.b.depth),
            cycle,
        ),
    )
    row = connection.execute(
        "INSERT INTO insights (concept_id, pair_id, parent_a, parent_b, cycle) "
        "VALUES (?, ?, ?, ?, ?) RETURNING insight_id",
        (concept_id, pair_id, pair.a.concept_id, pair.b.concept_id, cycle),
    ).fetchone()
    return int(row["insight_id"])
