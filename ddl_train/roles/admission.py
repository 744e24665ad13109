"""The admission gate: which scored proposals become insights. Pure, and it says why."""

import math
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.config import WakeConfig
from ddl_train.records import AXES, Scores, Verdict


def admit(scores: Scores, config: WakeConfig) -> str | None:
    """Name the rule that refuses a proposal, or None. Same numbers in, same decision out."""
    for axis, least in (
        ("novelty", config.min_novelty),
        ("coherence", config.min_coherence),
        ("utility", config.min_utility),
    ):
        value = getattr(scores, axis)
        if least is not None and not value >= least:
            return f"{axis}: {_apart(value, least, 1)} is below {least:g}"
    if config.min_support is not None:
        if scores.support is None:
            return "support: was not measured"
        if not scores.support >= config.min_support:
            return (
                f"support: the conclusion has probability "
                f"{_apart(scores.support, config.min_support, 2)} a token under the frozen base, "
                f"below {config.min_support:g}"
            )
    if config.min_rederived is not None:
        if scores.rederived is None:
            return "rederived: was not measured"
        if not scores.rederived >= config.min_rederived:
            return (
                f"rederived: from its concepts in both orders the idea has probability "
                f"{_apart(scores.rederived, config.min_rederived, 2)} a token or less under the "
                f"frozen base, below {config.min_rederived:g}"
            )
    if config.max_disagreement is not None:
        if scores.disagreement is None:
            return "disagreement: was not measured"
        if not scores.disagreement <= config.max_disagreement:
            return (
                f"disagreement: {_apart(scores.disagreement, config.max_disagreement, 1)} points "
                f"between two orders of the criteria, above {config.max_disagreement:g}"
            )
    return None


def admit_again(scores: Scores | None, config: WakeConfig) -> str | None:
    """Why the larger critic refuses what would be admitted, or None; likelihoods are not its matter."""
    if scores is None:
        return "second: the larger critic's reply could not be read"
    own = config.cascade.second
    least = {f"min_{axis}": getattr(own, f"min_{axis}", None) for axis in AXES}
    unasked: dict[str, float | None] = {"min_support": None, "min_rederived": None}
    asked = unasked | {key: one for key, one in least.items() if one is not None}
    reason = admit(scores, config.model_copy(update=asked))
    return f"second: {reason}" if reason else None


def best_share(verdicts: Sequence[Verdict], share: float) -> list[int]:
    """Numbers of the best of what is admitted, by the sum of the axes; the share is rounded up."""
    standing = [n for n, verdict in enumerate(verdicts) if verdict.admitted]
    most = math.ceil(share * len(standing))
    return sorted(sorted(standing, key=lambda n: (-_sum(verdicts[n].scores), n))[:most])


def pick_quota(verdicts: Sequence[Verdict], room: int) -> list[Verdict]:
    """Keep the best `room` of what is admitted so far, by the sum of the axes.

    What was refused stays refused; of equals the earlier is kept.
    """
    standing = [n for n, verdict in enumerate(verdicts) if verdict.admitted and verdict.scores]
    best = sorted(standing, key=lambda n: (-_sum(verdicts[n].scores), n))
    kept = set(best[: max(room, 0)])
    return [
        replace(verdict, rejected_because=_not_picked(verdict, room))
        if n in standing and n not in kept
        else verdict
        for n, verdict in enumerate(verdicts)
    ]


def room_now(quota: int | None, done: int, total: int, admitted: int) -> int | None:
    """How many of a cycle's quota a batch may still admit: it is spread evenly over the pairs.

    Args:
        quota: of the cycle; None gives None.
        done: pairs dreamt on, this batch included.
        total: pairs of the cycle.
        admitted: in the cycle so far.
    """
    return None if quota is None else math.ceil(quota * done / total) - admitted


def _apart(value: float, limit: float, digits: int) -> str:
    """A number with at least so many digits, and as many as tell it from the limit it missed."""
    while float(text := f"{value:.{digits}f}") == limit and value != limit:
        digits += 1
    return text


def _sum(scores: Scores | None) -> float:
    return scores.novelty + scores.coherence + scores.utility if scores else float("-inf")


def _not_picked(verdict: Verdict, room: int) -> str:
    return f"quota: {_sum(verdict.scores):.1f} points are not among the best {max(room, 0)}"
