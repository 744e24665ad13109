"""Which insights a report shows: the best, the strangest, and what the deepest ones rest on."""

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ddl_train.records import Concept, Insight

NUM_CARDS = 4
NUM_TREES = 3
MAX_UNFOLDED = 20
"""Insights of one tree that are unfolded; a lineage can be larger than a page."""
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
    """Highest by the sum of the critic's scores; of equals the likelier, then the older."""
    return sorted(insights, key=lambda one: (-_sum(one), -one.scores.likelihood))[:NUM_CARDS]


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
    root: str = "",
) -> Card:
    """Everything about one insight.

    Args:
        insight: to be shown.
        concepts: by id.
        insights: by the id of the concept they became.
        cosines: of `landscape.parent_cosines`.
        root: of `source_root`, left out of the names of sources.
    """
    return Card(
        insight=insight,
        text=shortened(insight.text),
        parents=tuple(
            Parent(text=shortened(concepts[one].text), place=_place(concepts[one], insights, root))
            for one in insight.parents
        ),
        cosine=cosines.get(insight.insight_id),
    )


def source_root(concepts: Mapping[int, Concept]) -> str:
    """The folder that all sources lie in, with a slash at its end; empty when there is none."""
    documents = [one for one in concepts.values() if one.kind == "document"]
    folders = {PurePosixPath(one.source).parent for one in documents}
    if len({folder.is_absolute() for folder in folders}) != 1:
        return ""
    common = os.path.commonpath(sorted(map(str, folders))).rstrip("/")
    return "" if common in ("", ".") else f"{common}/"


def deepest_lineages(
    insights: Sequence[Insight], concepts: Mapping[int, Concept], root: str = ""
) -> list[Branch]:
    """Trees of the deepest insights that rest on other insights, none inside another."""
    of_concept = {one.concept_id: one for one in insights}
    trees: list[Branch] = []
    seen: set[int] = set()
    for one in sorted(insights, key=lambda one: (-one.depth, one.insight_id)):
        if len(trees) == NUM_TREES or one.depth < 2:
            break
        if one.concept_id not in seen:
            trees.append(_branch(one.concept_id, concepts, of_concept, root, set()))
            seen |= _insights_below(one.concept_id, of_concept)
    return trees


def shortened(text: str) -> str:
    """At most `MAX_LETTERS`, with an ellipsis where something is left out."""
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1].rstrip() + "…"


def _branch(
    concept_id: int,
    concepts: Mapping[int, Concept],
    insights: Mapping[int, Insight],
    root: str,
    shown: set[int],
) -> Branch:
    """Unfold a concept; `shown` grows with every insight of this tree that has been."""
    concept, insight = concepts[concept_id], insights.get(concept_id)
    note = ""
    parents: tuple[Branch, ...] = ()
    if insight is not None and concept_id in shown:
        note = "as above"
    elif insight is not None and len(shown) >= MAX_UNFOLDED:
        note = f"more: ddl-train insights RUN --lineage {insight.insight_id}"
    elif insight is not None:
        shown.add(concept_id)
        parents = tuple(_branch(one, concepts, insights, root, shown) for one in insight.parents)
    return Branch(
        insight_id=None if insight is None else insight.insight_id,
        text=shortened(concept.text),
        place=_place(concept, insights, root),
        cycle=concept.cycle,
        parents=parents,
        note=note,
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


def _place(concept: Concept, insights: Mapping[int, Insight], root: str) -> str:
    if concept.concept_id in insights:
        return f"insight {insights[concept.concept_id].insight_id}"
    return f"{concept.source.removeprefix(root)}, piece {concept.position + 1}"


def _sum(insight: Insight) -> float:
    scores = insight.scores
    return scores.novelty + scores.coherence + scores.utility
