"""YAML and the command line into a `Config`, and a `Config` into YAML or its JSON schema."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ddl_train.config.explaining import COMMAND_LINE, explain
from ddl_train.config.whole import Config
from ddl_train.errors import ConfigError


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML config and apply `section.key=value` overrides.

    Raises:
        ConfigError: the file cannot be read or parsed, a key is unknown, a value is impossible.
    """
    path = Path(path)
    values = _read_yaml(path)
    for override in overrides or []:
        _apply(values, override)
    values.setdefault("name", path.stem)
    given = [override.partition("=")[0].strip() for override in overrides or []]
    return parse_config(values, where=path.name, overridden=given)


def override_section(config: Config, section: str, overrides: Sequence[str]) -> Config:
    """A config with `section.key=value` overrides of one section and of no other.

    Raises:
        ConfigError: one is of another section, its key is unknown, or its value is impossible.
    """
    values = config.model_dump()
    for override in overrides:
        if not override.strip().startswith(f"{section}."):
            raise ConfigError(f"{override!r}: expected {section}.KEY=VALUE")
        _apply(values, override)
    given = [override.partition("=")[0].strip() for override in overrides]
    return parse_config(values, where="the run's config", overridden=given)


def parse_config(values: dict[str, Any], *, where: str, overridden: Sequence[str] = ()) -> Config:
    """Check plain values against the schema.

    Args:
        values: as YAML gives them.
        where: they come from, for errors.
        overridden: dotted keys that come from the command line instead.

    Raises:
        ConfigError: a key is unknown or missing, a value is impossible.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, where, overridden)) from None
    if not config.name or Path(config.name).name != config.name or config.name.startswith("."):
        raise ConfigError(
            f"{COMMAND_LINE if 'name' in overridden else where}: name is {config.name!r}; expected a plain folder name without slashes"
        )
    return config


def dump_yaml(config: Config) -> str:
    """The resolved config as YAML, every key present."""
    return yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True)


def json_schema() -> str:
    """JSON schema of a config file."""
    return json.dumps(Config.model_json_schema(), indent=2)


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice and keeps `no`, `on`, `off` as text."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} is written twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file; configs/ holds examples") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a UTF-8 text file ({error})") from None
    try:
        values = yaml.load(text, _UniqueKeyLoader)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(f"{path}{line}: {problem}; expected a YAML mapping of stages") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: holds {type(values).__name__}; expected a mapping with model: and memory:"
        )
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {override!r} is not of the form section.key=value")
    *sections, last = key.strip().split(".")
    place = values
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"override {override!r}: {section!r} is a value, not a section")
        place = inner
    try:
        place[last] = yaml.load(text, _UniqueKeyLoader) if text else None
    except yaml.YAMLError:
        raise ConfigError(f"override {override!r}: {text!r} is not a YAML value") from None
