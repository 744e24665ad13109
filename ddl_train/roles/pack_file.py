"""`pack.yaml` of a prompt pack: how what a model answers is read back."""

import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from ddl_train.errors import ConfigError
from ddl_train.records import AXES


def _is_pattern(*groups: str) -> AfterValidator:
    def check(pattern: str) -> str:
        try:
            found = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        if missing := [group for group in groups if group not in found]:
            raise ValueError(f"lacks the named group {', '.join(missing)}")
        return pattern

    return AfterValidator(check)


class PackFile(BaseModel):
    """`pack.yaml`: how what a model answers is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    idea_pattern: Annotated[str, _is_pattern("reasoning", "conclusion")]
    """Finds the parts of an idea; its groups are `reasoning` and `conclusion`."""
    qa_pattern: Annotated[str, _is_pattern("question", "answer")]
    """Finds the parts of a study item; its groups are `question` and `answer`."""
    none: str
    """What the generator answers when there is no link."""
    axes: list[str]
    """What the critic is asked, in the order first shown."""
    heading_pattern: Annotated[str, _is_pattern("probability")] | None = None
    """Finds what stands before each of several answers; its group is the stated `probability`,
    which may be missing from a heading. A pack with the template `verbalised` needs it."""


def read_pack_file(path: Path) -> PackFile:
    """Read and check it.

    Raises:
        ConfigError: it is missing, is no YAML, or a key of it is wrong.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = PackFile.model_validate(values)
    except FileNotFoundError:
        raise ConfigError(f"{path.parent}: the prompt pack lacks pack.yaml") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'the file'}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {problems}") from None
    if sorted(file.axes) != sorted(AXES) or not file.none.strip():
        raise ConfigError(
            f"{path}: axes must be {', '.join(AXES)} in any order, and none a word; got axes "
            f"{file.axes} and none {file.none!r}"
        )
    return file
