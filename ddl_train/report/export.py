"""A run's ideas as datasets: Parquet files with a dataset card, ready to be read or published.

    data/insights.parquet      what was admitted, with parents, scores and rationale
    data/verdicts.parquet      every dream: proposal, scores, and the rule that refused it
    data/study_items.parquet   questions and answers that a night may train on
    README.md                  the dataset card

Held-out probe items are left out on purpose: published, they would soon be trained on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddl_train.errors import RunError
from ddl_train.memory.reading import read_insights, read_study_items, read_verdicts
from ddl_train.records import AXES, LIKELIHOODS, Insight, JsonObject, StudyItem, Verdict
from ddl_train.report.status import read_status
from ddl_train.storage.files import explained, make_folder, write_text
from ddl_train.storage.run import Run

SCORES = (*AXES, *LIKELIHOODS, "disagreement")

CARD = """
# {name}: what a model dreamt

A language model ({base}) was let to daydream: two pieces of memory
at a time, looking for a connection, judged by the frozen model itself. Made with `ddl_train`.

| file | rows | what |
|---|---|---|
| `insights` | {num_insights} | ideas that were admitted |
| `verdicts` | {num_verdicts} | every pair dreamt on, with the idea or NONE, and why it was refused |
| `study_items` | {num_study_items} | questions and answers that the model wrote about its ideas |

Pairs dreamt on: {pairs}; ideas: {ideas}; admitted: {admitted}. Tokens that dreaming took: {tokens}.

## What this is not

Nobody has checked that an insight is true. Scores are a model's opinion of its own ideas, 1 to 10,
expected values. Source documents are quoted in `parent_a` and `parent_b`; their licence is theirs.
The held-out questions that adapters were evaluated with are left out, so that they stay held out.
"""


def export(run: Run, out_dir: Path) -> dict[str, int]:
    """Write the files; file stem -> rows.

    Raises:
        RunError: the folder holds something else already or cannot be made, or there is nothing
            to export.
        ResourceError: the disk is full.
    """
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise RunError(f"{out_dir}: is not an empty folder; expected a new one to write to")
    tables = {
        "insights": [
            _insight_row(one) for one in read_insights(run.database, cycle=None, ids=None)
        ],
        "verdicts": [
            _verdict_row(one)
            for one in read_verdicts(run.database, cycle=None, is_admitted=None, limit=None)
        ],
        "study_items": [
            _item_row(one) for one in read_study_items(run.database, None, family="study")
        ],
    }
    if not tables["verdicts"]:
        raise RunError(f"{run.dir}: has dreamt on nothing yet, so there is nothing to export")
    make_folder(out_dir / "data")
    tables = {name: rows for name, rows in tables.items() if rows}
    for name, rows in tables.items():
        with explained(out_dir):
            _write_parquet(rows, COLUMNS[name], out_dir / "data" / f"{name}.parquet")
    sizes = {name: len(rows) for name, rows in tables.items()}
    write_text(out_dir / "README.md", _card(read_status(run), sizes))
    return sizes


TEXT, NUMBER, SCORE, FLAG = "string", "int64", "float64", "bool"
_SCORED = dict.fromkeys(SCORES, SCORE)
COLUMNS: dict[str, dict[str, str]] = {
    "insights": {
        "insight_id": NUMBER,
        "cycle": NUMBER,
        "depth": NUMBER,
        "text": TEXT,
        "reasoning": TEXT,
        "conclusion": TEXT,
        "parent_a": TEXT,
        "parent_b": TEXT,
        "adapter": TEXT,
        **_SCORED,
        "rationale": TEXT,
    },
    "verdicts": {
        "text": TEXT,
        "is_none": FLAG,
        "is_admitted": FLAG,
        "rejected_because": TEXT,
        "audit": TEXT,
        "parent_a": TEXT,
        "parent_b": TEXT,
        "source_a": TEXT,
        "source_b": TEXT,
        "adapter": TEXT,
        "sampler": TEXT,
        "operator": TEXT,
        "probability": SCORE,
        "is_revisit": FLAG,
        **_SCORED,
    },
    "study_items": {
        "insight_id": NUMBER,
        "kind": TEXT,
        "question": TEXT,
        "answer": TEXT,
        "is_checked": FLAG,
    },
}
"""File -> its columns and their types, so that an empty file has them too."""


def _insight_row(one: Insight) -> JsonObject:
    return {
        "insight_id": one.insight_id,
        "cycle": one.cycle,
        "depth": one.depth,
        "text": one.text,
        "reasoning": one.reasoning,
        "conclusion": one.conclusion,
        "parent_a": one.parent_texts[0],
        "parent_b": one.parent_texts[1],
        "adapter": one.adapter,
        **{name: getattr(one.scores, name) for name in SCORES},
        "rationale": one.rationale,
    }


def _verdict_row(one: Verdict) -> JsonObject:
    proposal = one.proposal
    pair = proposal.pair
    return {
        "text": proposal.text,
        "is_none": proposal.is_none,
        "is_admitted": one.admitted,
        "rejected_because": one.rejected_because,
        "audit": one.audit,
        "parent_a": pair.a.text,
        "parent_b": pair.b.text,
        "source_a": pair.a.source,
        "source_b": pair.b.source,
        "adapter": proposal.adapter,
        "sampler": pair.sampler,
        "operator": pair.operator,
        "probability": pair.probability,
        "is_revisit": pair.is_revisit,
        **{name: None if one.scores is None else getattr(one.scores, name) for name in SCORES},
    }


def _item_row(one: StudyItem) -> JsonObject:
    return {name: getattr(one, name) for name in COLUMNS["study_items"]}


def _write_parquet(rows: Sequence[JsonObject], columns: Mapping[str, str], path: Path) -> None:
    from datasets import Dataset, Features, Value

    features: Any = Features({name: Value(kind) for name, kind in columns.items()})
    values = {name: [row[name] for row in rows] for name in columns}
    Dataset.from_dict(values, features=features).to_parquet(str(path))


def _card(status: JsonObject, sizes: Mapping[str, int]) -> str:
    from huggingface_hub import DatasetCard, DatasetCardData

    data = DatasetCardData(
        pretty_name=f"{status['name']}: what a model dreamt",
        tags=["ddl_train", "synthetic", "daydreaming"],
        configs=[{"config_name": name, "data_files": f"data/{name}.parquet"} for name in sizes],
    )
    counts = [cycle["counts"] for cycle in status["cycles"]]
    body = CARD.format(
        name=status["name"],
        base=_link(status["base"]),
        pairs=sum(one["pairs"] for one in counts),
        ideas=sum(one["proposals"] for one in counts),
        admitted=sum(one["admitted"] for one in counts),
        tokens=int(status["tax"]["wake"]["tokens"]),
        **{f"num_{name}": sizes.get(name, 0) for name in COLUMNS},
    )
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n{body}"))


def _link(base: str) -> str:
    is_local = Path(base).exists() or base.startswith((".", "/"))
    return f"`{Path(base).name}`" if is_local else f"[`{base}`](https://huggingface.co/{base})"
