"""What each sampler brings, and what drawing by it alone would have brought.

Pairs that a bandit has chosen are no sample of anything: what it takes it takes for being promising.
Each pair is kept with its probability under all that led to it and with its chance under each
sampler alone, so the share of hits that a sampler has is estimated from all pairs, whoever drew
them, weighted by chance over probability: inverse propensity weights, self-normalised (Hajek 1971,
Swaminathan and Joachims 2015). What is estimated is the mean over the batches of the hits that the
sampler would have had among the pairs that had not been drawn by then. The interval is Wilson's
(1927) at 95 %, for the effective number of pairs: Kish's (1965), or the one that the spread of the
linearised ratio amounts to where that is less. Rare hits of great weight, not met with yet, have no
part in that spread, so it alone would promise too much. Revisits are left out, and so are pairs
that could not have been drawn by what is asked about.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ddl_train.probes.statistics import wilson
from ddl_train.records import JsonObject
from ddl_train.storage.run import Run

_PAIRS = """
SELECT sampler, is_revisit, probability, chances, rejected_because IS NULL AS is_hit,
    num_prompt_tokens + num_completion_tokens AS tokens
FROM pairs JOIN proposals USING (pair_id) JOIN verdicts USING (pair_id)
WHERE ?1 IS NULL OR cycle = ?1 ORDER BY pair_id
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of hits, with its interval."""

    rate: float
    low: float
    high: float
    num_effective: float
    """Pairs drawn by the sampler itself that would tell as much."""


def estimate(weights: Sequence[float], hits: Sequence[bool]) -> Estimate | None:
    """Weighted share of hits; None when nothing has weight.

    Args:
        weights: chance under the sampler over the probability with which the pair was drawn.
        hits: whether the pair was admitted.
    """
    total = math.fsum(weights)
    if total <= 0:
        return None
    rate = math.fsum(weight for weight, hit in zip(weights, hits, strict=True) if hit) / total
    squares = math.fsum(weight**2 for weight in weights)
    spread = math.fsum(
        (weight * (hit - rate)) ** 2 for weight, hit in zip(weights, hits, strict=True)
    )
    num_effective = total**2 / squares
    variance = spread / total**2
    if variance:
        num_effective = min(num_effective, rate * (1 - rate) / variance)
    return Estimate(rate, *wilson(rate * num_effective, num_effective), num_effective)


def sampler_table(run: Run, cycle: int | None = None) -> dict[str, JsonObject]:
    """Sampler -> pairs, admitted, tokens of its dreams, and `alone`: the estimate for it, or None.

    Args:
        run: whose draws.
        cycle: of these draws; None takes all.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    weights: dict[str, list[float]] = defaultdict(list)
    hits: dict[str, list[bool]] = defaultdict(list)
    for row in run.database.execute(_PAIRS, (cycle,)):
        count = counts[row["sampler"]]
        for place, number in enumerate((1, row["is_hit"], row["tokens"])):
            count[place] += number
        if row["is_revisit"] or not row["probability"]:
            continue
        for name, chance in json.loads(row["chances"]).items():
            if chance:
                weights[name].append(chance / row["probability"])
                hits[name].append(bool(row["is_hit"]))
    return {
        name: {
            "pairs": counts[name][0],
            "admitted": counts[name][1],
            "tokens": counts[name][2],
            "alone": _as_json(estimate(weights[name], hits[name])),
        }
        for name in sorted({*counts, *weights})
    }


def _as_json(found: Estimate | None) -> JsonObject | None:
    if found is None:
        return None
    return {
        "rate": found.rate,
        "low": found.low,
        "high": found.high,
        "pairs": found.num_effective,
    }
