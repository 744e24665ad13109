"""Beginnings that sequences have in common: read once, their keys and values lent to every row.

The instructions before two notes are the same for every pair. As in prefix caching of serving
engines (Zheng et al., SGLang, 2024), such a beginning goes through the model once for a whole call;
unlike there it is copied to each row of a batch, so that it saves the reading and not the memory.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ddl_train.engines.batches import pad_left
from ddl_train.engines.passes import forward

MIN_TOKENS = 16
"""Shorter beginnings are read with each sequence."""
MIN_SAVED = 1024
"""Tokens that a beginning must save in all to be worth a pass of its own."""
MAX_BEGINNINGS = 8
"""Of a call: all of them are held for as long as it takes. Each way to ask has one."""
ALONE = -1
"""Owner of a sequence that shares nothing."""

Group = tuple[int, list[int]]
"""Tokens that are shared, and the places of the sequences that share them."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which sequences begin alike."""

    beginnings: list[list[int]]
    owners: list[int]
    """For each sequence the place of its beginning, or `ALONE`."""

    @property
    def num_tokens(self) -> int:
        """Of all beginnings, each counted once."""
        return sum(map(len, self.beginnings))

    def length(self, owner: int) -> int:
        """Tokens of one beginning; none for `ALONE`."""
        return 0 if owner == ALONE else len(self.beginnings[owner])


def find_sharing(sequences: Sequence[Sequence[int]], *, most: int) -> Sharing:
    """Group sequences by their beginnings so that most tokens are saved.

    Args:
        sequences: what of each may be shared; a caller leaves out what each row must read itself.
        most: beginnings; no more than `MAX_BEGINNINGS` either.
    """
    groups = [
        (length, members)
        for length, members in _split(sequences, list(range(len(sequences))), 0)
        if length >= MIN_TOKENS and _saved((length, members)) >= MIN_SAVED
    ]
    groups.sort(key=_saved, reverse=True)
    groups = groups[: min(most, MAX_BEGINNINGS)]
    owners = [ALONE] * len(sequences)
    for number, (_, members) in enumerate(groups):
        for place in members:
            owners[place] = number
    return Sharing([list(sequences[members[0]][:length]) for length, members in groups], owners)


def _split(sequences: Sequence[Sequence[int]], members: list[int], start: int) -> list[Group]:
    """These sequences, which agree on `start` tokens, as the groups that save most."""
    if len(members) < 2:
        return []
    length = start + num_common(*_furthest([sequences[place][start:] for place in members]))
    further: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place in members:
        further[tuple(sequences[place][length : length + MIN_TOKENS])].append(place)
    deeper = [
        group
        for ids, places in further.items()
        if len(ids) == MIN_TOKENS
        for group in _split(sequences, places, length + MIN_TOKENS)
    ]
    whole = (length, members)
    return deeper if sum(map(_saved, deeper)) > _saved(whole) else [whole]


def _saved(group: Group) -> int:
    """Tokens that need not be read again."""
    length, members = group
    return (len(members) - 1) * length


def num_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that two sequences begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _furthest(sequences: Sequence[Sequence[int]]) -> tuple[Sequence[int], Sequence[int]]:
    """First and last in order: what these two begin with alike all begin with."""
    return min(sequences), max(sequences)  # type: ignore[type-var]


class Beginnings:
    """The shared beginnings of one call, read by one model."""

    def __init__(self, model: Any, sharing: Sharing, *, pad: int, device: torch.device) -> None:
        self._sharing = sharing
        self._mask = torch.zeros(0, 0)
        if sharing.beginnings:
            padded = pad_left(sharing.beginnings, pad, device)
            self._mask = padded.attention_mask
            self._cache = forward(model, padded, 1, use_cache=True).past_key_values

    def length(self, owner: int) -> int:
        """Tokens of one beginning; none for `ALONE`."""
        return self._sharing.length(owner)

    def lend(self, owners: Sequence[int]) -> tuple[Any, torch.Tensor | None]:
        """Keys and values for rows with these owners, and which of them each row may look at.

        (None, None) where no row shares anything.
        """
        longest = max(map(self._sharing.length, owners))
        if not longest:
            return None, None
        device = self._mask.device
        rows = torch.tensor([max(owner, 0) for owner in owners], device=device)
        shares = torch.tensor([owner != ALONE for owner in owners], device=device)
        cache = copy.copy(self._cache)
        cache.layers = [copy.copy(layer) for layer in self._cache.layers]
        for layer in cache.layers:
            # [rows, heads, length, width of a head]
            layer.keys = layer.keys[rows, :, -longest:]
            layer.values = layer.values[rows, :, -longest:]
        return cache, self._mask[rows, -longest:] * shares[:, None]
