"""Uptake: did the weights take in the insight? Questions that exist on any corpus.

The frozen base wrote them from each insight through the pack's `probe_*` templates, whose wordings
no training row uses. The answer is ranked by likelihood against answers of the same kind to
questions about other insights. An insight is the resampling unit, not a wording of it.

Only the insight's own answer counts as right. What another insight says may be right too, and is
then never a distractor: when it answers the very same question, or when its conclusion holds every
word that ties the question to its insight ("name something to relieve sonellemitis?" and "vomotide
may relieve sonellemitis").
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from ddl_train.probes.text import normalise, units
from ddl_train.records import Insight, Probe, StudyItem


def build_probes(
    insights: Iterable[Insight],
    items: Iterable[StudyItem],
    *,
    num_distractors: int,
    seed: int,
    others: Iterable[Insight] = (),
) -> list[Probe]:
    """One probe for each probe item of these insights, ordered by insight and kind.

    Args:
        insights: what is asked about.
        items: probe items of these and of any other insights; all of them lend distractors. Study
            items and items that failed their check are passed over.
        num_distractors: of each probe; items for which there are fewer are left out, so that
            chance is the same everywhere.
        seed: decides between distractors that fit equally well.
        others: insights that are not asked about but lend distractors.
    """
    usable = [item for item in items if item.family == "probe" and item.is_checked]
    by_kind: dict[str, list[StudyItem]] = {}
    right: dict[str, set[str]] = {}
    for item in usable:
        by_kind.setdefault(item.kind, []).append(item)
        right.setdefault(normalise(item.question), set()).add(normalise(item.answer))
    wanted = {insight.insight_id: insight for insight in insights}
    words = {one.insight_id: set(units(one.conclusion)) for one in [*wanted.values(), *others]}
    common = _common(words.values())
    probes: dict[str, Probe] = {}
    for item in sorted(usable, key=lambda one: (one.insight_id, one.kind, one.question)):
        if item.insight_id not in wanted:
            continue
        subject = set(units(item.question)) & words[item.insight_id]
        subject -= common | set(units(item.answer))
        lenders = [
            other
            for other in by_kind[item.kind]
            if not (subject and subject <= words.get(other.insight_id, set()))
        ]
        choices = _distractors(item, lenders, right[normalise(item.question)], seed)
        if len(choices) < num_distractors:
            continue
        probe_id = f"uptake-{item.insight_id}-{item.kind}-{_digest(item.question)[:6]}"
        probes.setdefault(
            probe_id,
            Probe(
                probe_id=probe_id,
                prompt=item.question,
                answers=(item.answer,),
                choices=tuple(choices[:num_distractors]),
                about=wanted[item.insight_id].conclusion,
                kind=item.kind,
                insight_id=item.insight_id,
            ),
        )
    return list(probes.values())


def _distractors(
    item: StudyItem, same_kind: Sequence[StudyItem], right: set[str], seed: int
) -> list[str]:
    """Wrong answers, the ones that look most like the right one first."""
    found: dict[str, str] = {}
    for other in same_kind:
        key = normalise(other.answer)
        if other.insight_id != item.insight_id and key not in right:
            found.setdefault(key, other.answer)
    question = normalise(item.question)
    return sorted(
        found.values(),
        key=lambda answer: (*_unlikeness(item.answer, answer), _digest(seed, question, answer)),
    )


def _common(texts: Iterable[set[str]]) -> set[str]:
    """Words that stand in more than half of the conclusions and so single out none."""
    texts = list(texts)
    counts = Counter(word for text in texts for word in text)
    return {word for word, count in counts.items() if 2 * count > len(texts)}


def _unlikeness(answer: str, other: str) -> tuple[int, int]:
    """Difference in length, then in the first and last unit: what would give an answer away."""
    mine, theirs = units(answer), units(other)
    ends = [len(mine) > 1 and mine[place] != theirs[place] for place in (0, -1) if mine and theirs]
    return abs(len(mine) - len(theirs)), sum(ends)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
