"""A placebo: questions as they were, with answers that are right to others.

A night that studied it has had the same rows of the same form, so it must not pass the gate, which
asks about the true pairing. It is not all untrue: a statement asked for (`restate`) is another
insight's, whole, and of answers such as `more` and `less` half are right by chance.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.records import StudyItem


def shuffle_answers(items: Sequence[StudyItem]) -> list[StudyItem]:
    """Give every question the answer to another insight's question of its kind, where there is one."""
    shuffled = list(items)
    for kind in {item.kind for item in items}:
        places = [place for place, item in enumerate(items) if item.kind == kind]
        random.Random(f"{kind}/{len(places)}").shuffle(places)
        for place, other in zip(places, [*places[1:], *places[:1]], strict=True):
            shuffled[place] = replace(items[place], answer=items[other].answer)
    return shuffled
