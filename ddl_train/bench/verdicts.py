"""What the gate decides about nights that are known to be good or bad, as the loop would ask it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ddl_train.bench.nights import BAD, Day, Night, live_share
from ddl_train.config import PromoteConfig
from ddl_train.probes.statistics import wilson
from ddl_train.promote import check_night, decide_by_halves, failed_only_by_forgetting
from ddl_train.records import EvalReport, JsonObject, Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The gate's word about one night, on the first day of a run."""

    night: Night
    promoted: bool
    scaled_by: float | None = None
    """Share of the delta that passed where the whole did not."""
    passed: EvalReport | None = None
    """Of what was promoted, whole or a share."""
    refused_by: tuple[str, ...]
    """Rules that refused the whole night; `load` where there was nothing to ask."""


def judge(
    day: Day, night: Night, base: EvalReport, config: PromoteConfig, *, progress: Progress
) -> Verdict:
    """Decide, and try less of the delta where the night only forgot."""
    if night.report is None:
        return Verdict(night=night, promoted=False, refused_by=("load",))
    num_nights = day.session.config.num_cycles
    checks = check_night(night.report, base, base, [], config, num_nights=num_nights)
    rules = tuple(dict.fromkeys(one.rule for one in checks if one.state == "refused"))
    if not rules:
        return Verdict(night=night, promoted=True, passed=night.report, refused_by=())
    if failed_only_by_forgetting(checks):
        for factor in sorted(config.scale_factors, reverse=True):
            share = live_share(day, night.kind, night.seed, factor, progress=progress)
            halves = decide_by_halves(share, base, base, [], config, num_nights=num_nights)
            if all(half.promoted for half in halves):
                return Verdict(
                    night=night, promoted=True, scaled_by=factor, passed=share, refused_by=rules
                )
            if halves[0].promoted:
                break
    return Verdict(night=night, promoted=False, refused_by=rules)


def tabulate(verdicts: Sequence[Verdict]) -> list[JsonObject]:
    """One row a kind: {kind, nights, promoted, scaled, low, high, refused_by{rule: nights}}.

    `low` and `high` bound the share promoted (Wilson, 95 %).
    """
    rows = []
    for kind in dict.fromkeys(one.night.kind for one in verdicts):
        rows.append(_row(kind, [one for one in verdicts if one.night.kind == kind]))
    bad = [one for one in verdicts if one.night.kind in BAD]
    return [*rows, _row("all bad", bad)]


def _row(kind: str, verdicts: Sequence[Verdict]) -> JsonObject:
    promoted = sum(one.promoted for one in verdicts)
    low, high = wilson(promoted, len(verdicts))
    return {
        "kind": kind,
        "nights": len(verdicts),
        "promoted": promoted,
        "scaled": sum(one.scaled_by is not None for one in verdicts),
        "low": low,
        "high": high,
        "refused_by": dict(Counter(rule for one in verdicts for rule in one.refused_by)),
    }
