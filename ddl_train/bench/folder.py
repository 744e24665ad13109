"""A bench's folder compares like with like: it says what it was made with, and holds to it."""

import hashlib
import json
from pathlib import Path

from ddl_train.config import flatten, load_config
from ddl_train.errors import ConfigError
from ddl_train.records import JsonObject
from ddl_train.storage.files import make_folder, sha256_of, write_text

FILE = "bench.json"


def what_runs(config: Path, overrides: list[str]) -> JsonObject:
    """What tells how a model dreams, sleeps and is judged: keys of a config, and general files."""
    found = load_config(config, overrides)
    values = found.model_dump(mode="json", exclude={"name", "checkpoints_dir"})
    general = {name: Path(name) for name in found.sleep.general}
    values["general_sha256"] = {
        name: sha256_of(path) for name, path in general.items() if path.is_file()
    }
    return values


def claim(out: Path, wanted: JsonObject) -> str:
    """Make `out` the folder of these settings, unless it is that already.

    Returns:
        The settings' sha256, by which what is kept in the folder can say that it is of them.

    Raises:
        ConfigError: it holds what other settings made, or its file is damaged.
        RunError: the folder cannot be made.
    """
    path = out / FILE
    wanted = json.loads(json.dumps(wanted))
    if path.exists():
        old, new = flatten(_read(path)), flatten(wanted)
        if changed := [key for key in [*new, *old] if old.get(key) != new.get(key)]:
            named = ", ".join(
                f"{key} = {old.get(key)} (asked: {new.get(key)})"
                for key in list(dict.fromkeys(changed))[:3]
            )
            raise ConfigError(
                f"{out}: holds what was made with other settings, by its {FILE}: {named}"
                f"{' and more' if len(set(changed)) > 3 else ''}; give another folder"
            )
    else:
        make_folder(out)
        write_text(path, json.dumps(wanted, indent=1))
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> JsonObject:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path}: is damaged, expected the settings of a bench; give another folder, or delete "
            "the file if nothing was changed since"
        )
    return found
