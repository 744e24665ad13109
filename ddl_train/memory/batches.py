"""Batches of pairs: drawn, written down, and only then dreamt on.

The counters of the number line and the pairs of a batch are one transaction, so after a crash the
batch that was drawn is the batch that is dreamt on.
"""

import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ddl_train.config import SamplerConfig, WakeConfig
from ddl_train.memory.derived import Derived
from ddl_train.memory.draw import Draw, Mixture
from ddl_train.memory.index import IdArray
from ddl_train.memory.learned import REVISITS_EACH, Looker
from ddl_train.memory.operators import choose_operators, read_shares
from ddl_train.memory.reading import read_pairs, select_in
from ddl_train.memory.revisits import draw_revisits, num_wanted
from ddl_train.memory.sampler import Block, NumberLine, num_pairs
from ddl_train.memory.space import read_space
from ddl_train.memory.strata import Strata
from ddl_train.memory.vectors import Vectors
from ddl_train.records import ConceptPair
from ddl_train.storage.database import transaction


def open_block(connection: sqlite3.Connection, first_concept: int, last_concept: int) -> None:
    """Add the pairs of new concepts to the number line, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO blocks (first_concept, last_concept) VALUES (?, ?)",
        (first_concept, last_concept),
    )


def last_concept_id(connection: sqlite3.Connection) -> int:
    """The highest id ever given, also if that concept has been forgotten."""
    row = connection.execute("SELECT coalesce(max(last_concept), 0) FROM blocks").fetchone()
    return int(row[0])


def active_ids(connection: sqlite3.Connection) -> IdArray:
    """Concepts that may be drawn: insights, and pieces that their sources still hold."""
    rows = connection.execute(
        "SELECT concept_id FROM concepts c WHERE kind = 'insight' OR EXISTS ("
        "SELECT 1 FROM pieces p JOIN sources s USING (source) "
        "WHERE p.sha256 = c.sha256 AND NOT s.is_held_out) ORDER BY concept_id"
    )
    return np.fromiter((row[0] for row in rows), dtype=np.int64)


def draw_batch(
    connection: sqlite3.Connection,
    vectors: Vectors | None,
    active: Callable[[], IdArray],
    derived: Derived,
    *,
    cycle: int,
    batch_index: int,
    size: int,
    config: WakeConfig,
    adapter: str,
    seed: int,
) -> list[ConceptPair]:
    """The pairs of a batch: as they were drawn, or drawn and written down now."""
    stored = read_pairs(connection, cycle=cycle, batch_index=batch_index)
    is_for_another = any(drawn_for != adapter for _, drawn_for, _ in stored)
    if stored and (not is_for_another or _is_dreamt(connection, cycle, batch_index)):
        return [pair for _, _, pair in stored]
    rng = random.Random(f"{seed}/{cycle}/{batch_index}")
    with transaction(connection):
        # Drawn for an adapter that is not current any more, and never dreamt on: drawn anew.
        connection.executemany(
            "DELETE FROM pairs WHERE pair_id = ?", [(pair_id,) for pair_id, _, _ in stored]
        )
        line, block_ids = _number_line(connection, seed)
        drawn = _draw(
            connection,
            vectors,
            active(),
            derived,
            line,
            rng,
            cycle=cycle,
            size=size,
            config=config,
            adapter=adapter,
        )
        chooser = random.Random(f"{seed}/{cycle}/{batch_index}/operators")
        operators = choose_operators(read_shares(connection, config), len(drawn), chooser)
        connection.executemany(
            "UPDATE blocks SET counter = ? WHERE block_id = ?",
            [(line.blocks[place].counter, block_ids[place]) for place in line.visited],
        )
        _write_down(connection, drawn, operators, place=(cycle, batch_index), adapter=adapter)
    stored = read_pairs(connection, cycle=cycle, batch_index=batch_index)
    return [pair for _, _, pair in stored]


def _draw(
    connection: sqlite3.Connection,
    vectors: Vectors | None,
    active: IdArray,
    derived: Derived,
    line: NumberLine,
    rng: random.Random,
    *,
    cycle: int,
    size: int,
    config: WakeConfig,
    adapter: str,
) -> list[Draw]:
    """New pairs, by the mixture alone or by what was learned, then those that come back."""
    lineages, yields = derived.lineages, derived.yields
    space = read_space(connection, active, lineages, derived.origins, config.sampler)
    mixture = Mixture(config.sampler, space, line, vectors, rng)
    share = config.revisit_share * _boost(connection, cycle, config.sampler)
    wanted = num_wanted(size, min(share, 1.0), rng)
    again = partial(
        draw_revisits,
        connection,
        space,
        adapter=adapter,
        rng=rng,
        cycle=cycle,
        gaps=config.sampler.revisit_gaps,
    )
    is_new = partial(_never_drawn, connection)
    if (learn := config.sampler.learn) is None:
        revisits = again(wanted)
        return [*mixture.draw(size - len(revisits), is_new), *revisits]
    lineages.update()
    yields.update()
    strata = Strata(yields, lineages, vectors, now=cycle)
    looker = Looker(learn, strata, yields, rng, now=cycle)
    revisits = looker.take_again(again(REVISITS_EACH * wanted), wanted)
    return [*looker.draw(mixture, space, size - len(revisits), is_new), *revisits]


def _write_down(
    connection: sqlite3.Connection,
    drawn: Sequence[Draw],
    operators: Sequence[str],
    *,
    place: tuple[int, int],
    adapter: str,
) -> None:
    """Keep what was drawn; `place`: cycle and batch."""
    connection.executemany(
        "INSERT INTO pairs (cycle, batch_index, position, pair_number, a_id, b_id, sampler, "
        "probability, is_revisit, adapter, stratum, operator, chances) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *place,
                position,
                draw.number,
                *draw.ids,
                draw.sampler,
                draw.probability,
                draw.is_revisit,
                adapter,
                draw.stratum,
                operator,
                json.dumps({name: float(f"{chance:.6g}") for name, chance in draw.chances.items()}),
            )
            for position, (draw, operator) in enumerate(zip(drawn, operators, strict=True))
        ],
    )


def pending_batch(
    connection: sqlite3.Connection, cycle: int
) -> tuple[int, list[ConceptPair]] | None:
    """The batch of a cycle that was drawn and whose verdicts are owed."""
    row = connection.execute(
        "SELECT min(batch_index) FROM pairs LEFT JOIN verdicts USING (pair_id) "
        "WHERE cycle = ? AND verdicts.pair_id IS NULL",
        (cycle,),
    ).fetchone()
    if row[0] is None:
        return None
    stored = read_pairs(connection, cycle=cycle, batch_index=row[0])
    return int(row[0]), [pair for _, _, pair in stored]


def _number_line(connection: sqlite3.Connection, seed: int) -> tuple[NumberLine, list[int]]:
    """The blocks that are not used up; a block gets its key from the seed that first draws."""
    connection.execute(
        "UPDATE blocks SET key = ? || '/' || block_id WHERE key IS NULL", (str(seed),)
    )
    blocks, block_ids = [], []
    for row in connection.execute("SELECT * FROM blocks ORDER BY first_concept"):
        first = num_pairs(row["first_concept"] - 1)
        num = num_pairs(row["last_concept"]) - first
        if row["counter"] < num:
            block = Block(first=first, num=num, key=row["key"], counter=row["counter"])
            blocks.append(block)
            block_ids.append(int(row["block_id"]))
    return NumberLine(blocks), block_ids


def _boost(connection: sqlite3.Connection, cycle: int, config: SamplerConfig) -> float:
    """How many times as many revisits a cycle gets: more when the night before was promoted."""
    promoted = connection.execute(
        "SELECT 1 FROM promotions WHERE cycle = ? AND promoted AND NOT is_rollback", (cycle - 1,)
    ).fetchone()
    return config.revisit_boost if promoted else 1.0


def _never_drawn(connection: sqlite3.Connection, numbers: Sequence[int]) -> set[int]:
    select = "SELECT pair_number FROM pairs WHERE pair_number IN "
    drawn = {row["pair_number"] for row in select_in(connection, select, numbers)}
    return set(numbers) - drawn


def _is_dreamt(connection: sqlite3.Connection, cycle: int, batch_index: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM verdicts JOIN pairs USING (pair_id) WHERE cycle = ? AND batch_index = ?",
        (cycle, batch_index),
    ).fetchone()
    return found is not None
