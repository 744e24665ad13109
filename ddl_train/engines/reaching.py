"""Where the small files of a base are to be had, found out within seconds.

Libraries ask the Hub again and again before they give up, for most of a minute. A question that
needs a config and a tokenizer only (`--dry-run`) looks into the folder or the cache first, and asks
the Hub once whether it is there at all.
"""

import threading
from pathlib import Path
from typing import Any

from huggingface_hub import constants, get_session, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from ddl_train.config import ModelConfig
from ddl_train.errors import ModelError

PATIENCE_S = 3.0
"""How long the Hub may take to answer at all."""
NEEDED = ("config.json", "tokenizer_config.json")


def loading_options(config: ModelConfig) -> dict[str, Any]:
    """`revision` and `local_files_only` for `from_pretrained`, so that it never waits in vain.

    Raises:
        ModelError: there is no such folder; or the base is not in the cache, and the Hub cannot be
            reached.
    """
    if Path(config.base).is_dir():
        return {"local_files_only": True}
    if config.base.startswith((".", "/", "~")) or config.base.count("/") > 1:
        raise ModelError(
            f"{config.base}: no such folder; model.base is a folder or a Hub id like 'owner/name'"
        )
    if _is_cached(config):
        return {"revision": config.revision, "local_files_only": True}
    if constants.HF_HUB_OFFLINE or not _answers(constants.ENDPOINT):
        why = "this machine is set offline" if constants.HF_HUB_OFFLINE else "it does not answer"
        raise ModelError(
            f"model.base {config.base!r}: is no folder, is not in the Hub's cache, and cannot be "
            f"fetched from {constants.ENDPOINT}: {why}; name a local folder, or fetch it once "
            f"with `hf download {config.base}`"
        )
    return {"revision": config.revision, "local_files_only": False}


def _is_cached(config: ModelConfig) -> bool:
    try:
        found = [
            try_to_load_from_cache(config.base, name, revision=config.revision) for name in NEEDED
        ]
    except HFValidationError:
        return False
    return all(isinstance(one, str) for one in found)


def _answers(endpoint: str) -> bool:
    """Whether anything answers there in time; looking up a name has no time limit of its own."""
    answers: list[int] = []

    def ask() -> None:
        try:
            answers.append(get_session().head(endpoint, timeout=PATIENCE_S).status_code)
        except Exception:  # noqa: BLE001 - whatever went wrong, nobody answered
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return bool(answers)
