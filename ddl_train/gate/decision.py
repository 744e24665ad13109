"""From checks to a decision: one refusal refuses, and every reason and figure is kept."""

import math
from collections.abc import Sequence

from ddl_train.gate.checks import Check
from ddl_train.records import Promotion


def decide(candidate: str, checks: Sequence[Check]) -> Promotion:
    """What the checks of one adapter come to; figures that are no numbers are left out."""
    numbers = {
        key: value
        for check in checks
        for key, value in check.numbers.items()
        if math.isfinite(value)
    }
    return Promotion(
        candidate=candidate,
        promoted=all(check.state != "refused" for check in checks),
        reasons=tuple(f"{check.state}: {check.sentence}" for check in checks),
        numbers=numbers,
    )
