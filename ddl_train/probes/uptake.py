"""Uptake: did the weights take in the insight? Questions that exist on any corpus.

The frozen base wrote them from each insight through the pack's `probe_*` templates, whose wordings
no training row uses. The answer is ranked by likelihood against answers of the same kind to
questions about other insights. An insight is the resampling unit, not a wording of it.

Only the insight's own answer counts as right. What another insight says may be right too, and is
then never a distractor: when it answers the very same question, or when its conclusion holds every
word that ties the question to its insight ("name something to relieve sonellemitis?" and "vomotide
may relieve sonellemitis").

Some answers are right for many questions, and a night learns which, even from shuffled answers. Were
each of the others as likely to stand beside the right one, guessing the frequent ones would be right
twice as often as chance. So an answer is lent in proportion to how often it is right elsewhere.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ddl_train.probes.text import normalise, units
from ddl_train.records import Insight, Probe, StudyItem


class _Draft(NamedTuple):
    """A question that can be asked: there are enough wrong answers to choose from."""

    item: StudyItem
    key: str
    """Its answer, normalised."""
    wrong: Mapping[str, str]
    """Answers to questions about other insights, by normalised answer."""


def build_probes(
    insights: Iterable[Insight],
    items: Iterable[StudyItem],
    *,
    num_distractors: int,
    seed: int,
    others: Iterable[Insight] = (),
) -> list[Probe]:
    """At most one probe for each probe item of these insights, ordered by insight and kind.

    Args:
        insights: what is asked about.
        items: probe items of these and of any other insights; all of them lend distractors. Study
            items and items that failed their check are passed over.
        num_distractors: of each probe; items for which there are fewer are left out, so that
            chance is the same everywhere. So are items whose answer is right too often to be
            lent in proportion.
        seed: decides between distractors that fit equally well.
        others: insights that are not asked about but lend distractors.
    """
    usable = [item for item in items if item.family == "probe" and item.is_checked]
    wanted = {insight.insight_id: insight for insight in insights}
    drafts = _draft(usable, wanted, others, num_distractors)
    probes = []
    for kind in sorted({draft.item.kind for draft in drafts}):
        asked = [draft for draft in drafts if draft.item.kind == kind]
        asked.sort(key=lambda one: _digest(seed, one.item.insight_id, one.item.question))
        for item, choices in _lend(_rarefy(asked, num_distractors), num_distractors, seed):
            probes.append(
                Probe(
                    probe_id=f"uptake-{item.insight_id}-{kind}-{_digest(item.question)[:6]}",
                    prompt=item.question,
                    answers=(item.answer,),
                    choices=choices,
                    about=wanted[item.insight_id].conclusion,
                    kind=kind,
                    insight_id=item.insight_id,
                )
            )
    return sorted(probes, key=lambda one: (one.insight_id, one.kind, one.prompt))


def _draft(
    usable: Sequence[StudyItem],
    wanted: Mapping[int, Insight],
    others: Iterable[Insight],
    num_distractors: int,
) -> list[_Draft]:
    """Each question once, with all that is wrong for it."""
    by_kind: dict[str, list[StudyItem]] = {}
    right: dict[str, set[str]] = {}
    for item in usable:
        by_kind.setdefault(item.kind, []).append(item)
        right.setdefault(normalise(item.question), set()).add(normalise(item.answer))
    words = {one.insight_id: set(units(one.conclusion)) for one in [*wanted.values(), *others]}
    common = _common(words.values())
    drafts: dict[tuple[int, str, str], _Draft] = {}
    for item in sorted(usable, key=lambda one: (one.insight_id, one.kind, one.question)):
        if item.insight_id not in wanted:
            continue
        subject = set(units(item.question)) & words[item.insight_id]
        subject -= common | set(units(item.answer))
        wrong: dict[str, str] = {}
        for other in by_kind[item.kind]:
            key = normalise(other.answer)
            if (
                other.insight_id != item.insight_id
                and key not in right[normalise(item.question)]
                and not (subject and subject <= words.get(other.insight_id, set()))
            ):
                wrong.setdefault(key, other.answer)
        if len(wrong) >= num_distractors:
            draft = _Draft(item, normalise(item.answer), wrong)
            drafts.setdefault((item.insight_id, item.kind, item.question), draft)
    return list(drafts.values())


def _rarefy(asked: Sequence[_Draft], num_distractors: int) -> list[_Draft]:
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


def _lend(
    asked: Sequence[_Draft], num_distractors: int, seed: int
) -> Iterator[tuple[StudyItem, tuple[str, ...]]]:
    """Wrong answers for each question: what looks most like the right one, and was lent too little.

    An answer is lent in proportion to the questions it is right for. Who has only learned which
    answers are frequent finds them among the wrong ones too, and gains next to nothing.
    """
    num_right = Counter(draft.key for draft in asked)
    num_lent: Counter[str] = Counter()
    for item, _, wrong in asked:
        ranks = {
            key: (
                *_unlikeness(item.answer, answer),
                (num_lent[key] + 1) / num_right[key] if num_right[key] else math.inf,
                _digest(seed, item.question, key),
            )
            for key, answer in wrong.items()
        }
        chosen = sorted(ranks, key=ranks.__getitem__)[:num_distractors]
        num_lent.update(chosen)
        yield item, tuple(wrong[key] for key in chosen)


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
