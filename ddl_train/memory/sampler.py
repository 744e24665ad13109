"""Pair numbers, and random order without a table.

An unordered pair of concepts has the number i(i-1)/2 + j, where i > j are the concept ids counted
from 0. New concepts only add numbers at the end, so a number is for ever. Each growth of memory
adds a block to the number line; a block is visited through a keyed permutation of its interval, in
random order, every number once, and the only state is a counter.
"""

import hashlib
from bisect import bisect_right, insort
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from math import isqrt

_MASK = (1 << 64) - 1
_NUM_ROUNDS = 6


def pair_number(a_id: int, b_id: int) -> int:
    """Number of the pair of two different concept ids (from 1), in either order."""
    i, j = max(a_id, b_id) - 1, min(a_id, b_id) - 1
    if i == j or j < 0:
        raise ValueError(f"concepts {a_id} and {b_id} are no pair")
    return i * (i - 1) // 2 + j


def pair_ids(number: int) -> tuple[int, int]:
    """Concept ids of a pair number, the larger first."""
    i = (1 + isqrt(8 * number + 1)) // 2
    return i + 1, number - i * (i - 1) // 2 + 1


def num_pairs(num_concepts: int) -> int:
    """Pairs among so many concepts: the end of their number line."""
    return num_concepts * (num_concepts - 1) // 2


class KeyedPermutation:
    """A random-looking bijection of 0..n-1 that is computed, not stored.

    A balanced Feistel network permutes the next power of four; an image outside 0..n-1 is sent
    through again until it falls inside (cycle walking), which takes fewer than four rounds on
    average. The same n and key always give the same order.
    """

    def __init__(self, n: int, key: str) -> None:
        if n < 1:
            raise ValueError(f"a permutation needs at least one number; got {n}")
        self.n = n
        self._half_bits = max(1, ((n - 1).bit_length() + 1) // 2)
        self._half_mask = (1 << self._half_bits) - 1
        digest = hashlib.sha512(key.encode()).digest()
        self._keys = [int.from_bytes(digest[8 * r : 8 * r + 8], "big") for r in range(_NUM_ROUNDS)]

    def __call__(self, index: int) -> int:
        """The number that is visited at `index`."""
        self._check(index)
        value = self._encrypt(index)
        while value >= self.n:
            value = self._encrypt(value)
        return value

    def inverse(self, value: int) -> int:
        """The index at which `value` is visited."""
        self._check(value)
        index = self._decrypt(value)
        while index >= self.n:
            index = self._decrypt(index)
        return index

    def _check(self, number: int) -> None:
        if not 0 <= number < self.n:
            raise ValueError(f"{number} is outside 0..{self.n - 1}")

    def _encrypt(self, value: int) -> int:
        left, right = value >> self._half_bits, value & self._half_mask
        for key in self._keys:
            left, right = right, left ^ (_mix(right ^ key) & self._half_mask)
        return (left << self._half_bits) | right

    def _decrypt(self, value: int) -> int:
        left, right = value >> self._half_bits, value & self._half_mask
        for key in reversed(self._keys):
            left, right = right ^ (_mix(left ^ key) & self._half_mask), left
        return (left << self._half_bits) | right


class Block:
    """An interval of the number line, how far it has been visited, and in what order it is."""

    def __init__(self, *, first: int, num: int, key: str, counter: int) -> None:
        self.first = first
        self.num = num
        self.counter = counter
        self._key = key

    @property
    def num_left(self) -> int:
        return self.num - self.counter

    @cached_property
    def _permutation(self) -> KeyedPermutation:
        return KeyedPermutation(self.num, self._key)

    def take(self) -> int:
        """The next pair number; the counter moves on."""
        assert self.num_left > 0
        number = self.first + self._permutation(self.counter)
        self.counter += 1
        return number

    def peek(self, ahead: int) -> int:
        """The pair number that is visited so many numbers from now; nothing moves on."""
        assert 0 <= ahead < self.num_left
        return self.first + self._permutation(self.counter + ahead)

    def index_of(self, number: int) -> int | None:
        """When `number` is visited; None when it lies in another block."""
        if not self.first <= number < self.first + self.num:
            return None
        return self._permutation.inverse(number - self.first)


class NumberLine:
    """All blocks. Draws uniformly over every number that no block has come to yet.

    A draw costs the logarithm of the number of blocks: sums over them are made once.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks
        self._starts = [block.first for block in blocks]
        self._ends = list(accumulate(block.num_left for block in blocks))
        """Numbers that were left up to each block and with it when the line was made."""
        self._taken: list[int] = []
        """Places of the blocks that gave a number since, ascending, one for each number."""

    @property
    def num_left(self) -> int:
        return self._left_up_to(len(self.blocks) - 1) if self.blocks else 0

    @property
    def visited(self) -> list[int]:
        """Places of the blocks that gave a number."""
        return sorted(set(self._taken))

    def take(self, chance: float) -> int | None:
        """A number, from a block chosen by its remaining size with `chance` in [0, 1)."""
        left = self.num_left
        if not left:
            return None
        place = min(int(chance * left), left - 1)
        block = bisect_right(range(len(self.blocks)), place, key=self._left_up_to)
        insort(self._taken, block)
        return self.blocks[block].take()

    def ahead(self, chance: float) -> int | None:
        """A number that no block has come to yet, each alike, with `chance` in [0, 1).

        Nothing moves on: the same number may come again, here and when its turn comes.
        """
        left = self.num_left
        if not left:
            return None
        place = min(int(chance * left), left - 1)
        block = bisect_right(range(len(self.blocks)), place, key=self._left_up_to)
        return self.blocks[block].peek(place - (self._left_up_to(block - 1) if block else 0))

    def _left_up_to(self, block: int) -> int:
        return self._ends[block] - bisect_right(self._taken, block)

    def visit_of(self, number: int) -> tuple[int, int]:
        """Place of the block that holds a number, and when it is visited there; -1, -1 if none."""
        place = bisect_right(self._starts, number) - 1
        index = self.blocks[place].index_of(number) if place >= 0 else None
        return (-1, -1) if index is None else (place, index)


def _mix(value: int) -> int:
    """The finaliser of SplitMix64: every bit of the input moves every bit of the output."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
