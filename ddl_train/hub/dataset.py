"""The insights of a run as a dataset repository: one Parquet file and its card.

Held-out questions are left out, and so are the texts that an insight came from: they are the
sources' own. With `has_parents` they are in it, for whoever may quote them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from ddl_train.hub.licences import Licences
from ddl_train.records import Concept, Insight, JsonObject

TEXT, NUMBER, SCORE = "string", "int64", "float64"
COLUMNS = {
    "insight_id": (NUMBER, "of this run, from 1"),
    "cycle": (NUMBER, "day on which it was dreamt, from 0"),
    "depth": (NUMBER, "1 for an insight from two documents, more where it rests on insights"),
    "provenance": (TEXT, "what its two parents are: `document+document`, `document+insight`, "
                         "`insight+insight`"),
    "parent_a_id": (NUMBER, "concept that it came from"),
    "parent_b_id": (NUMBER, "the other one"),
    "reasoning": (TEXT, "what the model wrote before its conclusion"),
    "conclusion": (TEXT, "the insight"),
    "rationale": (TEXT, "why the critic, the same model, let it in"),
    "novelty": (SCORE, "the critic's, 1 to 10"),
    "coherence": (SCORE, "the critic's, 1 to 10"),
    "utility": (SCORE, "the critic's, 1 to 10"),
    "support": (SCORE, "probability of the conclusion under the untouched base, a token, 0 to 1"),
    "rederived": (SCORE, "probability of the whole idea from its concepts in both orders, the "
                         "lower, a token, 0 to 1"),
    "adapter": (TEXT, "that dreamt it; `base` for none"),
}  # fmt: skip
"""Column -> type, and what it holds."""
PARENTS = {
    "parent_a": (TEXT, "text of the concept that it came from"),
    "parent_b": (TEXT, "text of the other one"),
}


def write_dataset(
    insights: Sequence[Insight], concepts: Mapping[int, Concept], path: Path, *, has_parents: bool
) -> None:
    """Write the Parquet file."""
    from datasets import Dataset, Features, Value

    columns = COLUMNS | (PARENTS if has_parents else {})
    rows = [insight_row(one, concepts) for one in insights]
    features: Any = Features({name: Value(kind) for name, (kind, _) in columns.items()})
    values = {name: [row[name] for row in rows] for name in columns}
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict(values, features=features).to_parquet(str(path))


def insight_row(one: Insight, concepts: Mapping[int, Concept]) -> JsonObject:
    """All columns of one insight."""
    kinds = sorted(concepts[parent].kind for parent in one.parents)
    return {
        "insight_id": one.insight_id,
        "cycle": one.cycle,
        "depth": one.depth,
        "provenance": "+".join(kinds),
        "parent_a_id": one.parents[0],
        "parent_b_id": one.parents[1],
        "reasoning": one.reasoning,
        "conclusion": one.conclusion,
        "rationale": one.rationale,
        "novelty": one.scores.novelty,
        "coherence": one.scores.coherence,
        "utility": one.scores.utility,
        "support": one.scores.support,
        "rederived": one.scores.rederived,
        "adapter": one.adapter,
        "parent_a": one.parent_texts[0],
        "parent_b": one.parent_texts[1],
    }


def dataset_card(
    rows: Sequence[JsonObject],
    *,
    repo_id: str,
    model_id: str,
    base_id: str,
    licences: Licences,
    has_parents: bool,
) -> str:
    """The whole README.md.

    Args:
        rows: from `insight_row`.
        repo_id: of the dataset.
        model_id: of the adapter that goes with it.
        base_id: model that dreamt.
        licences: of the base, the sources and the dataset itself.
        has_parents: the sources are quoted.
    """
    columns = COLUMNS | (PARENTS if has_parents else {})
    counts = {name: sum(row["provenance"] == name for row in rows) for name in _provenances(rows)}
    data = DatasetCardData(
        pretty_name=f"{repo_id.partition('/')[2]}: what a model dreamt",
        license=licences.own,
        tags=["ddl-train", "synthetic", "daydreaming"],
        configs=[{"config_name": "insights", "data_files": "data/insights.parquet"}],
    )
    quoted = (
        "The texts of the sources are quoted in `parent_a` and `parent_b`, under their own licence."
        if has_parents
        else "The texts of the sources are not in it."
    )
    body = "\n\n".join(
        [
            f"# {repo_id.partition('/')[2]}",
            f"{len(rows):,} ideas that `{base_id}` had while daydreaming over a collection of "
            f"documents, and that a critic, the same model, admitted. The adapter trained on them: "
            f"[`{model_id}`](https://huggingface.co/{model_id}). Made with `ddl-train`.",
            "## Columns\n\n| column | type | what |\n|---|---|---|\n"
            + "\n".join(
                f"| `{name}` | {kind} | {what} |" for name, (kind, what) in columns.items()
            ),
            "## Provenance\n\n| parents | insights |\n|---|---|\n"
            + "\n".join(f"| {name} | {number:,} |" for name, number in counts.items()),
            "## What this is not\n\nNobody has checked that an insight is true. Scores are a model's "
            "opinion of its own ideas. The held-out questions that adapters were measured with are "
            "left out, so that they stay held out.",
            f"## Licences\n\nThis dataset is published under `{licences.own}`. The documents that "
            f"were dreamt about are under `{licences.sources}`, the model that dreamt under "
            f"`{licences.base}`. {quoted}",
        ]
    )
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def _provenances(rows: Sequence[JsonObject]) -> list[str]:
    return sorted({row["provenance"] for row in rows})
