"""What a repository holds, and how it differs from a folder."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddl_train.storage.files import sha256_of


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteFile:
    """A file of a repository, known by the hash that git or LFS knows it by."""

    num_bytes: int
    git_sha1: str
    sha256: str | None
    """None for a file that git itself keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A repository at one commit."""

    commit: str
    is_private: bool
    files: Mapping[str, RemoteFile]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What publishing does to one path."""

    path: str
    state: Literal["added", "changed", "same", "removed"]
    before: int | None
    """Bytes; None where there is nothing."""
    after: int | None


def compare(
    local: Mapping[str, Path], remote: Remote | None, published: Iterable[str] = ()
) -> list[Change]:
    """What publishing would do, path by path.

    Args:
        local: path in the repository -> file.
        remote: None when the repository does not exist.
        published: paths that an earlier publish put there: those that are no longer wanted are
            removed. Files of anybody else stay.
    """
    there = {} if remote is None else remote.files
    changes = [_change(path, file, there.get(path)) for path, file in sorted(local.items())]
    changes += [
        Change(path=path, state="removed", before=there[path].num_bytes, after=None)
        for path in sorted(set(published) - set(local))
        if path in there
    ]
    return changes


def _change(path: str, file: Path, there: RemoteFile | None) -> Change:
    size = file.stat().st_size
    if there is None:
        return Change(path=path, state="added", before=None, after=size)
    is_same = there.num_bytes == size and (
        sha256_of(file) == there.sha256 if there.sha256 else git_sha1(file) == there.git_sha1
    )
    state: Literal["same", "changed"] = "same" if is_same else "changed"
    return Change(path=path, state=state, before=there.num_bytes, after=size)


def git_sha1(file: Path) -> str:
    """The name that git gives a file's content."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
