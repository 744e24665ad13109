"""Deliver: a prepared folder -> one commit in a repository of the Hub, fetched back and compared.

The outbox has a row before anything leaves the machine. A repeat, after a crash or a lost answer,
first looks whether the repository holds all of it: it makes the commit that is missing, or none.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ddl_train.errors import AdapterError, HubError
from ddl_train.hub.base import model_config
from ddl_train.hub.client import Hub, Sent
from ddl_train.hub.folder import OUTBOX_NAME, check_whole
from ddl_train.hub.merging import check_answer
from ddl_train.hub.remote import Change, Remote, compare
from ddl_train.memory.reading import read_study_items
from ddl_train.records import AdapterVersion, JsonObject
from ddl_train.roles.prompts import load_pack
from ddl_train.storage import outbox
from ddl_train.storage.files import remove, sha256_of, tmp_path
from ddl_train.storage.outbox import OutboxRow, RepoType
from ddl_train.storage.run import Run

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".onnx", ".msgpack")


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """What a repository was found to hold afterwards."""

    row: OutboxRow
    sent: Sent
    answer: str | None
    """That the fetched adapter and the local one gave; None for a dataset."""


def clear_outbox(run: Run, keep: Iterable[Path] = ()) -> None:
    """Remove the folders of what was sent and of what nobody waits for."""
    rows = outbox.read_outbox(run.database, is_unfinished=True)
    wanted = {row.digest for row in rows} | {path.name for path in keep}
    folder = run.dir / OUTBOX_NAME
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in wanted:
            remove(path)


def plan(
    run: Run,
    hub: Hub,
    repo_id: str,
    repo_type: RepoType,
    local: Mapping[str, Path],
    terms: JsonObject,
) -> tuple[Remote | None, list[Change], str | None]:
    """A repository as it is now, what sending these files would do to it, and why it is refused."""
    remote = hub.look(repo_id, repo_type)
    published = _published(run, repo_id, repo_type)
    refusal = _refusal(hub, repo_id, repo_type, remote, {*published, *local}, terms)
    return remote, compare(local, remote, published), refusal


def deliver(run: Run, row: OutboxRow, hub: Hub) -> Delivered:
    """Send what waits, or go on where an earlier try ended, and compare what arrived.

    Raises:
        HubError: it was refused, or is not what was sent. What may be tried again still waits.
        HubUnreachableError: the Hub does not answer; it waits.
    """
    folder = run.dir / OUTBOX_NAME / row.digest
    if outbox.was_forgotten_since(run.database, row):
        outbox.drop(run.database, row)
        remove(folder)
        raise HubError(
            f"{row.repo_id}: sources were forgotten since this was prepared, so it was not sent; "
            "publish again"
        )
    if row.state == "waiting":
        check_whole(folder, row.manifest)
        hub.check_login()
        sent = _send(run, row, folder, hub)
        outbox.mark_committed(run.database, row, sent.revision)
    else:
        url = hub.url(row.repo_id, row.repo_type)
        sent = Sent(revision=row.revision or "main", url=url, is_new=False)
    answer = _fetch_and_compare(run, row, sent, hub)
    outbox.mark_done(run.database, row)
    return Delivered(row=row, sent=sent, answer=answer)


def _send(run: Run, row: OutboxRow, folder: Path, hub: Hub) -> Sent:
    remote = hub.look(row.repo_id, row.repo_type)
    published = _published(run, row.repo_id, row.repo_type)
    known = {*published, *row.manifest}
    if refusal := _refusal(hub, row.repo_id, row.repo_type, remote, known, row.terms):
        outbox.drop(run.database, row)
        raise HubError(refusal)
    if remote is None:
        hub.create(row.repo_id, row.repo_type, is_public=row.terms["is_public"])
        remote = hub.look(row.repo_id, row.repo_type)
        if remote is None:
            raise HubError(f"{row.repo_id}: was made and cannot be found; try again")
    local = {name: folder / name for name in row.manifest}
    return hub.send(
        folder,
        compare(local, remote, published),
        repo_id=row.repo_id,
        repo_type=row.repo_type,
        remote=remote,
        message=f"ddl-train: adapter {row.adapter}, files {row.digest}",
        is_pr=row.terms["is_pr"],
    )


def _refusal(
    hub: Hub,
    repo_id: str,
    repo_type: RepoType,
    remote: Remote | None,
    known: Collection[str],
    terms: JsonObject,
) -> str | None:
    """Why nothing is sent to a repository: it is something else, or more public than asked for."""
    if remote is None:
        other: RepoType = "dataset" if repo_type == "model" else "model"
        if hub.look(repo_id, other) is None:
            return None
        return (
            f"{repo_id} is a {other} repository and this is a {repo_type}; choose another --repo-id"
        )
    if not remote.is_private and not terms["is_public"]:
        return (
            f"{repo_id} is public and --public was not typed; type it, or choose a private "
            "repository"
        )
    if remote.is_private and terms["is_public"]:
        return (
            f"{repo_id} is private already, and --public is for repositories that publish makes; "
            "open it in its settings on the Hub, or leave --public out"
        )
    foreign = [
        path
        for path in remote.files
        if path.endswith(WEIGHTS) and path not in known and repo_type == "model"
    ]
    if not foreign:
        return None
    what = "merged model" if terms["is_merged"] else "adapter"
    return (
        f"{repo_id} holds other weights ({foreign[0]}), so it is not the repository of this {what}; "
        "choose another --repo-id"
    )


def _fetch_and_compare(run: Run, row: OutboxRow, sent: Sent, hub: Hub) -> str | None:
    """Every byte, and for a model one answer."""
    into = tmp_path(run.dir)
    try:
        hub.fetch(row.repo_id, row.repo_type, sent.revision, sorted(row.manifest), into)
        for name, sha256 in row.manifest.items():
            if not (into / name).is_file() or sha256_of(into / name) != sha256:
                raise HubError(f"{row.repo_id}: {name} came back different from what was sent")
        if row.repo_type == "dataset":
            return None
        adapter = run.adapter(row.adapter)
        return check_answer(
            model_config(run.config, adapter),
            adapter.path,
            into,
            _question(run, adapter),
            is_merged=row.terms["is_merged"],
        )
    except (HubError, AdapterError) as error:
        raise type(error)(
            f"{error}; it was committed as {sent.revision} and is not compared yet, `ddl-train "
            f"publish {run.dir} --resume` does that"
        ) from None
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _question(run: Run, adapter: AdapterVersion) -> str:
    """A user message that both sides answer: about the first insight that was taught."""
    items = read_study_items(run.database, sorted(run.taught(adapter.version))[:1], "study")
    question = items[0].question if items else "What follows from what you know?"
    return load_pack(run.prompts_dir).render("answer", question=question, context=())


def _published(run: Run, repo_id: str, repo_type: RepoType) -> set[str]:
    """Paths that this run is known to have put into a repository."""
    return {
        path
        for row in outbox.read_outbox(run.database, repo_id=repo_id)
        if row.repo_type == repo_type and row.state != "waiting"
        for path in row.manifest
    }
