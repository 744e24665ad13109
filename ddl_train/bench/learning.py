"""What the nights put into the weights and what they took, read from the exam of a cell.

The matrix holds, for every cycle after which was asked (row) and every cycle in which an insight
was admitted (column), how many of its uptake questions the adapter in use then answers; above the
diagonal they are not dreamt yet. An insight is taught by the first night after it that is kept.
Backward transfer is the mean, over the insights that were taught before the last night that was kept,
of what is right now less what was right when just taught (Lopez-Paz and Ranzato 2017,
arXiv:1706.08840, where every night is kept and tasks, here cycles, are of one size).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ddl_train.records import BASE, JsonObject

Share = tuple[int, int]
"""Right, of how many asked."""


class Change(NamedTuple):
    """A difference between two sets of answers to the same questions, or a mean of shares."""

    value: float
    error: float
    """Standard error, what is asked about the same thing taken together; infinite for one thing.
    Never less than if half a thing more had been gained and half a thing lost (Agresti and Min
    2005, Statistics in Medicine 24): that nothing changed among thirty does not say that nothing
    does."""
    num_items: int
    is_share: bool = False
    """Whether it is a mean of shares, which cannot leave 0 to 1; a difference can."""


def ratio(share: Sequence[int]) -> float | None:
    return share[0] / share[1] if share[1] else None


def exam_share(exam: JsonObject, group: str, who: str) -> Share:
    """What an adapter, `told` or `retrieved` got right of a group, or of all that begin so."""
    marks = [mark for _, _, mark in _marks(exam, group, who)]
    return sum(marks), len(marks)


def known_whole(exam: JsonObject, who: str) -> Share:
    """Insights of which both ways are right and the sign is not flipped, of those asked all three.

    Answers are picked among ends of other insights: most can be picked by who knows which two names
    belong together and nothing of how. This cannot.
    """
    marks = [
        {about: mark for about, _, mark in _marks(exam, group, who)}
        for group in ("uptake/forward", "uptake/reverse", "flip")
    ]
    asked = [
        [mine[about] for mine in marks] for about in marks[0] if all(about in one for one in marks)
    ]
    return sum(one == [1, 1, 0] for one in asked), len(asked)


def now(exam: JsonObject) -> str:
    """The adapter in use at the end."""
    return exam["in_use"][-1] if exam["in_use"] else BASE


def lost(exam: JsonObject, group: str) -> Change | None:
    """Base less what is in use at the end, as shares."""
    before, after = (_marks(exam, group, who) for who in (BASE, now(exam)))
    return change_of(
        [
            (about, was - is_now)
            for (about, _, was), (_, _, is_now) in zip(before, after, strict=True)
        ]
    )


def change_of(differences: Iterable[tuple[str, float]]) -> Change | None:
    """Mean difference of items, each with what it is about; None where there is none."""
    of_thing: dict[str, list[float]] = {}
    for about, difference in differences:
        of_thing.setdefault(about, []).append(difference)
    if not of_thing:
        return None
    num_items, k = sum(map(len, of_thing.values())), len(of_thing)
    value = sum(map(sum, of_thing.values())) / num_items
    spread = sum((sum(some) - value * len(some)) ** 2 for some in of_thing.values())
    error = math.sqrt(spread * k / (k - 1)) / num_items if k > 1 else math.inf
    return Change(value, max(error, 1 / (k + 2)), num_items)


def matrix(exam: JsonObject) -> list[list[Share]]:
    """[cycle asked after][cycle admitted in] -> right and asked, both ways together."""
    size = len(exam["in_use"])
    rows = []
    for version in exam["in_use"]:
        row = [(0, 0)] * size
        for _, cycle, mark in _marks(exam, "uptake", version):
            row[cycle] = row[cycle][0] + mark, row[cycle][1] + 1
        rows.append(row)
    return rows


def base_row(exam: JsonObject) -> list[Share]:
    """The same row of the base."""
    row = [(0, 0)] * len(exam["in_use"])
    for _, cycle, mark in _marks(exam, "uptake", BASE):
        row[cycle] = row[cycle][0] + mark, row[cycle][1] + 1
    return row


def taught_after(in_use: Sequence[str]) -> list[int | None]:
    """For each cycle the first at or after it whose night was kept; None where none was."""
    kept = [
        cycle for cycle, one in enumerate(in_use) if one != (in_use[cycle - 1] if cycle else BASE)
    ]
    return [next((night for night in kept if night >= cycle), None) for cycle in range(len(in_use))]


def backward_transfer(exam: JsonObject) -> Change | None:
    """As said above; None until two nights were kept."""
    taught = taught_after(exam["in_use"])
    last = max((night for night in taught if night is not None), default=None)
    differences = []
    for cycle, night in enumerate(taught):
        if night is None or night == last:
            continue
        before, after = (_marks(exam, "uptake", who) for who in (exam["in_use"][night], now(exam)))
        differences += [
            (about, is_now - was)
            for (about, admitted, was), (_, _, is_now) in zip(before, after, strict=True)
            if admitted == cycle
        ]
    return change_of(differences)


def forgetting(exam: JsonObject) -> float | None:
    """Mean over earlier cycles of the best there ever was less what is right now.

    Chaudhry et al. 2018 (arXiv:1801.10112).
    """
    rows = matrix(exam)
    drops = []
    for cycle in range(len(rows) - 1):
        ever = [found for row in rows[cycle:-1] if (found := ratio(row[cycle])) is not None]
        if ever:
            drops.append(max(ever) - (ratio(rows[-1][cycle]) or 0.0))
    return _mean(drops)


def forward_transfer(exam: JsonObject) -> float | None:
    """Mean over cycles of what was right of their insights before they were dreamt, less the base."""
    rows, base = matrix(exam), base_row(exam)
    gains = []
    for cycle in range(1, len(rows)):
        before, plain = ratio(rows[cycle - 1][cycle]), ratio(base[cycle])
        if before is not None and plain is not None:
            gains.append(before - plain)
    return _mean(gains)


def average_accuracy(exam: JsonObject) -> float | None:
    """Mean over cycles of what is right of their insights at the end."""
    return _mean(found for one in matrix(exam)[-1:] for x in one if (found := ratio(x)) is not None)


def _marks(exam: JsonObject, group: str, who: str) -> list[tuple[str, int, int]]:
    """What each item is about, its cycle, and 1 for right; what was not asked is left out."""
    return [
        (about, cycle, int(mark))
        for (name, about, cycle), mark in zip(exam["items"], exam["answers"][who], strict=True)
        if (name == group or name.startswith(f"{group}/")) and mark != "-"
    ]


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None
