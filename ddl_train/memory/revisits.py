"""Revisits: pairs that were refused come back, for an adapter that has not dreamt on them.

What a cheap stage refused counts as refused: its pair was drawn and nobody has judged it. A pair
that was dreamt on n times comes back after the n-th gap, in cycles; gaps that grow (1, 2, 4, 8) are
the expanding schedule of spaced repetition (Landauer and Bjork 1978, Leitner 1972): each refusal
makes it less likely that the next dream finds something, never impossible, as the dreamer changes.
"""

import json
import random
import sqlite3
from collections.abc import Sequence

from ddl_train.memory.draw import Draw
from ddl_train.memory.space import Space

_MAX_COUNTED = 100_000
"""Revisits that could be taken are counted up to here; beyond, their probability is rounded up."""

_REVISITABLE = """
FROM verdicts v JOIN pairs p USING (pair_id)
WHERE v.rejected_because IS NOT NULL AND p.adapter != :adapter
    AND NOT EXISTS (SELECT 1 FROM pairs q WHERE q.pair_number = p.pair_number
        AND (q.adapter = :adapter OR q.pair_id > p.pair_id))
    AND NOT EXISTS (SELECT 1 FROM pairs q JOIN verdicts w USING (pair_id)
        WHERE q.pair_number = p.pair_number AND w.rejected_because IS NULL)
"""
_DUE = """
    AND :cycle - p.cycle >= json_extract(:gaps, '$[' || min(json_array_length(:gaps) - 1,
        (SELECT count(*) - 1 FROM pairs q WHERE q.pair_number = p.pair_number)) || ']')
"""


def num_wanted(size: int, share: float, rng: random.Random) -> int:
    """How many of a batch are revisits; the fraction is left to chance."""
    return int(size * share + rng.random())


def draw_revisits(
    connection: sqlite3.Connection,
    space: Space,
    wanted: int,
    adapter: str,
    rng: random.Random,
    *,
    cycle: int,
    gaps: Sequence[int] = (),
) -> list[Draw]:
    """Pairs that an earlier adapter was refused and this one has not dreamt on.

    Args:
        connection: to the run's database.
        space: of the batch.
        wanted: how many.
        adapter: that will dream.
        rng: of the batch.
        cycle: under way.
        gaps: in cycles, for the first, second, ... return; empty asks for none.
    """
    if not wanted:
        return []
    due = _REVISITABLE + (_DUE if gaps else "")
    values = {"adapter": adapter, "limit": _MAX_COUNTED}
    if gaps:
        values |= {"cycle": cycle, "gaps": json.dumps(list(gaps))}
    count, low, high = connection.execute(
        f"SELECT count(*), min(pair_id), max(pair_id) FROM (SELECT p.pair_id {due} LIMIT :limit)",
        values,
    ).fetchone()
    if not count:
        return []
    if count == _MAX_COUNTED:
        high = connection.execute("SELECT max(pair_id) FROM pairs").fetchone()[0]
    found: dict[int, Draw] = {}
    for _ in range(4 * wanted):
        start = low + int(rng.random() * (high - low + 1))
        row = connection.execute(
            f"SELECT p.* {due} AND p.pair_id >= :start ORDER BY p.pair_id LIMIT 1",
            values | {"start": start},
        ).fetchone()
        if row is not None and space.holds((row["a_id"], row["b_id"])):
            found[row["pair_number"]] = Draw(
                number=row["pair_number"],
                ids=(row["a_id"], row["b_id"]),
                sampler="revisit",
                probability=1 / count,
                is_revisit=True,
            )
        if len(found) >= wanted:
            break
    return list(found.values())
