"""`ddl-train publish`: an adapter and its evidence, to the Hugging Face Hub."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli.arguments import RunArgument, find_run, output
from ddl_train.cli.publish_diff import show_plans

if TYPE_CHECKING:
    from ddl_train.hub.client import Hub
    from ddl_train.hub.parcel import Parcel, Request
    from ddl_train.storage.outbox import OutboxRow
    from ddl_train.storage.run import Run

OFFICIAL = "https://huggingface.co"

RepoIdOption = Annotated[
    str | None, typer.Option(metavar="OWNER/NAME", help="Repository; made if it is missing.")
]
AdapterOption = Annotated[
    str, typer.Option(help="`current`, `distilled`, or a version that was promoted.")
]
DatasetOption = Annotated[
    bool, typer.Option("--dataset", help="The insights too, as dataset OWNER/NAME-insights.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Write the folder, print what would change, stop.")
]
PublicOption = Annotated[bool, typer.Option("--public", help="Private without it.")]
PrOption = Annotated[bool, typer.Option("--pr", help="Open a pull request instead.")]
MergedOption = Annotated[
    bool, typer.Option("--merged", help="Whole weights, for serving without PEFT.")
]
BaseIdOption = Annotated[
    str | None,
    typer.Option(metavar="ID[@COMMIT]", help="What a local base folder is on the Hub."),
]
QuotesOption = Annotated[
    bool, typer.Option("--allow-quotes", help="Long quotations from the sources may go.")
]
LicenseOption = Annotated[
    list[str] | None,
    typer.Option(metavar="[base=|sources=]ID", help="Licence, as the Hub spells it. Repeatable."),
]
AcceptOption = Annotated[
    list[str] | None, typer.Option(metavar="FINDING", help="Looked at, may go. Repeatable.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Send what waits in the outbox, and nothing else.")
]


def publish(
    run: RunArgument,
    repo_id: RepoIdOption = None,
    adapter: AdapterOption = "current",
    dataset: DatasetOption = False,
    dry_run: DryRunOption = False,
    public: PublicOption = False,
    pr: PrOption = False,
    merged: MergedOption = False,
    base_id: BaseIdOption = None,
    allow_quotes: QuotesOption = False,
    license: LicenseOption = None,
    accept: AcceptOption = None,
    resume: ResumeOption = False,
) -> None:
    """Publish an adapter with its card, figures and lineage: one commit, fetched back and compared.

    Before anything leaves, all text is searched for secrets, personal data and long quotations.
    """
    _without_xet_elsewhere()
    from ddl_train.errors import ConfigError
    from ddl_train.hub.client import Hub
    from ddl_train.hub.parcel import Request
    from ddl_train.storage.run import Run

    run_dir = find_run(run)
    with Run.open(run_dir) as found:
        if resume:
            _resume(found, Hub(), repo_id)
            return
        if repo_id is None:
            raise ConfigError("--repo-id OWNER/NAME is missing: where shall it be published?")
        request = Request(
            repo_id=repo_id,
            is_public=public,
            is_pr=pr,
            is_merged=merged,
            base_id=base_id,
            licenses=tuple(license or ()),
            allow_quotes=allow_quotes,
            accepted=frozenset(accept or ()),
        )
        _publish(found, request, adapter, has_dataset=dataset, is_dry=dry_run)


def _publish(run: "Run", request: "Request", name: str, *, has_dataset: bool, is_dry: bool) -> None:
    from ddl_train.deliver import clear_outbox
    from ddl_train.errors import HubError
    from ddl_train.hub.client import Hub, check_repo_id
    from ddl_train.prepare import check_request, prepare_dataset, prepare_model
    from ddl_train.publish import check_probes, choose_adapter
    from ddl_train.report.evidence import draw_evidence, read_evidence
    from ddl_train.storage import outbox

    check_repo_id(request.repo_id)
    adapter = choose_adapter(run, name)
    dataset_id = f"{request.repo_id}-insights" if has_dataset else None
    check_request(run, adapter, request, dataset_id=dataset_id)
    check_probes(run, adapter)
    evidence, plots = read_evidence(run, adapter), draw_evidence(run)
    parcels = [prepare_model(run, adapter, evidence, plots, request, dataset_id=dataset_id)]
    if dataset_id is not None:
        parcels.append(prepare_dataset(run, adapter, request, dataset_id))
    refusals: list[str] = []
    if is_dry:
        clear_outbox(run, keep=[parcel.folder for parcel in parcels])
        refusals = show_plans(run, Hub(), parcels, request)
    _refuse_findings(run, parcels, is_dry=is_dry)
    if refusals:
        raise HubError(refusals[0])
    if is_dry:
        return
    rows = [
        outbox.keep_waiting(
            run.database,
            repo_type=parcel.repo_type,
            repo_id=parcel.repo_id,
            adapter=adapter.version,
            digest=parcel.folder.name,
            manifest=parcel.manifest,
            terms=request.terms,
        )
        for parcel in parcels
    ]
    clear_outbox(run)
    _deliver(run, Hub(), rows)


def _resume(run: "Run", hub: "Hub", repo_id: str | None) -> None:
    from ddl_train.storage.outbox import read_outbox

    rows = read_outbox(run.database, is_unfinished=True, repo_id=repo_id)
    if not rows:
        output().print(f"{run.dir}: nothing waits in the outbox", soft_wrap=True)
    _deliver(run, hub, rows)


def _deliver(run: "Run", hub: "Hub", rows: Sequence["OutboxRow"]) -> None:
    from ddl_train.deliver import clear_outbox, deliver
    from ddl_train.errors import HubUnreachableError

    for row in rows:
        try:
            done = deliver(run, row, hub)
        except HubUnreachableError as error:
            if "--resume" in str(error):
                raise
            raise HubUnreachableError(
                f"{error}; it waits in the outbox, `ddl-train publish {run.dir} --resume` goes on"
            ) from None
        what = "published" if done.sent.is_new else "holds all of it already"
        output().print(f"{row.repo_id}: {what}, {done.sent.revision}", soft_wrap=True)
        output().print(f"  {done.sent.url}", soft_wrap=True)
        count = len(row.manifest)
        output().print(f"  fetched back: {count} files, every byte as sent", soft_wrap=True)
        if done.answer is not None:
            output().print(f"  asked one question, here and there: {done.answer!r}", soft_wrap=True)
    clear_outbox(run)


def _refuse_findings(run: "Run", parcels: Sequence["Parcel"], *, is_dry: bool) -> None:
    """List what must be looked at, and stop."""
    from ddl_train.deliver import clear_outbox
    from ddl_train.errors import HubError

    found = list(dict.fromkeys(one for parcel in parcels for one in parcel.findings))
    if not found:
        return
    for one in found:
        output().print(f"! {one}", soft_wrap=True)
    if not is_dry:
        clear_outbox(run)
    count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    raise HubError(
        f"{count} in what would be published, listed above; nothing was sent: take them out of the "
        "sources with `ddl-train forget`, or, where they may go, add --allow-quotes for quotations "
        f"and `--accept {found[0].finding_id}` for single ones"
    )


def _without_xet_elsewhere() -> None:
    """Servers other than the Hub itself have no Xet storage; set before the client is imported."""
    endpoint = os.environ.get("HF_ENDPOINT", OFFICIAL).rstrip("/")
    if endpoint != OFFICIAL:
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
