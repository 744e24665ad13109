"""The folder that is published: an allow-list of names, a cap on size, and a manifest of hashes.

It is built under a temporary name and named by its digest when it is whole, so that the same
content is the same folder and half a folder is never sent.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl_train.errors import HubError
from ddl_train.hub.scan import Finding, scan
from ddl_train.storage.files import explained, fsync_dir, fsync_file, remove, sha256_of, tmp_path

GIB = 1 << 30
OUTBOX_NAME = "outbox"
"""Folder of a run that holds what is to be sent."""
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
)
"""Files of a tokenizer and its chat template."""
_COMMON = ("README.md", "training_config.yaml", "lineage.json", *TOKENIZER)
_SHARED = (r"evals/[\w.-]+\.json", r"plots/[\w.-]+\.png")
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json")
_TEXT = (".md", ".yaml", ".json", ".jinja", ".txt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What a folder may hold."""

    name: str
    allowed: re.Pattern[str]
    max_bytes: int


def _kind(name: str, patterns: tuple[str, ...], max_bytes: int) -> Kind:
    return Kind(name=name, allowed=re.compile("|".join(patterns)), max_bytes=max_bytes)


ADAPTER = _kind(
    "adapter",
    (*map(re.escape, (*_COMMON, "adapter_model.safetensors", "adapter_config.json")), *_SHARED),
    4 * GIB,
)
MERGED = _kind(
    "merged model",
    (
        *map(re.escape, (*_COMMON, "config.json", "generation_config.json")),
        r"model(-\d+-of-\d+)?\.safetensors",
        r"model\.safetensors\.index\.json",
        *_SHARED,
    ),
    400 * GIB,
)
DATASET = _kind("dataset", (r"README\.md", r"data/insights\.parquet"), 4 * GIB)


def digest_of(manifest: Mapping[str, str]) -> str:
    """Names the content of a folder, 16 hex digits."""
    text = json.dumps(dict(sorted(manifest.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def close_folder(tmp: Path, kind: Kind) -> tuple[Path, dict[str, str]]:
    """Check a finished folder and name it by its digest; the folder and path -> sha256.

    Raises:
        HubError: a file is not on the allow-list, is a link, or all together are too large.
    """
    paths = sorted(path for path in tmp.rglob("*") if not path.is_dir() or path.is_symlink())
    names = [path.relative_to(tmp).as_posix() for path in paths]
    for path, name in zip(paths, names, strict=True):
        if path.is_symlink() or not path.is_file() or not kind.allowed.fullmatch(name):
            raise HubError(f"{name} is not on the list of what a published {kind.name} may hold")
    num_bytes = sum(path.stat().st_size for path in paths)
    if num_bytes > kind.max_bytes:
        raise HubError(
            f"the {kind.name} has {num_bytes / GIB:.1f} GiB; at most {kind.max_bytes / GIB:g} GiB "
            "are published"
        )
    with explained(tmp):
        for path in paths:
            fsync_file(path)
        manifest = {name: sha256_of(path) for name, path in zip(names, paths, strict=True)}
        target = tmp.parent / digest_of(manifest)
        if target.exists():
            remove(target)
        os.replace(tmp, target)
        fsync_dir(target.parent)
    return target, manifest


def new_folder(outbox_dir: Path) -> Path:
    """An empty folder under a temporary name; what crashes left there before is removed."""
    with explained(outbox_dir):
        outbox_dir.mkdir(parents=True, exist_ok=True)
        for path in outbox_dir.glob(".tmp-*"):
            remove(path)
        tmp = tmp_path(outbox_dir)
        tmp.mkdir()
    return tmp


def check_whole(folder: Path, manifest: Mapping[str, str]) -> None:
    """A folder that waited must be what it was.

    Raises:
        HubError: it is gone, or a file was changed.
    """
    for name, sha256 in manifest.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != sha256:
            raise HubError(f"{path}: was removed or changed since it was checked; publish it again")


def scan_folder(folder: Path) -> list[Finding]:
    """Secrets and personal data in all text of a folder; vocabularies are left out."""
    return [
        finding
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TEXT and path.name not in _VOCABULARIES
        for finding in scan(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
    ]


def put(folder: Path, name: str, content: str | bytes) -> None:
    """Write one file of a folder."""
    path = folder / name
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def as_json(value: Any) -> str:
    """JSON that every reader takes: numbers that are none become null."""
    return json.dumps(_plain(value), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
