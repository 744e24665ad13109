"""The Hub as a publisher needs it: look, create, commit once, fetch back. Through `HfApi` only.

The client repeats uploads of file contents by itself and a commit never; here a commit is repeated
only after a look at the repository has shown that it did not arrive. The token is the client's own
(`hf auth login` or HF_TOKEN) and is not read into anything here but the check that there is one.
"""

import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_token,
    logging,
    snapshot_download,
)
from huggingface_hub.errors import (
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    disable_progress_bars,
    validate_repo_id,
)

from ddl_train.errors import HubError
from ddl_train.hub.failures import FAILURES, explained
from ddl_train.hub.remote import Change, Remote, RemoteFile, compare
from ddl_train.hub.retries import NUM_TRIES, limit_waiting, patiently, wait_after
from ddl_train.storage.outbox import RepoType


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A repository that holds what was to be sent."""

    revision: str
    """Commit, or `refs/pr/N`."""
    url: str
    is_new: bool
    """False when it held all of it before."""


class Hub:
    """One Hub, as the user whose token the client finds."""

    def __init__(self, endpoint: str | None = None) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip(
            "/"
        )
        self._api = HfApi(endpoint=self.endpoint)
        limit_waiting()
        logging.get_logger().setLevel("ERROR")
        disable_progress_bars()

    def check_login(self) -> str:
        """Name of the user.

        Raises:
            HubError: there is no token, it is not accepted, or it may only read.
            HubUnreachableError: the Hub does not answer.
        """
        if not get_token():
            raise HubError(
                "no token of the Hugging Face Hub was found; log in with `hf auth login`, or set "
                "HF_TOKEN, with a token that may write"
            )
        found = patiently("the Hub", self._api.whoami)
        token: Mapping[str, Any] = found.get("auth", {}).get("accessToken", {})
        if token.get("role") == "read":
            raise HubError(
                "the token may only read; make one that may write at "
                f"{self.endpoint}/settings/tokens and log in again with `hf auth login`"
            )
        return str(found["name"])

    def look(self, repo_id: str, repo_type: RepoType, revision: str | None = None) -> Remote | None:
        """What a repository holds; None when there is none.

        Raises:
            HubError: it may not be looked at.
            HubUnreachableError: the Hub does not answer.
        """

        def ask() -> Remote | None:
            try:
                info = self._api.repo_info(repo_id, repo_type=repo_type, revision=revision)
                tree = list(
                    self._api.list_repo_tree(
                        repo_id, recursive=True, repo_type=repo_type, revision=info.sha
                    )
                )
            except (RepositoryNotFoundError, RevisionNotFoundError):
                return None
            files = {
                one.path: RemoteFile(
                    num_bytes=one.size,
                    git_sha1=one.blob_id,
                    sha256=one.lfs.sha256 if one.lfs else None,
                )
                for one in tree
                if isinstance(one, RepoFile)
            }
            return Remote(commit=str(info.sha), is_private=bool(info.private), files=files)

        return patiently(repo_id, ask)

    def send(
        self,
        folder: Path,
        changes: list[Change],
        *,
        repo_id: str,
        repo_type: RepoType,
        remote: Remote,
        message: str,
        is_pr: bool = False,
    ) -> Sent:
        """Bring changes into a repository with one commit; one that has arrived is not repeated.

        Args:
            folder: holds the files.
            changes: from `remote.compare`; those of state `same` are left out.
            repo_id: of the repository, which exists.
            repo_type: model or dataset.
            remote: what `changes` were found against; its commit is the parent.
            message: title of the commit; it is how a pull request is found again.
            is_pr: open a pull request instead of committing to `main`.

        Raises:
            HubError: it was refused, or the repository changed meanwhile.
            HubUnreachableError: the Hub does not answer.
        """
        wanted = {one.path: folder / one.path for one in changes if one.state != "removed"}
        gone = [one.path for one in changes if one.state == "removed"]
        for turn in range(NUM_TRIES):
            found = self._arrived(wanted, gone, repo_id, repo_type, message, is_pr=is_pr)
            if found is not None:
                return found
            try:
                made = self._commit(
                    folder, changes, repo_id, repo_type, remote, message, is_pr=is_pr
                )
                revision = str(made.pr_revision or made.oid)
                return Sent(revision=revision, url=str(made.pr_url or made.commit_url), is_new=True)
            except FAILURES as error:
                wait = wait_after(error, turn)
                found = self._arrived(wanted, gone, repo_id, repo_type, message, is_pr=is_pr)
                if found is not None:
                    return Sent(revision=found.revision, url=found.url, is_new=True)
                if wait is None:
                    raise explained(repo_id, error) from None
            time.sleep(wait)
        raise AssertionError("the last turn returns or raises")

    def create(self, repo_id: str, repo_type: RepoType, *, is_public: bool) -> None:
        """Make an empty repository; one that exists is left as it is."""
        patiently(
            repo_id,
            lambda: self._api.create_repo(
                repo_id, repo_type=repo_type, private=not is_public, exist_ok=True
            ),
        )

    def fetch(
        self, repo_id: str, repo_type: RepoType, revision: str, names: list[str], into: Path
    ) -> None:
        """Download files of a revision.

        Raises:
            HubError: a file is missing or arrived cut short.
            HubUnreachableError: the Hub does not answer.
        """
        patiently(
            repo_id,
            lambda: snapshot_download(
                repo_id,
                repo_type=repo_type,
                revision=revision,
                local_dir=into,
                allow_patterns=names,
                endpoint=self.endpoint,
                max_workers=4,
            ),
        )

    def url(self, repo_id: str, repo_type: RepoType) -> str:
        return f"{self.endpoint}/{'datasets/' if repo_type == 'dataset' else ''}{repo_id}"

    def _commit(
        self,
        folder: Path,
        changes: list[Change],
        repo_id: str,
        repo_type: RepoType,
        remote: Remote,
        message: str,
        *,
        is_pr: bool,
    ) -> Any:
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path_in_repo=one.path, path_or_fileobj=str(folder / one.path))
            for one in changes
            if one.state in ("added", "changed")
        ]
        operations += [
            CommitOperationDelete(path_in_repo=one.path)
            for one in changes
            if one.state == "removed"
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice about the card's metadata
            return self._api.create_commit(
                repo_id,
                operations,
                commit_message=message,
                repo_type=repo_type,
                parent_commit=remote.commit,
                create_pr=is_pr,
            )

    def _arrived(
        self,
        wanted: Mapping[str, Path],
        gone: list[str],
        repo_id: str,
        repo_type: RepoType,
        message: str,
        *,
        is_pr: bool,
    ) -> Sent | None:
        """The revision that holds all of it already, if there is one."""
        for revision in [
            None,
            *(self._pull_requests(repo_id, repo_type, message) if is_pr else []),
        ]:
            remote = self.look(repo_id, repo_type, revision)
            if remote is None or any(path in remote.files for path in gone):
                continue
            if all(one.state == "same" for one in compare(wanted, remote)):
                where = revision or remote.commit
                return Sent(revision=where, url=self.url(repo_id, repo_type), is_new=False)
        return None

    def _pull_requests(self, repo_id: str, repo_type: RepoType, message: str) -> list[str]:
        """Revisions of open pull requests with this title."""

        def ask() -> list[str]:
            found = self._api.get_repo_discussions(
                repo_id,
                repo_type=repo_type,
                discussion_type="pull_request",
                discussion_status="open",
            )
            return [f"refs/pr/{one.num}" for one in found if one.title == message]

        return patiently(repo_id, ask)


def check_repo_id(repo_id: str) -> None:
    """Refuse what cannot be the name of a repository.

    Raises:
        HubError: says what is expected.
    """
    try:
        validate_repo_id(repo_id)
        is_name = repo_id.count("/") == 1
    except HFValidationError:
        is_name = False
    if not is_name:
        raise HubError(
            f"{repo_id!r} is no name of a repository; expected OWNER/NAME, each of letters, digits, "
            "'-', '_' and '.', 96 characters at most"
        )
