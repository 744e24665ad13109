"""A placebo: questions as they were, with answers that are right to others.

A night that studied it has had the same rows of the same form, so it must not pass the gate, which
asks about the true pairing. It is not all untrue: a statement asked for (`restate`) is another
insight's, whole, and of answers such as `more` and `less` half are right by chance.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.records import StudyItem


def shuffle_answers(items: Sequence[StudyItem]) -> list[StudyItem]:
    """Give every question the answer to another insight's question of its kind.

    An insight that has more than half of a kind lends itself the answers that no other has.
    """
    shuffled = list(items)
    for kind in {item.kind for item in items}:
        places = [place for place, item in enumerate(items) if item.kind == kind]
        insights = sorted({items[place].insight_id for place in places})
        random.Random(f"{kind}/{len(places)}").shuffle(insights)
        places.sort(key=lambda place: insights.index(items[place].insight_id))
        # insights stand side by side, so that a step as long as the longest leads to another
        step = max(Counter(items[place].insight_id for place in places).values())
        others = places[step % len(places) :] + places[: step % len(places)]
        for place, other in zip(places, others, strict=True):
            shuffled[place] = replace(items[place], answer=items[other].answer)
    return shuffled
