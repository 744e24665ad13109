"""Rows as token ids: what the model reads, and which of it the loss is taken on.

The ids come from the engine's own chat format, so a model is trained on exactly the prefix that it
is later asked with. Only the completion and the EOS after it are trained. A row without a prompt
is bare text: BOS where the tokenizer knows one, the text, EOS, all of it trained.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ddl_train.records import TrainingRow

IGNORED = -100
"""Label of a token that the loss is not taken on."""


class Format(Protocol):
    """The part of `engines.chat.ChatFormat` that training needs."""

    @property
    def bos_token_id(self) -> int | None: ...

    def prompt_ids(self, user: str) -> list[int]: ...

    def completion_ids(self, text: str, *, eos: bool = True) -> list[int]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedRows:
    """A night as the trainer sees it."""

    input_ids: tuple[tuple[int, ...], ...]
    labels: tuple[tuple[int, ...], ...]
    num_too_long: int
    """Rows left out because they exceed `max_length`."""

    @property
    def num_rows(self) -> int:
        return len(self.input_ids)

    @property
    def num_tokens(self) -> int:
        return sum(map(len, self.input_ids))

    @property
    def num_trained_tokens(self) -> int:
        return sum(label != IGNORED for row in self.labels for label in row)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps([self.input_ids, self.labels]).encode()).hexdigest()


def encode_rows(rows: Sequence[TrainingRow], chat: Format, *, max_length: int) -> EncodedRows:
    """Encode rows in order, leaving out those longer than `max_length` tokens."""
    input_ids, labels = [], []
    for row in rows:
        if row.prompt:
            prompt = chat.prompt_ids(row.prompt)
            answer = chat.completion_ids(row.completion, eos=True)
        else:
            prompt = []
            start = [] if chat.bos_token_id is None else [chat.bos_token_id]
            answer = start + chat.completion_ids(row.completion, eos=True)
        if len(prompt) + len(answer) > max_length:
            continue
        input_ids.append((*prompt, *answer))
        labels.append((*[IGNORED] * len(prompt), *answer))
    return EncodedRows(
        input_ids=tuple(input_ids),
        labels=tuple(labels),
        num_too_long=len(rows) - len(input_ids),
    )
