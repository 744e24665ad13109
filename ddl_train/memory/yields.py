"""What came of the pairs that were dreamt on: insights and tokens, by sampler and by stratum.

Derived from the database and from nothing else, read once and then as it comes, in whole numbers
by cycle, so that a run that was killed learns just what it would have learned.

An insight counts 1 when it is admitted. Once a night has been promoted it counts 1 when the adapter
of the last promoted night that was asked about it answers it (more than half of its held-out
questions), 0 when not; what was not asked about counts the share of the asked that are answered.
The tokens of a pair are what was read and written to dream on it, and of an idea that was scored an
equal part of what judging cost in its batch.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ddl_train.memory.bandit import Path, Yield, path_of
from ddl_train.memory.bands import closeness
from ddl_train.memory.reading import select_in
from ddl_train.storage.ledger import WAKE_ROLES

NUM_JUDGED = 32
"""Verdicts kept in hand for each concept: the latest."""
_JUDGING = tuple(role for role in WAKE_ROLES if role not in ("generator", "embedder"))

_DREAMS = """
SELECT p.pair_id, p.cycle, p.batch_index, p.sampler, p.stratum, p.a_id, p.b_id,
    v.rejected_because IS NULL AS is_hit, v.rejected_because LIKE 'duplicate:%' AS is_known, v.novelty IS NOT NULL AS is_scored,
    o.num_prompt_tokens + o.num_completion_tokens AS tokens
FROM pairs p JOIN proposals o USING (pair_id) JOIN verdicts v USING (pair_id)
WHERE p.pair_id > ? ORDER BY p.pair_id
"""


@dataclass(slots=True)
class _Count:
    pairs: int = 0
    admitted: int = 0
    tokens: int = 0
    asked: int = 0
    answered: int = 0


_Counts = dict[int, dict[Path, _Count]]
UNKNOWN = path_of("")


class Yields:
    """The counts of a run."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._last_pair = 0
        self._last_promotion = 0
        self._of_samplers: _Counts = defaultdict(lambda: defaultdict(_Count))
        self._of_strata: _Counts = defaultdict(lambda: defaultdict(_Count))
        self._judged: dict[int, dict[int, tuple[int, float]]] = {}

    def update(self) -> None:
        """Read the verdicts and the promoted nights that have come since."""
        rows = self.connection.execute(_DREAMS, (self._last_pair,)).fetchall()
        costs = self._costs(rows)
        for row in rows:
            tokens = row["tokens"]
            if row["is_scored"]:
                tokens += costs[row["cycle"], row["batch_index"]]
            for count in self._at(row):
                count.pairs += 1
                count.admitted += row["is_hit"]
                count.tokens += tokens
            found = (int(row["is_hit"] or row["is_known"]), closeness(row["stratum"]))
            self._judge(row["a_id"], row["b_id"], found)
            self._judge(row["b_id"], row["a_id"], found)
            self._last_pair = row["pair_id"]
        last = self.connection.execute(
            "SELECT coalesce(max(promotion_id), 0) FROM promotions WHERE promoted"
        ).fetchone()[0]
        if last != self._last_promotion:
            self._count_answered()
            self._last_promotion = last

    def judged(self, concept_id: int) -> Mapping[int, tuple[int, float]]:
        """Of the last verdicts on pairs with a concept: the other -> 1 for a link, and cosine."""
        return self._judged.get(concept_id, {})

    def of_samplers(self, now: int, discount: float) -> dict[Path, Yield]:
        """Yield of each sampler, as it counts in a cycle."""
        return self._discounted(self._of_samplers, now, discount)

    def of_strata(self, now: int, discount: float) -> dict[Path, Yield]:
        """Yield of each stratum, as it counts in a cycle; pairs drawn without one are in none."""
        found = self._discounted(self._of_strata, now, discount)
        found.pop(UNKNOWN, None)
        return found

    def _discounted(self, counted: _Counts, now: int, discount: float) -> dict[Path, Yield]:
        asked, answered = (
            sum(getattr(one, name) for counts in counted.values() for one in counts.values())
            for name in ("asked", "answered")
        )
        share = (answered + 1) / (asked + 1)
        found: dict[Path, Yield] = defaultdict(Yield)
        for cycle, counts in sorted(counted.items()):
            weight = discount ** max(now - cycle, 0)
            for path, count in counts.items():
                reward = count.answered + share * (count.admitted - count.asked)
                part = Yield(float(count.pairs), reward, float(count.tokens))
                found[path].add(part, weight)
        return dict(found)

    def _at(self, row: sqlite3.Row) -> tuple[_Count, _Count]:
        """Where a pair is counted: with its sampler, and with its stratum."""
        cycle = row["cycle"]
        return (
            self._of_samplers[cycle][sampler_path(row["sampler"])],
            self._of_strata[cycle][path_of(row["stratum"])],
        )

    def _judge(self, concept_id: int, other: int, found: tuple[int, float]) -> None:
        verdicts = self._judged.setdefault(concept_id, {})
        verdicts.pop(other, None)
        verdicts[other] = found
        if len(verdicts) > NUM_JUDGED:
            del verdicts[next(iter(verdicts))]

    def _costs(self, rows: Iterable[sqlite3.Row]) -> dict[tuple[int, int], int]:
        """Cycle and batch -> tokens of judging for each idea that was scored there."""
        scored: dict[tuple[int, int], int] = defaultdict(int)
        for row in rows:
            scored[row["cycle"], row["batch_index"]] += row["is_scored"]
        costs = {}
        for (cycle, batch_index), number in scored.items():
            if number:
                spent = sum(self._spent(cycle, role, batch_index) for role in _JUDGING)
                costs[cycle, batch_index] = spent // number
        return costs

    def _spent(self, cycle: int, role: str, batch_index: int) -> int:
        row = self.connection.execute(
            "SELECT num_prompt_tokens + num_completion_tokens FROM usage "
            "WHERE cycle = ? AND role = ? AND item = ?",
            (cycle, role, f"batch {batch_index}"),
        ).fetchone()
        return int(row[0]) if row else 0

    def _count_answered(self) -> None:
        """Count anew which insights the promoted nights were asked about, and answered."""
        for counted in (self._of_samplers, self._of_strata):
            for counts in counted.values():
                for count in counts.values():
                    count.asked = count.answered = 0
        known = _answered(self.connection)
        select = (
            "SELECT insight_id, p.cycle, sampler, stratum FROM insights i "
            "JOIN pairs p USING (pair_id) WHERE insight_id IN "
        )
        for row in select_in(self.connection, select, sorted(known)):
            for count in self._at(row):
                count.asked += 1
                count.answered += known[row["insight_id"]]


def sampler_path(name: str) -> Path:
    """Under which a sampler's yield is found."""
    return (name,)


def _answered(connection: sqlite3.Connection) -> dict[int, bool]:
    """Insight -> whether the last promoted night that was asked about it answers it."""
    found: dict[int, bool] = {}
    reports = connection.execute(
        "SELECT body FROM promotions p JOIN reports r ON r.cycle = p.cycle "
        "AND r.adapter = p.candidate WHERE p.promoted AND NOT is_rollback ORDER BY promotion_id"
    )
    for row in reports:
        right: dict[int, list[bool]] = defaultdict(list)
        for item in json.loads(row["body"])["items"]:
            name, _, number = item["cluster"].partition(" ")
            if item["suite"] == "uptake" and name == "insight" and number.isdigit():
                right[int(number)].append(item["is_correct"])
        found |= {insight: 2 * sum(hits) > len(hits) for insight, hits in right.items()}
    return found
