"""With what each pair is dreamt: an operator by its share, and a share that follows what it brings.

Of an operator's answers those count against it that are no new idea: what memory, an earlier idea
of the batch or one of the two concepts says already (refused as `duplicate`, `restated`, `copied`),
what was concluded before in the same words, whatever became of it, and what could not be read. NONE
counts neither way: it costs little and repeats nothing. While the lower end of the 95 % interval of that share (Wilson, 1927) is
above `max_repeats`, the operator keeps only part of its share, in proportion to what is left above
it, and never less than `floor` of it. So it goes on being asked now and then, and has its share
back as soon as enough of its answers are new, or the old ones have left the window.

All of this is read from the run's database: a resumed run has the same budgets.
"""

import math
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from ddl_train.config import WakeConfig

_Z = 1.959964
"""Of a two-sided interval of 95 %."""

_TALLY = """
WITH dreams AS (
    SELECT pairs.pair_id, operator, is_none, conclusion, rejected_because,
        row_number() OVER (PARTITION BY conclusion ORDER BY pairs.pair_id) > 1 AS is_said
    FROM pairs JOIN proposals USING (pair_id) JOIN verdicts USING (pair_id)
    WHERE pairs.pair_id > ?
)
SELECT operator, count(*) AS pairs,
    sum(is_none) AS none,
    sum(NOT is_none AND conclusion = '') AS unread,
    sum(conclusion != '' AND (is_said OR coalesce(
        substr(rejected_because, 1, instr(rejected_because, ':') - 1)
            IN ('duplicate', 'restated', 'copied'), 0))) AS repeats,
    sum(rejected_because IS NULL) AS admitted
FROM dreams GROUP BY operator ORDER BY operator
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorTally:
    """What an operator brought."""

    pairs: int = 0
    """Dreamt on with it."""
    none: int = 0
    """Answered NONE."""
    unread: int = 0
    """Answered in no form that could be read."""
    repeats: int = 0
    """Ideas that were said before."""
    admitted: int = 0

    @property
    def ideas(self) -> int:
        """Answers that concluded something."""
        return self.pairs - self.none - self.unread


def tally_operators(
    connection: sqlite3.Connection, *, window: int | None = None
) -> dict[str, OperatorTally]:
    """Operator -> what it brought in the whole run, or in its last `window` pairs."""
    first = 0
    if window is not None:
        row = connection.execute(
            "SELECT pair_id FROM verdicts ORDER BY pair_id DESC LIMIT 1 OFFSET ?", (window,)
        ).fetchone()
        first = row["pair_id"] if row else 0
    return {
        row["operator"]: OperatorTally(**{name: row[name] for name in row.keys()[1:]})
        for row in connection.execute(_TALLY, (first,))
    }


def read_shares(connection: sqlite3.Connection, config: WakeConfig) -> dict[str, float]:
    """Operator -> its share of the next batch; they sum to 1."""
    given = {name: share for name, share in config.operators.items() if share > 0}
    if len(given) == 1:
        return dict.fromkeys(given, 1.0)
    recent = tally_operators(connection, window=config.operator_budget.window)
    weights = {
        name: share * budget_of(recent.get(name, OperatorTally()), config)
        for name, share in given.items()
    }
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def budget_of(tally: OperatorTally, config: WakeConfig) -> float:
    """What remains of an operator's share, `floor` to 1."""
    limits = config.operator_budget
    answers = tally.pairs - tally.none
    surely = wilson_lower(tally.repeats + tally.unread, answers)
    left = (1 - surely) / (1 - limits.max_repeats)
    return max(limits.floor, min(1.0, left))


def wilson_lower(successes: int, trials: int) -> float:
    """Lower end of the Wilson score interval of a share, at 95 %; 0 without trials."""
    if trials == 0:
        return 0.0
    share, z2 = successes / trials, _Z * _Z
    middle = share + z2 / (2 * trials)
    spread = _Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return max(0.0, (middle - spread) / (1 + z2 / trials))


def choose_operators(shares: Mapping[str, float], count: int, rng: random.Random) -> list[str]:
    """An operator for each of `count` pairs, by their shares.

    Systematic sampling: an operator with share s gets the whole part of s x count pairs or one more, so
    that a small batch has what its shares say.
    """
    if len(shares) == 1:
        return list(shares) * count
    start = rng.random()
    chosen, reached = [], 0.0
    for name, share in shares.items():
        before, reached = reached, reached + share * count
        chosen += [name] * (_below(reached, start) - _below(before, start))
    chosen += [name for name in list(shares)[-1:] for _ in range(count - len(chosen))]
    rng.shuffle(chosen)
    return chosen[:count]


def _below(reached: float, start: float) -> int:
    """How many of the points start, start + 1, ... lie below `reached`."""
    return max(0, -int(-(reached - start) // 1))
