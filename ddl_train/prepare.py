"""Prepare: a folder for a repository, by an allow-list, scanned and compared with the sources.

Nothing leaves the machine here; `deliver.py` sends what was prepared.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ddl_train.config import dump_yaml
from ddl_train.hub.base import adapter_config, is_local, model_config, name_base, public_config
from ddl_train.hub.card import Terms, model_card
from ddl_train.hub.client import check_repo_id
from ddl_train.hub.dataset import COLUMNS, PARENTS, TEXT, dataset_card, insight_row, write_dataset
from ddl_train.hub.evidence import Evidence
from ddl_train.hub.folder import (
    ADAPTER,
    DATASET,
    MERGED,
    OUTBOX_NAME,
    TOKENIZER,
    as_json,
    close_folder,
    new_folder,
    put,
    scan_folder,
)
from ddl_train.hub.licences import Licences, settle_licences
from ddl_train.hub.merging import write_merged
from ddl_train.hub.parcel import Parcel, Request
from ddl_train.hub.quotes import find_quotes
from ddl_train.hub.scan import Finding, finding_id, scan
from ddl_train.memory.reading import all_concepts, read_concepts, read_insights, read_study_items
from ddl_train.memory.sources import held_out_texts
from ddl_train.records import AdapterVersion, Insight
from ddl_train.roles.prompts import load_pack
from ddl_train.storage.run import Run


def check_request(
    run: Run, adapter: AdapterVersion, request: Request, *, dataset_id: str | None = None
) -> None:
    """What was asked for can be done, as far as no file but the adapter's must be read for it.

    Arguments and errors as of `prepare_model`.
    """
    check_repo_id(request.repo_id)
    if dataset_id is not None:
        check_repo_id(dataset_id)
    name_base(adapter, request.base_id)
    config = model_config(run.config, adapter)
    settle_licences(config.license, run.config.memory.license, request.licenses)


def prepare_model(
    run: Run,
    adapter: AdapterVersion,
    evidence: Evidence,
    plots: Mapping[str, bytes],
    request: Request,
    *,
    dataset_id: str | None = None,
) -> Parcel:
    """Write the folder of the model repository, and look through it.

    Args:
        run: open for writing.
        adapter: from `choose_adapter`.
        evidence: what was measured of it.
        plots: file name -> PNG.
        request: what was asked for.
        dataset_id: repository of the insights that goes with it.

    Raises:
        HubError: no such name, a licence or the base's id is not known, too large.
    """
    check_repo_id(request.repo_id)
    config = model_config(run.config, adapter)
    licences = settle_licences(config.license, run.config.memory.license, request.licenses)
    terms = _terms(run, adapter, request, licences, dataset_id)
    tmp = new_folder(run.dir / OUTBOX_NAME)
    if request.is_merged:
        write_merged(config, adapter.path, tmp)
    else:
        _put_adapter(tmp, adapter, terms)
    paths = [f"plots/{name}" for name in sorted(plots)]
    for path, content in zip(paths, (plots[name] for name in sorted(plots)), strict=True):
        put(tmp, path, content)
    for name, report in evidence.reports.items():
        put(tmp, f"evals/{name}", as_json(report))
    put(tmp, "lineage.json", as_json(evidence.lineage))
    put(tmp, "training_config.yaml", dump_yaml(public_config(run.config, terms.base_id)))
    put(tmp, "README.md", model_card(evidence, terms, paths))
    folder, manifest = close_folder(tmp, MERGED if request.is_merged else ADAPTER)
    taught = run.taught(adapter.version)
    insights = read_insights(run.database, cycle=None, ids=sorted(taught))
    findings = [*scan_folder(folder), *find_overlaps(run, insights, request, has_items=True)]
    return Parcel(
        repo_type="model",
        repo_id=request.repo_id,
        folder=folder,
        manifest=manifest,
        findings=not_accepted(findings, request),
    )


def _put_adapter(folder: Path, adapter: AdapterVersion, terms: Terms) -> None:
    """PEFT's two files, and the tokenizer of a local base: nobody knows whether it is its id's."""
    name = "adapter_model.safetensors"
    shutil.copyfile(adapter.path / name, folder / name)
    put(folder, "adapter_config.json", adapter_config(adapter, terms.base_id, terms.base_revision))
    for name in TOKENIZER if terms.is_base_local else ():
        if (Path(adapter.base) / name).is_file():
            shutil.copyfile(Path(adapter.base) / name, folder / name)


def prepare_dataset(run: Run, adapter: AdapterVersion, request: Request, dataset_id: str) -> Parcel:
    """Write the folder of the dataset repository: every insight up to the adapter's night.

    Arguments and errors as of `prepare_model`.
    """
    check_repo_id(dataset_id)
    config = model_config(run.config, adapter)
    licences = settle_licences(config.license, run.config.memory.license, request.licenses)
    insights = [
        one
        for one in read_insights(run.database, cycle=None, ids=None)
        if one.cycle <= adapter.cycle
    ]
    parents = {parent for one in insights for parent in one.parents}
    concepts = read_concepts(run.database, parents)
    rows = [insight_row(one, concepts) for one in insights]
    tmp = new_folder(run.dir / OUTBOX_NAME)
    path = tmp / "data" / "insights.parquet"
    write_dataset(insights, concepts, path, has_parents=request.allow_quotes)
    card = dataset_card(
        rows,
        repo_id=dataset_id,
        model_id=request.repo_id,
        base_id=name_base(adapter, request.base_id)[0],
        licences=licences,
        has_parents=request.allow_quotes,
    )
    put(tmp, "README.md", card)
    folder, manifest = close_folder(tmp, DATASET)
    columns = COLUMNS | (PARENTS if request.allow_quotes else {})
    findings = [
        *scan_folder(folder),
        *(
            finding
            for row in rows
            for name, (kind, _) in columns.items()
            if kind == TEXT
            for finding in scan(f"insight {row['insight_id']}, {name}", row[name] or "")
        ),
        *find_overlaps(run, insights, request, has_items=False),
    ]
    return Parcel(
        repo_type="dataset",
        repo_id=dataset_id,
        folder=folder,
        manifest=manifest,
        findings=not_accepted(findings, request),
    )


def find_overlaps(
    run: Run, insights: Sequence[Insight], request: Request, *, has_items: bool
) -> list[Finding]:
    """Where insights, or what was trained from them, quote the sources at length."""
    if request.allow_quotes:
        return []
    texts = {
        f"insight {one.insight_id}": "\n".join([one.text, one.conclusion, one.rationale or ""])
        for one in insights
    }
    if has_items:
        ids = [one.insight_id for one in insights]
        items = read_study_items(run.database, ids, "study")
        for number, item in enumerate(items):
            name = f"study item {number} of insight {item.insight_id}"
            texts[name] = f"{item.question}\n{item.answer}"
    documents = [one for one in all_concepts(run.database) if one.kind == "document"]
    sources = [(one.source, one.text) for one in documents]
    sources += [("a held-out document", text) for text in held_out_texts(run.database)]
    return [
        Finding(
            where=one.where,
            what=f"{one.num_units} words in a row from {one.source}",
            hint=f"{one.text[:40]}...",
            finding_id=finding_id("quote", one.text),
        )
        for one in find_quotes(texts, sources)
    ]


def not_accepted(findings: Iterable[Finding], request: Request) -> tuple[Finding, ...]:
    return tuple(one for one in findings if one.finding_id not in request.accepted)


def _terms(
    run: Run,
    adapter: AdapterVersion,
    request: Request,
    licences: Licences,
    dataset_id: str | None,
) -> Terms:
    base_id, revision = name_base(adapter, request.base_id)
    prompt = load_pack(run.prompts_dir).render("answer", question="QUESTION", context=())
    return Terms(
        repo_id=request.repo_id,
        base_id=base_id,
        base_revision=revision,
        base_sha256=adapter.base_sha256,
        is_base_local=is_local(adapter.base),
        license=licences.own,
        base_license=licences.base,
        source_license=licences.sources,
        dataset_id=dataset_id,
        is_merged=request.is_merged,
        answer_prompt=prompt,
    )
