"""Read probabilities from forward passes: batched, and a shared beginning is computed once.

Questions that follow one another and begin alike (three axes of one idea, five answers to one
question) form a family: the beginning goes through the model once and its keys and values serve
every member. What families have in common (the instructions of the critic) is in turn read once for
all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ddl_train.engines.batches import pad_left
from ddl_train.engines.passes import can_share, forward
from ddl_train.engines.prefix import ALONE, MIN_TOKENS, Beginnings, Sharing, find_sharing
from ddl_train.engines.room import Room

MIN_SHARED_TOKENS = MIN_TOKENS
LIKELIEST = -1
"""Wanted in place of a token: the one that the model finds likeliest."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a model reads, and the tokens whose log-probability is asked after its last positions.

    `wanted[-1]` are candidates for the token after the last one read, `wanted[-2]` for the token
    after the one before, and so on. They may differ in number.
    """

    ids: list[int]
    wanted: list[list[int]]


@dataclass(frozen=True, slots=True)
class Family:
    """Queries with a common beginning; a beginning of 0 tokens is computed with each query."""

    num_shared: int
    members: list[int]
    owner: int = ALONE
    """Which of the beginnings that families share it begins with."""


class Scorer:
    """Answers queries with one model after another, in batches that fit."""

    def __init__(self, base: Any, *, pad: int, room: Room, device: torch.device) -> None:
        self.pad = pad
        self.device = device
        self.room = room
        self.can_share = can_share(base)

    def log_probs(
        self, model: Any, queries: Sequence[Query]
    ) -> tuple[list[list[list[float]]], int]:
        """For each query the log-probabilities of what it wants, and the tokens read in all."""
        results: list[list[list[float]]] = [[] for _ in queries]
        families, sharing = self._families(queries)
        common = Beginnings(model, sharing, pad=self.pad, device=self.device)
        num_tokens = sharing.num_tokens
        for batch in self._batches(queries, families):
            num_tokens += self._run(model, queries, batch, results, common)
        return results, num_tokens

    def _families(self, queries: Sequence[Query]) -> tuple[list[Family], Sharing]:
        """Queries grouped, and the beginnings that whole families have in common."""
        if not self.can_share:
            return [Family(0, [position]) for position in range(len(queries))], Sharing([], [])
        widest = max((len(query.wanted) for query in queries), default=1)
        families = find_families(queries, self.room.max_rows(widest))
        sharing = find_sharing(
            [_readable(family, queries) for family in families], most=self.room.batch_size
        )
        owned = [
            replace(family, owner=owner)
            for family, owner in zip(families, sharing.owners, strict=True)
        ]
        return owned, sharing

    def _batches(self, queries: Sequence[Query], families: Sequence[Family]) -> list[list[Family]]:
        """Families of like length together; longest first, so what does not fit fails at once."""

        def size(family: Family) -> tuple[bool, int, int]:
            return family.num_shared > 0, *_extent(family, queries)

        batches: list[list[Family]] = []
        rows, keep = 0, 0
        for family in sorted(families, key=size, reverse=True):
            wants = max(len(queries[member].wanted) for member in family.members)
            rows, keep = rows + len(family.members), max(keep, wants)
            fits = self.room.has_room(rows, keep)
            alike = batches and (batches[-1][0].num_shared > 0) == (family.num_shared > 0)
            if fits and alike:
                batches[-1].append(family)
            else:
                batches.append([family])
                rows, keep = len(family.members), wants
        return batches

    def _run(
        self,
        model: Any,
        queries: Sequence[Query],
        batch: Sequence[Family],
        results: list[list[list[float]]],
        common: Beginnings,
    ) -> int:
        """Answer a batch; the tokens read for it."""
        members = [member for family in batch for member in family.members]
        keep = max(len(queries[member].wanted) for member in members)
        longest = max(len(queries[member].ids) for member in members)
        self.room.check(len(members), longest, keep)
        read = [common.length(family.owner) for family in batch]
        cache, past = common.lend([family.owner for family in batch])
        num_tokens = 0
        if batch[0].num_shared:
            beginnings = [
                queries[family.members[0]].ids[start : family.num_shared]
                for family, start in zip(batch, read, strict=True)
            ]
            num_tokens += sum(map(len, beginnings))
            cache, past = self._read_shared(model, batch, beginnings, cache, past)
            read = [family.num_shared for family in batch]
        rests = [queries[m].ids[n:] for f, n in zip(batch, read, strict=True) for m in f.members]
        padded = pad_left(rests, self.pad, self.device)
        num_tokens += sum(map(len, rests))
        logits = forward(model, padded, keep, cache=cache, past=past).logits
        for row, member in enumerate(members):
            results[member] = _pick(logits[row], queries[member].wanted)
        return num_tokens

    def _read_shared(
        self,
        model: Any,
        batch: Sequence[Family],
        beginnings: Sequence[list[int]],
        cache: Any,
        past: torch.Tensor | None,
    ) -> tuple[Any, torch.Tensor | None]:
        """Keys and values of each family's beginning, repeated for each of its members."""
        if any(beginnings):
            padded = pad_left(beginnings, self.pad, self.device)
            cache = forward(model, padded, 1, cache=cache, past=past, use_cache=True)
            cache = cache.past_key_values
            mask = padded.attention_mask
            past = mask if past is None else torch.cat([past, mask], dim=1)
        assert past is not None, "a family shares a beginning, whoever has read it"
        numbers = [number for number, family in enumerate(batch) for _ in family.members]
        rows = torch.tensor(numbers, device=self.device)
        cache.reorder_cache(rows)
        return cache, past[rows]


def find_families(queries: Sequence[Query], max_members: int) -> list[Family]:
    """Group neighbours that share at least half of what they read.

    A query that would cost a family much of what it shares already begins another.
    """
    families: list[Family] = []
    for position, query in enumerate(queries):
        last = families[-1] if families else None
        if last is not None and len(last.members) < max_members:
            shared = _num_shared(queries[last.members[0]], query, last.num_shared)
            enough = max(MIN_SHARED_TOKENS, len(query.ids) / 2, 0.9 * last.num_shared)
            if shared >= enough:
                families[-1] = Family(shared, [*last.members, position])
                continue
        families.append(Family(0, [position]))
    return families


def _num_shared(first: Query, other: Query, limit: int) -> int:
    """Tokens that two queries have in common before the positions that are asked about."""
    room = min(len(query.ids) - len(query.wanted) for query in (first, other))
    room = min(room, limit or room)
    shared = 0
    while shared < room and first.ids[shared] == other.ids[shared]:
        shared += 1
    return shared


def _readable(family: Family, queries: Sequence[Query]) -> list[int]:
    """What a family may share with others: what its members share, or all that is not asked."""
    first = queries[family.members[0]]
    return first.ids[: family.num_shared or -len(first.wanted)]


def _extent(family: Family, queries: Sequence[Query]) -> tuple[int, int]:
    return max(len(queries[member].ids) for member in family.members), -family.members[0]


def _pick(logits: torch.Tensor, wanted: Sequence[Sequence[int]]) -> list[list[float]]:
    """Log-probabilities of the wanted tokens at the last positions of one row."""
    tail = logits[-len(wanted) :].float()
    width = max(map(len, wanted))
    ids = torch.tensor([[*some, *[0] * (width - len(some))] for some in wanted]).to(tail.device)
    ids = torch.where(ids == LIKELIEST, tail.argmax(-1, keepdim=True), ids)
    picked = tail.gather(1, ids) - tail.logsumexp(-1, keepdim=True)
    return [row[: len(some)] for row, some in zip(picked.tolist(), wanted, strict=True)]
