"""The base as others can load it, and a config without the folders of this machine."""

import json
from pathlib import Path

from ddl_train.config import Config, ModelConfig, parse_config
from ddl_train.errors import HubError
from ddl_train.hub.folder import as_json
from ddl_train.records import AdapterVersion, JsonObject

FILE_KEYS = (
    ("memory", "sources"),
    ("sleep", "general"),
    ("evaluate", "truth"),
    ("evaluate", "retention"),
    ("evaluate", "skill"),
    ("evaluate", "false_memory"),
)
"""Keys of a config that list files."""


def is_local(name: str) -> bool:
    """Whether a model is a folder of this machine and no id of the Hub."""
    return Path(name).exists() or name.startswith((".", "/", "~"))


def name_base(adapter: AdapterVersion, base_id: str | None) -> tuple[str, str | None]:
    """Id of the base on the Hub, and its commit where that is known.

    Args:
        adapter: names the base that it was trained on.
        base_id: `ID` or `ID@COMMIT`, said by a person of a base that is a local folder.

    Raises:
        HubError: the base is a local folder and nobody said which model it is.
    """
    if not is_local(adapter.base):
        if base_id is not None and base_id.partition("@")[0] != adapter.base:
            raise HubError(f"the base is {adapter.base} of the Hub; --base-id is for local folders")
        path = adapter.path / "adapter_config.json"
        revision = json.loads(path.read_text(encoding="utf-8")).get("revision")
        return adapter.base, revision
    if base_id is None:
        raise HubError(
            f"the base is the local folder {adapter.base}, which nobody else has; say with "
            "`--base-id OWNER/NAME@COMMIT` which model of the Hub it is, and the card will say that "
            "this was not compared"
        )
    name, _, commit = base_id.partition("@")
    if not name or is_local(name) or name.count("/") > 1:
        raise HubError(f"--base-id {base_id!r} is no model of the Hub; expected OWNER/NAME@COMMIT")
    return name, commit or None


def model_config(config: Config, adapter: AdapterVersion) -> ModelConfig:
    """How the base of an adapter is loaded; a student may have a smaller one than the run."""
    if adapter.base == config.model.base:
        return config.model
    return config.model.model_copy(update={"base": adapter.base, "revision": None})


def adapter_config(adapter: AdapterVersion, base_id: str, revision: str | None) -> str:
    """PEFT's own, with a base that others can load."""
    path = adapter.path / "adapter_config.json"
    values: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    values |= {"base_model_name_or_path": base_id, "revision": revision}
    return as_json(values)


def public_config(config: Config, base_id: str) -> Config:
    """A run's config in which every path is cut to its last part."""
    values = config.model_dump()
    values["model"]["base"] = base_id
    values["checkpoints_dir"] = "checkpoints"
    for section, key in FILE_KEYS:
        values[section][key] = [Path(path).name for path in values[section][key]]
    values["wake"]["prompts"] = Path(values["wake"]["prompts"]).name
    kind, colon, name = values["memory"]["embedder"].partition(":")
    if colon and is_local(name):
        values["memory"]["embedder"] = f"{kind}:{Path(name).name}"
    return parse_config(values, where="the published config")
