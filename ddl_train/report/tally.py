"""Counts and costs of a cycle, taken from the run's database and ledger.

The daydreaming tax is what wake costs: the roles of `WAKE_ROLES`. A pair, a proposal and an admitted
insight are charged with that alone; an insight that is still answered after the gate is charged with
everything the cycle cost, sleep and probes too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ddl_train.memory.operators import OperatorTally, read_shares, tally_operators
from ddl_train.records import BASE, EvalReport, JsonObject, Usage
from ddl_train.storage.ledger import UsageRow
from ddl_train.storage.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What wake did in one cycle."""

    pairs: int
    revisits: int
    """Pairs that an earlier adapter had dreamt on."""
    revived: int
    """Revisits that were admitted."""
    proposals: int
    """Pairs that gave an idea; the others were answered NONE."""
    refused: dict[str, int]
    """Rule -> ideas it refused, the commonest first."""
    admitted: int
    resting_on_insights: int
    """Admitted with at least one insight for a parent."""
    deepest: int
    """Lineage depth of the deepest admitted insight; 0 when there is none."""
    admitted_tokens: int
    """Tokens of the admitted ideas as they were written."""

    @property
    def none(self) -> int:
        return self.pairs - self.proposals


def count_cycle(run: Run, cycle: int) -> Counts:
    """Count one cycle's dreams."""
    dreams = run.database.execute(
        "SELECT count(*) AS pairs, coalesce(sum(is_revisit), 0) AS revisits, "
        "coalesce(sum(is_revisit AND rejected_because IS NULL), 0) AS revived, "
        "coalesce(sum(NOT is_none), 0) AS proposals, "
        "coalesce(sum(rejected_because IS NULL), 0) AS admitted, "
        "coalesce(sum(num_completion_tokens) FILTER (WHERE rejected_because IS NULL), 0) AS tokens "
        "FROM pairs JOIN proposals USING (pair_id) JOIN verdicts USING (pair_id) WHERE cycle = ?",
        (cycle,),
    ).fetchone()
    reasons = run.database.execute(
        "SELECT rejected_because FROM verdicts JOIN pairs USING (pair_id) "
        "JOIN proposals USING (pair_id) "
        "WHERE cycle = ? AND rejected_because IS NOT NULL AND NOT is_none",
        (cycle,),
    )
    rules = Counter(rule_of(row["rejected_because"]) for row in reasons)
    lineage = run.database.execute(
        "SELECT coalesce(max(own.depth), 0) AS deepest, "
        "coalesce(sum(own.depth > 1), 0) AS resting FROM insights "
        "JOIN concepts AS own USING (concept_id) WHERE insights.cycle = ?",
        (cycle,),
    ).fetchone()
    return Counts(
        pairs=dreams["pairs"],
        revisits=dreams["revisits"],
        revived=dreams["revived"],
        proposals=dreams["proposals"],
        refused=dict(rules.most_common()),
        admitted=dreams["admitted"],
        resting_on_insights=lineage["resting"],
        deepest=lineage["deepest"],
        admitted_tokens=dreams["tokens"],
    )


def count_operators(run: Run) -> JsonObject:
    """Operator -> what it brought in the whole run, and its share of the next batch."""
    shares = read_shares(run.database, run.config.wake)
    tallies = tally_operators(run.database)
    return {
        name: {
            "pairs": tally.pairs,
            "none": tally.none,
            "unread": tally.unread,
            "ideas": tally.ideas,
            "repeats": tally.repeats,
            "admitted": tally.admitted,
            "share": shares.get(name, 0.0),
        }
        for name in dict.fromkeys([*shares, *tallies])
        for tally in [tallies.get(name, OperatorTally())]
    }


def rule_of(reason: str) -> str:
    """Stable name of the rule in `rule: why`."""
    return reason.partition(":")[0].strip()


def cost_by_role(rows: Iterable[UsageRow]) -> dict[str, tuple[int, Usage]]:
    """Role -> items asked for and what they cost, in order of first appearance."""
    calls: dict[str, int] = defaultdict(int)
    costs: dict[str, Usage] = defaultdict(Usage)
    for row in rows:
        calls[row.role] += row.num_calls
        costs[row.role] += row.usage
    return {role: (calls[role], costs[role]) for role in costs}


def total(usages: Iterable[Usage]) -> Usage:
    """All of them together."""
    result = Usage()
    for usage in usages:
        result += usage
    return result


def num_answered(run: Run, cycle: int, reports: Sequence[EvalReport], current: str) -> int | None:
    """Insights of this cycle that `current` answers and the untouched base does not.

    An insight is answered when more than half of its held-out questions are. None when `current`
    or the base was not asked.
    """
    of_adapter = {report.adapter: report for report in reports}
    if current not in of_adapter or BASE not in of_adapter:
        return None
    tonight = {
        f"insight {row['insight_id']}"
        for row in run.database.execute("SELECT insight_id FROM insights WHERE cycle = ?", (cycle,))
    }
    known = _answered(of_adapter[current]) - _answered(of_adapter[BASE])
    return len(known & tonight)


def _answered(report: EvalReport) -> set[str]:
    right: dict[str, list[bool]] = defaultdict(list)
    for item in report.items:
        if item.suite == "uptake":
            right[item.cluster].append(item.is_correct)
    return {cluster for cluster, hits in right.items() if 2 * sum(hits) > len(hits)}


def current_after(run: Run, cycle: int) -> str:
    """What was current when this cycle's gate had decided, whatever a person did later."""
    current = BASE
    for row in run.promotions():
        if row.cycle <= cycle and row.promotion.promoted and row.promotion.decided_by == "gate":
            current = row.promotion.candidate
    return current
