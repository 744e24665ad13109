"""Files are replaced whole: a reader sees the old one or the new one, never half.

Every write goes to a temporary name in the same folder, is forced to the disk, and is renamed.
Temporary names begin with `TMP_PREFIX`, so that what a crash left behind can be told from data.
"""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ddl_train.errors import ConfigError, ResourceError, RunError

TMP_PREFIX = ".tmp-"
"""Beginning of every name that is being written and not yet data."""

_BLOCK_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn a full disk or a closed folder into one sentence; all else passes unchanged."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourceError(full_disk(place)) from error
        if error.errno in _CLOSED:
            raise RunError(not_writable(place)) from error
        raise


def make_folder(path: Path) -> None:
    """Make a folder that is to be written to, with those above it.

    Raises:
        RunError: it cannot be made.
        ResourceError: the disk is full.
    """
    with explained(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in (*_FULL, *_CLOSED):
                raise
            raise RunError(f"{path}: the folder cannot be made ({error.strerror})") from error


def check_file(path: Path) -> None:
    """Find out before hours are spent whether a file can be written; its folder is made.

    Raises:
        ConfigError: a folder has its name.
        RunError: it, or its folder, cannot be written.
        ResourceError: the disk is full.
    """
    if path.is_dir():
        raise ConfigError(
            f"{path}: is a folder, and a file is to be written there; move it or give another place"
        )
    make_folder(path.parent)
    tmp = tmp_path(path.parent)
    with explained(path):
        try:
            tmp.touch()
            tmp.unlink()
        except OSError as error:
            if error.errno in (*_FULL, *_CLOSED):
                raise
            raise RunError(f"{path}: cannot be written ({error.strerror})") from error


def full_disk(place: Path) -> str:
    return f"{place}: the disk is full; free some space and run the same command again"


def not_writable(place: Path) -> str:
    return f"{place}: cannot be written to; check its owner and mode, and that the disk is writable"


def tmp_path(folder: Path) -> Path:
    """A name in `folder` that nothing else has."""
    return folder / f"{TMP_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` in one step at the end, and stays through a power cut."""
    tmp = tmp_path(path.parent)
    with explained(path):
        try:
            with tmp.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(tmp, path)
        except BaseException:
            tmp.unlink(missing_ok=True)
            raise
        fsync_dir(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` in one step and keep it through a power cut."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def fsync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def fsync_dir(path: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder so that `target` is there whole or not at all. `target` must not exist."""
    tmp = tmp_path(target.parent)
    with explained(target):
        try:
            shutil.copytree(source, tmp, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            for path in tmp.rglob("*"):
                (fsync_dir if path.is_dir() else fsync_file)(path)
            fsync_dir(tmp)
            os.replace(tmp, target)
        except BaseException:
            shutil.rmtree(tmp, ignore_errors=True)
            raise
        fsync_dir(target.parent)


def leftovers(folder: Path) -> list[Path]:
    """Temporary files and folders that a crash left directly in `folder`."""
    return sorted(folder.glob(f"{TMP_PREFIX}*")) if folder.is_dir() else []


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
