"""Probe files are what a run is measured by: their content is kept, and a change of it is noticed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ddl_train.config import EvaluateConfig
from ddl_train.errors import ProbeError
from ddl_train.probes.files import read_rows
from ddl_train.probes.suites import FILE_SUITES


def hash_probe_files(config: EvaluateConfig) -> dict[str, str]:
    """Path of every probe file -> sha256 of its bytes; of a dataset's rows where it is a folder.

    `datasets` writes caches into its folders, which change no question.

    Raises:
        ProbeError: one cannot be read.
    """
    found = {}
    for path in dict.fromkeys(path for suite in FILE_SUITES for path in getattr(config, suite)):
        try:
            content = _rows(path) if Path(path).is_dir() else Path(path).read_bytes()
            found[path] = hashlib.sha256(content).hexdigest()
        except OSError as error:
            raise ProbeError(
                f"{path}: cannot be read; the evaluate section, or --probes, names it"
            ) from error
    return found


def _rows(path: str) -> bytes:
    rows = (json.dumps(row, sort_keys=True, default=repr) for _, row in read_rows(path))
    return "\n".join(rows).encode()


def changed_files(now: Mapping[str, str], before: Iterable[Mapping[str, str]]) -> list[str]:
    """Why each file that differs from what it first was cannot be measured by, in sentences.

    Args:
        now: from `hash_probe_files`.
        before: the same of earlier cycles, oldest first.
    """
    first: dict[str, str] = {}
    for hashes in before:
        first = {**hashes, **first}
    return [
        f"{path} is not what it was when this run first used it; put that file back, or give the "
        "new one another name"
        for path, sha256 in now.items()
        if first.get(path, sha256) != sha256
    ]
