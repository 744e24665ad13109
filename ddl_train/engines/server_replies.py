"""What a server says, read with suspicion: its replies, and the numbers in them.

A reply is what the chat API promises or it is none (`BadReplyError`). Probabilities of an integer as
the whole answer come from the most probable tokens at the place of the answer; an integer in a text
counts only where it is all that the text says.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from ddl_train.records import FloatArray

MIN_MASS = 0.05
"""Share of probability that integers need at the place of an answer to be one."""
MAX_UNSEEN = 0.02
"""Probability of a beginning ("1" of "10") whose continuation need not be known."""
_NUMBER = re.compile(
    r"[\s*_`\"'({\[]*(?:[a-z_ ]{1,24}[\"'*]*\s*[:=])?[\s*_`\"'(\[]*(?P<number>\d+)"
    r"\s*(?:/\s*10|out of (?:10|ten))?[\s*_`\"')}\].!]*",
    re.IGNORECASE,
)

Tokens = Mapping[str, float]
"""Text of a token -> its probability."""


class BadReplyError(Exception):
    """What came back is no reply of the chat API."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer of a server."""

    model: str
    text: str
    finish_reason: str | None
    tokens: tuple[tuple[str, Tokens], ...] | None
    """Each token written, with the likeliest ones in its place; None where the server is silent."""
    num_prompt_tokens: int | None
    num_completion_tokens: int | None


class _Top(BaseModel):
    token: str
    logprob: float


class _Place(_Top):
    top_logprobs: list[_Top] = []


class _Logprobs(BaseModel):
    content: list[_Place] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class _Body(BaseModel):
    model: str
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def read_reply(body: str) -> Reply:
    """Read the body of a chat completion.

    Raises:
        BadReplyError: it is not JSON, or not what the API promises.
    """
    try:
        values = json.loads(body)
    except ValueError:
        raise BadReplyError(f"it is not JSON: {body[:60]!r}") from None
    if isinstance(values, dict) and values.get("error") and not values.get("choices"):
        raise BadReplyError(f"it is an error: {str(values['error'])[:120]}")
    try:
        found = _Body.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise BadReplyError(f"{where}: {first['msg'].lower()}") from None
    choice = found.choices[0]
    places = (choice.logprobs.content if choice.logprobs else None) or []
    is_telling = bool(places) and all(len(place.top_logprobs) > 1 for place in places)
    return Reply(
        model=found.model,
        text=(choice.message.content or "").strip(),
        finish_reason=choice.finish_reason,
        tokens=tuple((p.token, _probabilities(p)) for p in places) if is_telling else None,
        num_prompt_tokens=found.usage.prompt_tokens if found.usage else None,
        num_completion_tokens=found.usage.completion_tokens if found.usage else None,
    )


def is_from(reply_model: str, expected: str) -> bool:
    """Whether a reply comes from the model that was asked.

    Dated snapshots (`gpt-4o-2024-08-06` for `gpt-4o`), revisions (`owner/name@main`) and the last
    part of a path are the same model.
    """
    same = {expected, expected.rstrip("/").rpartition("/")[2]}
    bare = re.sub(r"(-\d{4}-\d\d-\d\d|@[\w./-]+)$", "", reply_model)
    return reply_model in same or bare in same


def integer_table(
    tokens: Sequence[tuple[str, Tokens]], *, low: int, high: int
) -> tuple[FloatArray, float] | None:
    """Probability of each integer low..high, and how much of it belongs to one or another.

    Returns:
        The row, [high-low+1], which sums to 1, and the share that was seen only as a beginning
        (a "1" that may go on to "10") and is booked on the beginning. None: the model does not
        answer with an integer.
    """
    integers = [str(number) for number in range(low, high + 1)]
    place = 0
    while place < len(tokens) - 1 and not tokens[place][0].strip():
        place += 1
    masses = _masses(tokens[place][1], integers) if tokens else {}
    total = sum(masses.values())
    if not math.isfinite(total) or total < MIN_MASS:
        return None
    written = tokens[place][0].strip()
    unseen = 0.0
    for start in integers:
        longer = [one for one in integers if one != start and one.startswith(start)]
        if not longer or not masses[start] or any(masses[one] for one in longer):
            continue
        if written != start:
            unseen += masses[start]
        elif place + 1 < len(tokens):
            _split(masses, start, longer, tokens[place + 1][1])
    row = np.array([masses[one] for one in integers]) / total
    return row.astype(np.float32), unseen / total


def split_beginning(row: FloatArray, after: Tokens, *, low: int) -> FloatArray:
    """Move to longer integers what the tokens `after` a beginning give them."""
    masses = {str(low + place): float(mass) for place, mass in enumerate(row)}
    for start in list(masses):
        longer = [one for one in masses if one != start and one.startswith(start)]
        if longer:
            _split(masses, start, longer, after)
    return np.array(list(masses.values()), dtype=np.float32)


def parse_integer(text: str, *, low: int, high: int) -> int | None:
    """The integer that a text is, give or take a label and punctuation; None otherwise."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    number = int(found["number"])
    return number if low <= number <= high else None


def frequencies(numbers: Sequence[int | None], low: int, high: int) -> FloatArray:
    """How often each integer was said; NaN where most answers were none."""
    row = np.zeros(high - low + 1, dtype=np.float32)
    said = [number for number in numbers if number is not None]
    if not said or 2 * len(said) < len(numbers):
        return np.full_like(row, np.nan)
    for number in said:
        row[number - low] += 1.0 / len(said)
    return row


def _split(masses: dict[str, float], start: str, longer: Sequence[str], after: Tokens) -> None:
    whole = masses[start]
    for one in longer:
        rest = one[len(start) :]
        share = sum(p for token, p in after.items() if token == rest)
        masses[one] += whole * share
        masses[start] -= whole * share


def _masses(tokens: Tokens, integers: Sequence[str]) -> dict[str, float]:
    masses = dict.fromkeys(integers, 0.0)
    for token, probability in tokens.items():
        if token.strip() in masses:
            masses[token.strip()] += probability
    return masses


def _probabilities(place: _Place) -> Tokens:
    likely = [*place.top_logprobs, place]
    if not all(one.logprob <= 1e-3 for one in likely):  # NaN too
        raise BadReplyError("logprobs: a log-probability is above 0 or no number")
    return {one.token: math.exp(one.logprob) for one in likely}
