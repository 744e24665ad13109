"""What the cascade refused, what that saved, and what it lost, from a run's verdicts and ledger.

A loss can only be known of what was audited: proposals drawn at random that the full critic judged
whatever the cascade said. Of those it let in, the share that a stage would have refused is that
stage's loss, with Wilson's 95 % interval. Near-duplicates count too, though no critic sees memory:
there the figure is an upper bound.

Savings are estimates: what was refused is taken to be as long as what was judged.
"""

from collections import Counter
from dataclasses import dataclass

from ddl_train.config import CascadeConfig, WakeConfig
from ddl_train.probes.statistics import wilson
from ddl_train.records import JsonObject
from ddl_train.roles.cascade import STAGES
from ddl_train.storage.run import Run

NAMES = ("guards", *dict.fromkeys(stage for stage in STAGES.values() if stage != "guards"))
"""Stages before the full critic, in order."""
_LAST = NAMES[-1]


@dataclass(frozen=True, slots=True)
class _Prices:
    """Mean tokens of one proposal."""

    full: float
    """Of what the full critic was asked."""
    short: float
    is_shared: bool
    """What the short critic asks is a part of the full critic, and is asked once."""


def read_losses(run: Run) -> JsonObject | None:
    """The object of `status.py`; None where no stage of `wake.cascade` was ever on."""
    refused, audited, good, seconds = _count(run)
    roles = _tokens(run)
    is_on = run.config.wake.cascade != CascadeConfig()
    if not is_on and not sum(audited.values()) and not {"screen", "second"} & roles.keys():
        return None
    num_good = sum(good.values())
    prices = _prices(run, roles)
    return {
        "audited": sum(audited.values()),
        "good": num_good,
        "lost": _share(num_good - good[""], num_good),
        "stages": [
            {
                "stage": stage,
                "refused": refused[stage],
                "audited": audited[stage],
                "lost": _share(good[stage], num_good),
                "spent_tokens": _spent(stage, roles),
                "saved_tokens": _saved(stage, refused[stage], roles, prices),
            }
            for stage in NAMES
        ],
        "second": {"asked": roles.get("second", (0, 0))[0], "refused": seconds},
    }


def _count(run: Run) -> tuple[Counter[str], Counter[str], Counter[str], int]:
    """By stage: refused, audited, audited and admitted; then what the larger critic refused."""
    refused: Counter[str] = Counter()
    audited: Counter[str] = Counter()
    good: Counter[str] = Counter()
    seconds = 0
    rows = run.database.execute(
        "SELECT rejected_because AS reason, audit, novelty IS NOT NULL AS is_scored, count(*) AS n "
        "FROM verdicts JOIN proposals USING (pair_id) WHERE NOT is_none GROUP BY 1, 2, 3"
    )
    for row in rows:
        if row["audit"] is not None:
            stage = _stage(row["audit"])
            audited[stage] += row["n"]
            good[stage] += row["n"] if row["reason"] is None else 0
        elif row["reason"] is not None and not row["is_scored"]:
            refused[_stage(row["reason"])] += row["n"]
        if (row["reason"] or "").startswith("second:"):
            seconds += row["n"]
    return refused, audited, good, seconds


def _stage(reason: str) -> str:
    """Stage of a refusal; empty for none, and for what only the full critic could not read."""
    if not reason or reason.startswith("unscored: the critic"):
        return ""
    return STAGES.get(reason.partition(":")[0], "guards")


def _tokens(run: Run) -> dict[str, tuple[int, int]]:
    """Role -> proposals it was asked about and tokens, of what was spent on batches."""
    rows = run.database.execute(
        "SELECT role, sum(num_calls) AS n, sum(num_prompt_tokens + num_completion_tokens) AS tokens "
        "FROM usage WHERE item LIKE 'batch %' GROUP BY role"
    )
    return {row["role"]: (row["n"], row["tokens"]) for row in rows}


def _prices(run: Run, roles: dict[str, tuple[int, int]]) -> _Prices:
    num_scored = run.database.execute(
        "SELECT count(*) FROM verdicts "
        "WHERE novelty IS NOT NULL OR rejected_because LIKE 'unscored: the critic%'"
    ).fetchone()[0]
    num_screened, screening = roles.get("screen", (0, 0))
    return _Prices(
        full=roles.get("critic", (0, 0))[1] / max(num_scored, 1),
        short=screening / max(num_screened, 1),
        is_shared=_is_shared(run.config.wake),
    )


def _is_shared(wake: WakeConfig) -> bool:
    """Support is read once; an axis is too, but here its prompt is read again with the others."""
    screen = wake.cascade.screen
    if screen is None or screen.ask == "screen":
        return False
    return wake.min_support is not None if screen.ask == "support" else wake.critic is not None


def _spent(stage: str, roles: dict[str, tuple[int, int]]) -> int:
    """Tokens of a stage itself; the embeddings of near-duplicates serve distances too."""
    role = {"near-duplicate": "embedder", _LAST: "screen"}.get(stage)
    return roles.get(role, (0, 0))[1] if role else 0


def _saved(
    stage: str, num_refused: int, roles: dict[str, tuple[int, int]], prices: _Prices
) -> float:
    """Tokens of later stages that were not spent on what this one refused."""
    if stage != _LAST:
        return num_refused * (prices.short + prices.full)
    asked_anyway = roles.get("screen", (0, 0))[1] if prices.is_shared else 0
    return num_refused * prices.full + asked_anyway


def _share(n: int, total: int) -> JsonObject:
    low, high = wilson(n, total)
    return {"n": n, "share": n / total if total else None, "low": low, "high": high}
