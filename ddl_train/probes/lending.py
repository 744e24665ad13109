"""Which wrong answers stand beside a right one.

Some answers are right for many questions, and a night learns which, even from shuffled answers. Were
each of the others as likely to stand beside the right one, guessing the frequent ones would be right
twice as often as chance. So an answer is lent in proportion to how often it is right elsewhere, and
none is right in more questions than chance could make it.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddl_train.probes.text import normalise, units


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that is to have wrong answers beside its right one."""

    number: int
    """Of what it is about."""
    question: str
    answer: str
    wrong: Mapping[str, str]
    """What may stand beside it, by normalised answer."""

    @property
    def key(self) -> str:
        return normalise(self.answer)


def lend(
    drafts: Sequence[Draft], num_distractors: int, seed: int
) -> Iterator[tuple[Draft, tuple[str, ...]]]:
    """Wrong answers for each question: what looks most like the right one, and was lent too little.

    An answer is lent in proportion to the questions it is right for. Who has only learned which
    answers are frequent finds them among the wrong ones too, and gains next to nothing.

    Args:
        drafts: questions that lend each other their answers. Left out is what has too few wrong
            ones, and what is asked for an answer that is right too often to be lent in proportion.
        num_distractors: beside each right answer.
        seed: decides between answers that fit equally well.
    """
    asked = [draft for draft in drafts if len(draft.wrong) >= num_distractors]
    asked.sort(key=lambda one: digest(seed, one.number, one.question))
    asked = _rarefy(asked, num_distractors)
    num_right = Counter(draft.key for draft in asked)
    num_lent: Counter[str] = Counter()
    for draft in asked:
        ranks = {
            key: (
                *_unlikeness(draft.answer, answer),
                (num_lent[key] + 1) / num_right[key] if num_right[key] else math.inf,
                digest(seed, draft.question, key),
            )
            for key, answer in draft.wrong.items()
        }
        chosen = sorted(ranks, key=ranks.__getitem__)[:num_distractors]
        num_lent.update(chosen)
        yield draft, tuple(draft.wrong[key] for key in chosen)


def _rarefy(asked: Sequence[Draft], num_distractors: int) -> list[Draft]:
    """Leave out questions until no answer is right more often than chance could make it."""
    kept = list(asked)
    while True:
        most = max(1, len(kept) // (num_distractors + 1))
        seen: Counter[str] = Counter()
        rare = []
        for draft in kept:
            seen[draft.key] += 1
            if seen[draft.key] <= most:
                rare.append(draft)
        if len(rare) == len(kept):
            return kept
        kept = rare


def _unlikeness(answer: str, other: str) -> tuple[int, int]:
    """Difference in length, then in the first and last unit: what would give an answer away."""
    mine, theirs = units(answer), units(other)
    ends = [len(mine) > 1 and mine[place] != theirs[place] for place in (0, -1) if mine and theirs]
    return abs(len(mine) - len(theirs)), sum(ends)


def digest(*parts: object) -> str:
    """Decides between equals, the same way for the same seed."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
