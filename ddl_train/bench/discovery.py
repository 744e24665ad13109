"""What was discovered awake, measured against the truth.

Precision is of what was admitted, recall of everything that is true up to some depth, also of what
rests on documents that are held out. A conclusion counts once, however often it is dreamt. Pure: verdicts in, numbers out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ddl_train.records import Concept, Insight, JsonObject, Verdict
from ddl_train.world.language import Fact, chain, parse
from ddl_train.world.oracle import Oracle


@dataclass(slots=True)
class Found:
    """What one cycle found. Written to the cell as it is."""

    cycle: int
    num_pairs: int = 0
    num_opportunities: int = 0
    """Pairs that compose to something true that no document states."""
    num_taken: int = 0
    """Opportunities of which just that conclusion was proposed."""
    num_opportunities_across: int = 0
    """Those to which no one literature could have led."""
    num_taken_across: int = 0
    proposed: Counter[str] = field(default_factory=Counter)
    """Proposals other than NONE, by what the oracle thinks of them."""
    admitted: Counter[str] = field(default_factory=Counter)
    by_lineage: dict[str, Counter[str]] = field(default_factory=dict)
    """The same by lineage depth: 1 rests on documents alone, 2 on an insight, and so on."""
    new_by_depth: Counter[str] = field(default_factory=Counter)
    """True and admitted, never admitted before, by the smallest depth they can be reached at."""
    num_resting: int = 0
    """True admitted insights of which a parent is an insight."""

    def json(self) -> JsonObject:
        return {
            "cycle": self.cycle,
            "num_pairs": self.num_pairs,
            "num_opportunities": self.num_opportunities,
            "num_taken": self.num_taken,
            "num_opportunities_across": self.num_opportunities_across,
            "num_taken_across": self.num_taken_across,
            "proposed": dict(self.proposed),
            "admitted": dict(self.admitted),
            "by_lineage": {depth: dict(some) for depth, some in self.by_lineage.items()},
            "new_by_depth": dict(self.new_by_depth),
            "num_resting": self.num_resting,
        }


def measure_discovery(
    verdicts: Callable[[int], Iterable[Verdict]],
    insights: Sequence[Insight],
    concept: Callable[[int], Concept],
    oracle: Oracle,
    *,
    num_cycles: int,
) -> list[Found]:
    """Judge every cycle's proposals and admissions.

    Args:
        verdicts: of a cycle.
        insights: all that were admitted.
        concept: by id, to see what an insight rests on.
        oracle: knows the truth.
        num_cycles: how many there were.
    """
    known: set[Fact] = set()
    cycles = []
    for cycle in range(num_cycles):
        found = Found(cycle=cycle)
        for verdict in verdicts(cycle):
            _count_verdict(found, verdict, oracle)
        for insight in insights:
            if insight.cycle == cycle:
                rests = any(concept(parent).kind == "insight" for parent in insight.parents)
                _count_insight(found, insight, rests, known, oracle)
        cycles.append(found)
    return cycles


def _count_verdict(found: Found, verdict: Verdict, oracle: Oracle) -> None:
    proposal = verdict.proposal
    found.num_pairs += 1
    chance = opportunity(proposal.pair.a.text, proposal.pair.b.text, oracle)
    is_across = chance is not None and bool(oracle.judge_fact(chance).is_across)
    found.num_opportunities += chance is not None
    found.num_opportunities_across += is_across
    if proposal.is_none:
        return
    judged = oracle.judge(proposal.conclusion)
    found.proposed[judged.truth] += 1
    if chance is not None and judged.fact == chance:
        found.num_taken += 1
        found.num_taken_across += is_across


def _count_insight(
    found: Found, insight: Insight, rests: bool, known: set[Fact], oracle: Oracle
) -> None:
    judged = oracle.judge(insight.conclusion)
    found.admitted[judged.truth] += 1
    found.by_lineage.setdefault(str(insight.depth), Counter())[judged.truth] += 1
    if judged.truth != "true" or judged.fact is None:
        return
    found.num_resting += rests
    if judged.fact not in known:
        known.add(judged.fact)
        found.new_by_depth[str(judged.depth)] += 1


def opportunity(a: str, b: str, oracle: Oracle) -> Fact | None:
    """What two concepts compose to, if it is true and no document states it."""
    first, second = parse(a), parse(b)
    if first is None or second is None:
        return None
    found = chain(first, second)
    if found is None or oracle.judge_fact(found[2]).truth != "true":
        return None
    return found[2]
