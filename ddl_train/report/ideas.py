"""What a run came up with: insights, refused ideas, and what an insight rests on.

Everything is read from the database, so that it can be looked at while the run goes on and without
loading a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ddl_train.errors import RunError
from ddl_train.memory.reading import all_concepts, read_insights, read_verdicts
from ddl_train.records import AXES, LIKELIHOODS, Concept, Insight, JsonObject
from ddl_train.report.tally import rule_of
from ddl_train.report.words import printable
from ddl_train.storage.run import Run

COLUMNS = {
    "novelty": "nov", "coherence": "coh", "utility": "use", "support": "sup", "rederived": "again",
}  # fmt: skip
"""Scores in the tables, and their short headings."""


def admitted(run: Run) -> list[JsonObject]:
    """Every insight, oldest first.

    Keys: id, concept_id, cycle, text, reasoning, conclusion, depth, strength, parents (two
    concepts), adapter, scores, rationale.
    """
    concepts = {concept.concept_id: concept for concept in all_concepts(run.database)}
    return [
        {
            "id": one.insight_id,
            "concept_id": one.concept_id,
            "cycle": one.cycle,
            "text": one.text,
            "reasoning": one.reasoning,
            "conclusion": one.conclusion,
            "depth": one.depth,
            "strength": one.strength,
            "parents": [_concept(concepts[parent]) for parent in one.parents],
            "adapter": one.adapter,
            "scores": asdict(one.scores),
            "rationale": one.rationale,
        }
        for one in read_insights(run.database, cycle=None, ids=None)
    ]


def rejected(run: Run) -> list[JsonObject]:
    """Every idea that was refused, oldest first; pairs answered NONE are left out.

    Keys: rule, reason, cycle, text, reasoning, conclusion, parents, adapter, scores (null when the
    critic was not asked), sampler, operator, probability, is_revisit.
    """
    cycles = _cycles(run)
    found = []
    for verdict in read_verdicts(run.database, cycle=None, is_admitted=False, limit=None):
        proposal = verdict.proposal
        pair = proposal.pair
        if proposal.is_none or verdict.rejected_because is None:
            continue
        found.append(
            {
                "rule": rule_of(verdict.rejected_because),
                "reason": verdict.rejected_because,
                "cycle": cycles[pair.pair_number, proposal.adapter],
                "text": proposal.text,
                "reasoning": proposal.reasoning,
                "conclusion": proposal.conclusion,
                "parents": [_concept(pair.a), _concept(pair.b)],
                "adapter": proposal.adapter,
                "scores": None if verdict.scores is None else asdict(verdict.scores),
                "sampler": pair.sampler,
                "operator": pair.operator,
                "probability": pair.probability,
                "is_revisit": pair.is_revisit,
            }
        )
    return found


def lineage(run: Run, insight_id: int) -> JsonObject:
    """What an insight rests on, down to documents.

    Keys: id (null for documents), concept_id, kind, text, source, position, cycle, and parents,
    two such objects for an insight and none for a document.

    Raises:
        RunError: the run has no such insight.
    """
    insights = read_insights(run.database, cycle=None, ids=None)
    chosen = [one for one in insights if one.insight_id == insight_id]
    if not chosen:
        there = f"they are numbered up to {insights[-1].insight_id}" if insights else "it has none"
        raise RunError(f"{run.dir}: has no insight {insight_id}; {there}")
    concepts = {concept.concept_id: concept for concept in all_concepts(run.database)}
    return _ancestry(
        chosen[0].concept_id, concepts, {insight.concept_id: insight for insight in insights}
    )


def _ancestry(
    concept_id: int, concepts: Mapping[int, Concept], insights: Mapping[int, Insight]
) -> JsonObject:
    insight = insights.get(concept_id)
    parents = insight.parents if insight is not None else ()
    return {
        "id": insight.insight_id if insight is not None else None,
        **_concept(concepts[concept_id]),
        "parents": [_ancestry(parent, concepts, insights) for parent in parents],
    }


def _concept(concept: Concept) -> JsonObject:
    return {
        "concept_id": concept.concept_id,
        "kind": concept.kind,
        "text": concept.text,
        "source": concept.source,
        "position": concept.position,
        "cycle": concept.cycle,
    }


def _cycles(run: Run) -> dict[tuple[int, str], int]:
    """(pair, adapter that dreamt on it) -> cycle."""
    rows = run.database.execute("SELECT pair_number, adapter, cycle FROM pairs")
    return {(row["pair_number"], row["adapter"]): row["cycle"] for row in rows}


def print_admitted(insights: list[JsonObject], console: Console) -> None:
    """A table of insights; their parents and reasons are in --json and --lineage."""
    names = _asked_for(insights)
    table = _table("id", "cycle", "depth", *(COLUMNS[name] for name in names))
    table.add_column("insight, and the critic's own words")
    for one in insights:
        idea = Text(printable(one["text"]))
        if one["rationale"]:
            idea.append(f"\nthe critic: {printable(one['rationale'])}", style="dim")
        place = (str(one["id"]), str(one["cycle"] + 1), str(one["depth"]))
        table.add_row(*place, *_scores(one, names), idea)
    console.print(table)


def print_rejected(ideas: list[JsonObject], console: Console) -> None:
    """A table of refused ideas."""
    names = _asked_for(ideas)
    table = _table("cycle", *(COLUMNS[name] for name in names))
    table.add_column("idea, and why it was refused")
    for one in ideas:
        idea = Text(printable(one["text"]))
        idea.append(f"\n{one['reason']}", style="red")
        table.add_row(str(one["cycle"] + 1), *_scores(one, names), idea)
    console.print(table)


def print_lineage(node: JsonObject, console: Console) -> None:
    """The tree of what an insight rests on; what was shown above is not unfolded again."""
    console.print(_branch(node, set()))


def _branch(node: JsonObject, shown: set[int]) -> Tree:
    if node["id"] is None:
        label = Text(printable(node["text"]))
        label.append(f"  {node['source']}:{node['position']}", style="dim")
        return Tree(label)
    label = Text(f"insight {node['id']} ", style="bold")
    label.append(printable(node["text"]), style="not bold")
    label.append(f"  cycle {node['cycle'] + 1}", style="dim")
    tree = Tree(label)
    if node["concept_id"] in shown:
        tree.add(Text("as above", style="dim"))
        return tree
    shown.add(node["concept_id"])
    for parent in node["parents"]:
        tree.add(_branch(parent, shown))
    return tree


def _table(*numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _asked_for(ideas: Sequence[JsonObject]) -> list[str]:
    """The scores that the critic was asked for."""
    return [
        name
        for name in COLUMNS
        if name in AXES or any((one["scores"] or {}).get(name) is not None for one in ideas)
    ]


def _scores(one: JsonObject, names: Sequence[str]) -> list[str]:
    values: dict[str, Any] = one["scores"] or {}
    return [
        "-" if values.get(name) is None else f"{values[name]:.{3 if name in LIKELIHOODS else 1}f}"
        for name in names
    ]
