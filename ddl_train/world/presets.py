"""Presets: how large a world is, how it is told, and how much is asked about it.

The numbers stand in `configs/worlds/*.yaml`. A preset is named by its file, or given as a path to
a file of one's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from ddl_train.errors import ConfigError
from ddl_train.world.graph import WorldSpec

PRESET_DIRS = (
    Path(__file__).resolve().parent / "worlds",
    Path(__file__).resolve().parents[2] / "configs" / "worlds",
)
"""Where presets are found: beside this file in a wheel, in `configs/` in a checkout."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentSpec:
    """How a world is told."""

    min_sentences: int = 2
    max_sentences: int = 5
    repeat_share: float = 0.0
    """Share of the facts that a second document tells too, in another wording."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_sentences <= self.max_sentences:
            raise ValueError(
                f"min_sentences {self.min_sentences} and max_sentences {self.max_sentences} "
                "are no range; expected 1 <= min <= max"
            )
        if not 0 <= self.repeat_share <= 1:
            raise ValueError(f"repeat_share: got {self.repeat_share}, expected 0 to 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeSpec:
    """How much is asked. Every count is a cap."""

    max_depth: int = 2
    """Conclusions of up to this lineage depth are asked about."""
    insights: int = 200
    """Conclusions asked about; of the shallowest depth up to two thirds."""
    distractors: int = 4
    """Wrong answers beside each right one, in forward and reverse questions."""
    retention: int = 240
    skill: int = 100
    false_memory: int = 200

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(
                    f"{field.name}: got {getattr(self, field.name)}, expected 1 or more"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """All numbers of a world but its seed."""

    name: str
    world: WorldSpec
    documents: DocumentSpec = DocumentSpec()
    probes: ProbeSpec = ProbeSpec()


def preset_names() -> list[str]:
    """Names that `load_preset` knows, in alphabetical order."""
    return sorted({path.stem for folder in PRESET_DIRS for path in folder.glob("*.yaml")})


def load_preset(name: str) -> Preset:
    """Read a preset by name, or from a YAML file.

    Raises:
        ConfigError: there is no such preset, a key is unknown, or a value is impossible.
    """
    path = _find(name)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {path.absolute()}; expected a YAML file, or one of the presets "
            f"{', '.join(preset_names())}"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error})") from None
    parts = {"world", "documents", "probes"}
    if not isinstance(values, dict) or "world" not in values or values.keys() - parts:
        raise ConfigError(f"{path.name}: expected world: and perhaps documents: and probes:")
    where = f"{path.name}:"
    return Preset(
        name=path.stem,
        world=_part(WorldSpec, values["world"], f"{where} world"),
        documents=_part(DocumentSpec, values.get("documents", {}), f"{where} documents"),
        probes=_part(ProbeSpec, values.get("probes", {}), f"{where} probes"),
    )


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    for folder in PRESET_DIRS:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise ConfigError(
        f"there is no world preset {name!r}; expected one of {', '.join(preset_names())}, "
        "or a path to a YAML file"
    )


PartT = TypeVar("PartT")


def _part(kind: type[PartT], values: Any, where: str) -> PartT:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: got {values!r}, expected a mapping")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        raise ConfigError(f"{where} has unknown key {unknown[0]!r}; expected {', '.join(known)}")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where} {place}: {message}".replace(" : ", ": ")) from None
