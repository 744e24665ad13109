"""Which insights a report shows: the best, the strangest, and what the deepest ones rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddl_train.records import Concept, Insight

NUM_CARDS = 4
NUM_TREES = 3
MAX_BRANCHES = 40
"""Nodes of one tree; a lineage can be larger than a page."""
MAX_LETTERS = 600
"""Of one text on the page; `insights --json` has it whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parent:
    """One of the two concepts that an idea came from."""

    text: str
    place: str
    """`insight 12`, or the source and the position of the piece."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """An insight with all that says why it is there."""

    insight: Insight
    text: str
    parents: tuple[Parent, ...]
    cosine: float | None
    """Of the two parents in memory; None when memory has no vectors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A node of a lineage: an insight with what it rests on, or a document."""

    insight_id: int | None
    text: str
    place: str
    cycle: int
    parents: tuple["Branch", ...] = ()
    note: str = ""
    """Why it is not unfolded, where it is not."""


def best(insights: Sequence[Insight]) -> list[Insight]:
    """Highest by the sum of the critic's scores; of equals the better supported, then the older."""
    return sorted(insights, key=lambda one: (-_sum(one), -(one.scores.support or 0)))[:NUM_CARDS]


def strangest(
    insights: Sequence[Insight], cosines: Mapping[int, float], but: Sequence[Insight] = ()
) -> list[Insight]:
    """Those whose two parents lie farthest apart in memory; without vectors the most novel.

    Args:
        insights: to choose from.
        cosines: of `landscape.parent_cosines`.
        but: shown elsewhere already.
    """
    taken = {one.insight_id for one in but}
    left = [one for one in insights if one.insight_id not in taken]
    if not cosines:
        return sorted(left, key=lambda one: -one.scores.novelty)[:NUM_CARDS]
    known = [one for one in left if one.insight_id in cosines]
    return sorted(known, key=lambda one: cosines[one.insight_id])[:NUM_CARDS]


def card(
    insight: Insight,
    concepts: Mapping[int, Concept],
    insights: Mapping[int, Insight],
    cosines: Mapping[int, float],
) -> Card:
    """Everything about one insight.

    Args:
        insight: to be shown.
        concepts: by id.
        insights: by the id of the concept they became.
        cosines: of `landscape.parent_cosines`.
    """
    return Card(
        insight=insight,
        text=shortened(insight.text),
        parents=tuple(
            Parent(text=shortened(concepts[one].text), place=_place(concepts[one], insights))
            for one in insight.parents
        ),
        cosine=cosines.get(insight.insight_id),
    )


def deepest_lineages(insights: Sequence[Insight], concepts: Mapping[int, Concept]) -> list[Branch]:
    """Trees of the deepest insights that rest on other insights, none inside another."""
    of_concept = {one.concept_id: one for one in insights}
    trees: list[Branch] = []
    seen: set[int] = set()
    for one in sorted(insights, key=lambda one: (-one.depth, one.insight_id)):
        if len(trees) == NUM_TREES or one.depth < 2:
            break
        if one.concept_id not in seen:
            trees.append(_branch(one.concept_id, concepts, of_concept, set(), MAX_BRANCHES))
            seen |= _insights_below(one.concept_id, of_concept)
    return trees


def shortened(text: str) -> str:
    """At most `MAX_LETTERS`, with an ellipsis where something is left out."""
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1].rstrip() + "…"


def _branch(
    concept_id: int,
    concepts: Mapping[int, Concept],
    insights: Mapping[int, Insight],
    shown: set[int],
    room: int,
) -> Branch:
    """Unfold a concept; `shown` grows with every insight that has been, in this tree."""
    concept, insight = concepts[concept_id], insights.get(concept_id)
    text, place = shortened(concept.text), _place(concept, insights)
    if insight is None:
        return Branch(insight_id=None, text=text, place=place, cycle=concept.cycle)
    number, cycle, note = insight.insight_id, insight.cycle, ""
    parents: tuple[Branch, ...] = ()
    if concept_id in shown:
        note = "as above"
    elif len(shown) >= room:
        note = f"ddl-train insights RUN --lineage {number}"
    else:
        shown.add(concept_id)
        parents = tuple(_branch(one, concepts, insights, shown, room) for one in insight.parents)
    return Branch(
        insight_id=number, text=text, place=place, cycle=cycle, parents=parents, note=note
    )


def _insights_below(concept_id: int, insights: Mapping[int, Insight]) -> set[int]:
    found: set[int] = set()
    waiting = [concept_id]
    while waiting:
        one = waiting.pop()
        if one in insights and one not in found:
            found.add(one)
            waiting += insights[one].parents
    return found


def _place(concept: Concept, insights: Mapping[int, Insight]) -> str:
    if concept.concept_id in insights:
        return f"insight {insights[concept.concept_id].insight_id}"
    return f"{concept.source}, piece {concept.position + 1}"


def _sum(insight: Insight) -> float:
    scores = insight.scores
    return scores.novelty + scores.coherence + scores.utility
