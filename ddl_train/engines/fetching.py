"""An adapter that is no run's own: a folder, or one of the Hub; and whether it fits the base."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import AutoTokenizer

from ddl_train.errors import AdapterError

CONFIG = "adapter_config.json"
_FILES = [CONFIG, "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def fetch_adapter(name: str) -> Path:
    """The folder of an adapter, fetched from the Hub where `name` is no folder.

    Raises:
        AdapterError: there is none of that name.
    """
    path = Path(name)
    if path.is_dir():
        if not (path / CONFIG).is_file():
            raise AdapterError(f"{name}: holds no {CONFIG}, so it is no adapter")
        return path
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise AdapterError(
            f"{name}: no such adapter; expected a version of the run, a folder, or a Hub id like "
            "'owner/name'"
        )
    try:
        path = Path(snapshot_download(name, allow_patterns=_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        offline = " (this machine is set offline)" if constants.HF_HUB_OFFLINE else ""
        reason = " ".join(str(error).split())[:200]
        raise AdapterError(
            f"{name}: cannot be fetched from the Hugging Face Hub{offline}: {reason}"
        ) from None
    if not (path / CONFIG).is_file():
        raise AdapterError(f"{name}: holds no {CONFIG}, so it is no adapter")
    return path


def base_of(path: Path) -> str | None:
    """The base that an adapter says it was made for."""
    try:
        values = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path / CONFIG}: cannot be read as JSON ({error})") from None
    base = values.get("base_model_name_or_path") if isinstance(values, dict) else None
    return str(base) if base else None


def check_tokenizer(path: Path, tokenizer: Any) -> None:
    """Refuse an adapter that was trained with other tokens than the base has.

    Raises:
        AdapterError: its folder holds a tokenizer whose vocabulary is not the base's.
    """
    if not (path / "tokenizer.json").is_file():
        return
    try:
        own = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AdapterError(f"{path}: its tokenizer cannot be read: {reason}") from None
    mine, theirs = own.get_vocab(), tokenizer.get_vocab()
    if mine != theirs:
        odd = next((token for token in mine if mine[token] != theirs.get(token)), None) or next(
            iter(theirs.keys() - mine.keys())
        )
        raise AdapterError(
            f"{path}: its tokenizer ({len(mine):,} tokens) is not the base's ({len(theirs):,}); "
            f"{odd!r} is number {mine.get(odd)} there and {theirs.get(odd)} here: it was trained "
            "on another base"
        )
