"""What a cell of the world bench holds, so that a damaged one is known before it is counted.

Only what is read from cells is named here; other keys pass.
"""

import json
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ddl_train.bench.exam import RETRIEVED, TOLD
from ddl_train.records import BASE, JsonObject

Marks = Annotated[str, Field(pattern="^[01-]*$")]
"""A sign for each item: right, wrong, or not asked."""
Hits = Annotated[str, Field(pattern="^[01]*$")]
Shares = dict[str, tuple[int, int]]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _World(_Part):
    num_true: dict[str, int]


class _Discovery(_Part):
    num_pairs: int
    num_opportunities: int
    num_opportunities_across: int
    num_taken: int
    num_taken_across: int
    proposed: dict[str, int]
    admitted: dict[str, int]
    by_lineage: dict[str, dict[str, int]]
    new_by_depth: dict[str, int]
    num_resting: int


class _Suites(_Part):
    base: Shares | None
    in_use: Shares | None
    kl: float | None


class _Spent(_Part):
    tokens: float
    seconds: float


class _Night(_Spent):
    promoted: bool


class _Exam(_Part):
    items: list[tuple[str, str, int | None]]
    in_use: list[str]
    num_choices: Annotated[int, Field(ge=2)]
    answers: dict[str, Marks]

    @model_validator(mode="after")
    def _everyone_sat_all_of_it(self) -> Self:
        _same_length(self.answers, [BASE, TOLD, RETRIEVED, *self.in_use], len(self.items))
        if any(cycle is not None and not 0 <= cycle < len(self.in_use) for *_, cycle in self.items):
            raise ValueError("an item is of a cycle that was not lived")
        return self


class _Answers(_Part):
    num_samples: int
    questions: list[tuple[str, int, Annotated[int, Field(gt=0)], str]]
    said: dict[str, list[tuple[int, int]]]


class _PairedWaking(_Part):
    num_pairs: int
    hits: dict[str, Hits]
    untrue: dict[str, int]


class _Cell(_Part):
    arm: str
    seed: int
    preset: str
    num_cycles: int
    overrides: list[str]
    base_sha256: str
    world_sha256: str
    world: _World
    discovery: list[_Discovery]
    suites: list[_Suites]
    usage: dict[str, _Spent]
    nights: list[_Night]
    leaks: list[str]
    exam: _Exam
    answers: _Answers
    paired_waking: _PairedWaking | None

    @model_validator(mode="after")
    def _adapters_are_those_of_the_exam(self) -> Self:
        last = [BASE, *self.exam.in_use][-1]
        _same_length(self.answers.said, [BASE, last], len(self.answers.questions))
        if TOLD not in self.answers.said:
            raise ValueError(f"nothing was said by {TOLD!r}")
        if self.paired_waking:
            hits = self.paired_waking.hits
            _same_length(hits, [BASE, *self.exam.in_use], len(hits.get(BASE, "")))
            if not {BASE, last} <= self.paired_waking.untrue.keys():
                raise ValueError(f"untrue proposals of {BASE!r} or {last!r} were not counted")
        return self


def damage_of(cell: JsonObject) -> str | None:
    """What a cell lacks or has in another shape, or None where it can be counted."""
    try:
        _Cell.model_validate_json(json.dumps(cell))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        return f"{place}: {problem['msg'].removeprefix('Value error, ')}".removeprefix(": ")
    return None


def _same_length(
    found: dict[str, str] | dict[str, list[tuple[int, int]]], who: list[str], size: int
) -> None:
    for name in who:
        if len(found.get(name, "")) != size or name not in found:
            raise ValueError(f"{name!r} did not answer {size} items")
