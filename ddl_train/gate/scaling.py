"""A night refused only for forgetting, with less of its delta: which share, and whether that passes.

The share is chosen on one half of the items and decided on the other, so that the choice cannot
flatter the decision. Halves are drawn by the hash of the cluster: items of one insight stay
together, and every adapter has the same halves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.records import EvalReport, ItemResult

CHOOSE, DECIDE = 0, 1
"""The two halves."""


def half_of(report: EvalReport, half: int) -> EvalReport:
    """The items and texts of one half, in their order.

    A set of texts too small to be parted stands in both: its loss has no say in the choice that it
    would not have in the decision.
    """
    return replace(
        report,
        items=tuple(item for item in report.items if _half(*_place(item)) == half),
        losses={name: _half_of_texts(name, losses, half) for name, losses in report.losses.items()},
        divergences={
            name: _half_of_texts(name, values, half) for name, values in report.divergences.items()
        },
    )


def in_words(factors: Sequence[float]) -> str:
    return ", ".join(f"{factor:g}" for factor in factors)


def _place(item: ItemResult) -> tuple[str, str]:
    return item.suite, item.cluster or item.probe_id


def _half(*parts: str) -> int:
    return hashlib.sha256("\n".join(parts).encode()).digest()[0] & 1


def _half_of_texts(name: str, losses: Sequence[float], half: int) -> tuple[float, ...]:
    parted = [_half(name, str(number)) == half for number in range(len(losses))]
    if all(parted) or not any(parted):
        return tuple(losses)
    return tuple(loss for loss, is_mine in zip(losses, parted, strict=True) if is_mine)
