"""What is wrong with a config, in one sentence for each problem."""

import difflib
import re
from collections.abc import Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ddl_train.config.schedules import KINDS
from ddl_train.config.whole import Config

COMMAND_LINE = "command line"
"""Where overrides come from, in errors."""


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_too_short": "some text",
    "list_type": "a list",
    "too_short": "a list of {min_length} or more",
    "dict_type": "a section with keys",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}
"""What a value should have been, by the type of pydantic's error; in braces its context."""


def explain(error: ValidationError, where: str, overridden: Sequence[str]) -> str:
    """All problems of a config in one sentence each, by where they come from."""
    found: dict[str, list[str]] = {}
    for problem in error.errors():
        sentence = _sentence(problem)
        place = _place(problem)
        is_ours = any(_is_about(key.split("."), place, sentence) for key in overridden)
        found.setdefault(COMMAND_LINE if is_ours else where, []).append(sentence)
    return "; ".join(f"{origin}: {'; '.join(said)}" for origin, said in found.items())


def _is_about(key: list[str], place: list[str], sentence: str) -> bool:
    """Whether a problem at a place comes of a key; one of a section is about the keys it names."""
    if place[: len(key)] == key or key[: len(place)] != place:
        return place[: len(key)] == key
    return key[-1] in re.findall(r"\w+", sentence)


def _place(problem: ErrorDetails) -> list[str]:
    """Keys down to what is wrong."""
    return [str(part) for part in problem["loc"] if part not in KINDS]


def _sentence(problem: ErrorDetails) -> str:
    place = _place(problem)
    section = ".".join(place[:-1])
    inside = f"{section} " if section else ""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _keys_of(place[:-1]), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{inside}has unknown key {place[-1]!r}{hint}"
    if problem["type"] == "missing":
        return f"{inside}lacks the key {place[-1]!r}"
    message = problem["msg"].removeprefix("Value error, ")
    if expected := _EXPECTED.get(problem["type"]):
        message = "expected " + expected.format(**problem.get("ctx", {}))
    # a check of a whole section names its keys itself
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return f"{'.'.join(place)}: {message}" if place else message
    got = "nothing" if problem["input"] is None else repr(problem["input"])
    return f"{'.'.join(place)}: got {got}; {message}"


def _keys_of(sections: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = (
            model.model_fields[section].annotation if section in model.model_fields else None
        )
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
