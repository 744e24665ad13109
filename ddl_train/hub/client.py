"""The Hub as a publisher needs it: look, create, commit once, fetch back. Through `HfApi` only.

The client repeats uploads of file contents by itself and a commit never; here a commit is repeated
only after a look at the repository has shown that it did not arrive. Every error becomes a sentence
without a token in it: the token is the client's own (`hf auth login` or HF_TOKEN) and is not read
into anything here but the check that there is one.
"""

import os
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    disable_progress_bars,
    validate_repo_id,
)

from ddl_train.errors import HubError, HubUnreachableError
from ddl_train.hub.remote import Change, Remote, RemoteFile, compare
from ddl_train.storage.outbox import RepoType

TRANSPORT: tuple[type[BaseException], ...] = (HfHubHTTPError.__bases__[0], OfflineModeIsEnabled)
"""Whatever the client's HTTP library raises; which library that is differs between versions."""
FAILURES: tuple[type[BaseException], ...] = (*TRANSPORT, OSError, ValueError, RuntimeError)
"""Whatever the client raises: it wraps refused uploads, and says what is wrong with a card."""
AGAIN = (408, 429, 500, 502, 503, 504)
"""Answers after which the same may be asked once more."""
NUM_TRIES = 4
MAX_WAIT_S = 120.0
_TOKEN = re.compile(r"\b(?:hf|api_org)_\w{6,}|(?i:bearer)\s+\S+")

T = TypeVar("T")


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
        found = _patiently("the Hub", self._api.whoami)
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

        return _patiently(repo_id, ask)

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
                wait = _wait_after(error, turn)
                found = self._arrived(wanted, gone, repo_id, repo_type, message, is_pr=is_pr)
                if found is not None:
                    return Sent(revision=found.revision, url=found.url, is_new=True)
                if wait is None:
                    raise _explained(repo_id, error) from None
            time.sleep(wait)
        raise AssertionError("the last turn returns or raises")

    def create(self, repo_id: str, repo_type: RepoType, *, is_public: bool) -> None:
        """Make an empty repository; one that exists is left as it is."""
        _patiently(
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
        _patiently(
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

        return _patiently(repo_id, ask)


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


def _patiently(what: str, ask: Callable[[], T]) -> T:
    """Ask something that may be asked twice, a few times where the Hub is busy."""
    for turn in range(NUM_TRIES):
        try:
            return ask()
        except HubError:
            raise
        except FAILURES as error:
            wait = _wait_after(error, turn)
            if wait is None:
                raise _explained(what, error) from None
        time.sleep(wait)
    raise AssertionError("the last turn returns or raises")


def _wait_after(error: BaseException, turn: int) -> float | None:
    """Seconds after which the same may be tried again; None when that is of no use."""
    if turn == NUM_TRIES - 1:
        return None
    cause = _root(error)
    if isinstance(cause, HfHubHTTPError):
        if cause.response.status_code not in AGAIN:
            return None
        asked = cause.response.headers.get("Retry-After", "")
        wait = float(asked) if asked.isdigit() else float(2**turn)
        return wait if wait <= MAX_WAIT_S else None
    if isinstance(cause, TRANSPORT) and not isinstance(cause, OfflineModeIsEnabled):
        return 2.0**turn
    return None


def _root(error: BaseException) -> BaseException:
    """What the Hub answered, where the client wrapped it."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, TRANSPORT):
        inner = inner.__cause__
    return error if inner is None else inner


def _explained(what: str, error: BaseException) -> HubError:
    """One sentence on what went wrong and what to do."""
    cause = _root(error)
    if not isinstance(cause, HfHubHTTPError):
        said = clean(cause)
        if isinstance(cause, TRANSPORT):
            return HubUnreachableError(f"{what}: the Hugging Face Hub cannot be reached ({said})")
        return HubError(f"{what}: {said}")
    status = cause.response.status_code
    said = clean(cause.server_message or cause.response.reason_phrase or "no reason given")
    if isinstance(cause, RepositoryNotFoundError) or status == 404:
        return HubError(f"{what}: there is no such user, organisation or repository ({said})")
    if status == 401:
        return HubError(f"{what}: the token is not accepted; log in again with `hf auth login`")
    if status == 403:
        return HubError(f"{what}: the token may not write there ({said})")
    if status in (409, 412):
        return HubError(
            f"{what}: was changed by somebody else meanwhile; nothing was published, look at "
            "`--dry-run` and give the same command again"
        )
    if status == 429:
        asked = cause.response.headers.get("Retry-After")
        when = f"in {asked} s" if asked else "later"
        return HubUnreachableError(f"{what}: too many requests; try again {when}")
    if status in AGAIN:
        return HubUnreachableError(f"{what}: the Hugging Face Hub answers {status} ({said})")
    return HubError(f"{what}: the Hugging Face Hub refused, {status} ({said})")


def clean(error: object) -> str:
    """An error's words in one line, without anything that looks like a token."""
    words = " ".join(str(error).split())
    token = get_token()
    if token:
        words = words.replace(token, "[token]")
    return _TOKEN.sub("[token]", words)[:300] or type(error).__name__
