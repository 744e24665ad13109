"""Uptake: did the weights take in the insight? Questions that exist on any corpus.

The frozen base wrote them from each insight through the pack's `probe_*` templates, whose wordings
no training row uses. The answer is ranked by likelihood against answers of the same kind to
questions about other insights. An insight is the resampling unit, not a wording of it.

Only the insight's own answer counts as right. What another insight says may be right too, and is
then never a distractor: when it answers the very same question, or when its conclusion holds every
word that ties the question to its insight ("name something to relieve sonellemitis?" and "vomotide
may relieve sonellemitis").
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ddl_train.probes.lending import Draft, digest, lend
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
    probes = []
    for kind, drafts in sorted(_draft(usable, wanted, others).items()):
        for draft, choices in lend(drafts, num_distractors, seed):
            probes.append(
                Probe(
                    probe_id=f"uptake-{draft.number}-{kind}-{digest(draft.question)[:6]}",
                    prompt=draft.question,
                    answers=(draft.answer,),
                    choices=choices,
                    about=wanted[draft.number].conclusion,
                    kind=kind,
                    insight_id=draft.number,
                )
            )
    return sorted(probes, key=lambda one: (one.insight_id, one.kind, one.prompt))


def _draft(
    usable: Sequence[StudyItem], wanted: Mapping[int, Insight], others: Iterable[Insight]
) -> dict[str, list[Draft]]:
    """By kind, each question once, with all that is wrong for it."""
    by_kind: dict[str, list[StudyItem]] = {}
    right: dict[str, set[str]] = {}
    for item in usable:
        by_kind.setdefault(item.kind, []).append(item)
        right.setdefault(normalise(item.question), set()).add(normalise(item.answer))
    words = {one.insight_id: set(units(one.conclusion)) for one in [*wanted.values(), *others]}
    common = _common(words.values())
    drafts: dict[str, dict[tuple[int, str], Draft]] = {}
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
        draft = Draft(item.insight_id, item.question, item.answer, wrong)
        of_kind = drafts.setdefault(item.kind, {})
        of_kind.setdefault((item.insight_id, item.question), draft)
    return {kind: list(some.values()) for kind, some in drafts.items()}


def _common(texts: Iterable[set[str]]) -> set[str]:
    """Words that stand in more than half of the conclusions and so single out none."""
    texts = list(texts)
    counts = Counter(word for text in texts for word in text)
    return {word for word, count in counts.items() if 2 * count > len(texts)}
