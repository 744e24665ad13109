"""Work items: a call to an engine, cut into pieces that workers can take one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ddl_train.records import BASE, Usage

_REACH = 3


@dataclass(frozen=True, order=True, slots=True)
class Key:
    """Which items of which call: what tells an answer from another."""

    call: int
    """Number of the call; it rises over the life of an engine."""
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Neighbouring items of one call."""

    key: Key
    method: str
    """Of an engine: `generate`, `loglikelihood`, `integer_distribution`."""
    items: Sequence[Any]
    """First argument of the method."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Its keywords, all but `adapter`."""
    adapter: str = BASE
    """Content hash of the adapter it is answered with, or `base`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an engine returned for a chunk."""

    key: Key
    results: Any
    """A list, or an array with a row for each item."""
    usage: Usage


def cut(
    items: Sequence[Any], *, call: int, size: int, text: Callable[[Any], str]
) -> list[tuple[Key, Sequence[Any]]]:
    """Cut items into pieces of about `size`, between neighbours that have little in common.

    An engine reads once what neighbours begin with alike (three axes of one idea), so a cut between
    them would cost: a piece ends up to `_REACH` items from where it should, where the texts of two
    neighbours have least in common.

    Args:
        items: of one call.
        call: its number.
        size: items of a piece, 1 or more.
        text: what an engine reads of an item.
    """
    alike = [_num_alike(text(one), text(other)) for one, other in pairwise(items)]
    reach = min(_REACH, size // 2)
    pieces, start = [], 0
    while start < len(items):
        end = start + size
        if end < len(items):
            near = range(end - reach, min(end + reach, len(items) - 1) + 1)
            end = min(near, key=lambda place: (alike[place - 1], abs(place - start - size)))
        stop = min(end, len(items))
        pieces.append((Key(call, start, stop), items[start:stop]))
        start = stop
    return pieces


def _num_alike(one: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))
