"""The one chat format: what a model reads and writes, as token ids.

Generation, scoring, training and export all take their ids from here, so that a model is trained on
exactly the prefix it is later prompted with. `prompt_ids(user) + completion_ids(text)` is what the
tokenizer's chat template gives for the whole conversation, up to and including EOS.

User and corpus text is data: where it spells a special token of the tokenizer, it is encoded as
plain characters.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import jinja2

from ddl_train.errors import ModelError

_USER = "QXUSERZQ"
_ANSWER = "QXANSWERZQ"


class ChatFormat:
    """One user message, one answer, as token ids of one tokenizer."""

    def __init__(
        self,
        tokenizer: Any,
        format: Literal["chat", "plain"] = "chat",
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the pieces of the template apart once.

        Args:
            tokenizer: a fast tokenizer of transformers.
            format: `chat` for the tokenizer's template, `plain` for message, newline, answer.
            kwargs: passed to the chat template.

        Raises:
            ModelError: there is no EOS, no template, or the template cannot be used.
        """
        self.tokenizer = tokenizer
        self.format = format
        if tokenizer.eos_token_id is None:
            raise ModelError(
                f"{_name(tokenizer)}: the tokenizer has no EOS token, so an answer could never "
                "end; set `eos_token` in its tokenizer_config.json or take another base"
            )
        if format == "plain":
            self._before, self._between, self._lead, self._tail = "", "\n", "", ""
        else:
            self._take_apart(dict(kwargs or {}))
        self._bos = self._bos_ids() if format == "plain" else []
        self._closing = self._closing_ids()
        self._open = self._split(self._between)

    def prompt_ids(self, user: str) -> list[int]:
        """Everything a model reads before its answer."""
        user = user.strip()
        ids = self._encode(self._before + user + self._between)
        if self._count_special(ids) != self._num_special_in_shell:
            ids = self._split(self._before) + self.text_ids(user) + self._open
        return self._bos + ids

    def completion_ids(self, text: str, *, eos: bool = True) -> list[int]:
        """An answer as it follows a prompt; with `eos`, as it is ended."""
        whole = self._encode(self._between + self._lead + text)
        same_head = whole[: len(self._open)] == self._open
        if same_head and self._count_special(whole) == self._count_special(self._open):
            ids = whole[len(self._open) :]
        else:
            ids = self._split(self._lead) + self.text_ids(text)
        return ids + self._closing if eos else ids

    def text_ids(self, text: str) -> list[int]:
        """Plain text, special tokens spelt out in it encoded as characters."""
        ids = self._encode(text)
        if self._count_special(ids) == 0:
            return ids
        ids = [token for piece in self._break_special(text) for token in self._encode(piece)]
        return [token for token in ids if token not in self._forbidden]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer: no special tokens, stripped."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    @cached_property
    def eos_token_ids(self) -> tuple[int, ...]:
        """What ends an answer: the end of a turn in the template, and the tokenizer's EOS."""
        return tuple(dict.fromkeys([self._closing[-1], int(self.tokenizer.eos_token_id)]))

    @cached_property
    def pad_token_id(self) -> int:
        """Fills up a batch; never attended to. EOS where the tokenizer has none."""
        pad, eos = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        return int(eos if pad is None else pad)

    @cached_property
    def bos_token_id(self) -> int | None:
        """What a plain text begins with, where the tokenizer knows such a token."""
        token = self.tokenizer.bos_token_id
        return None if token is None else int(token)

    @cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Spellings that would control the model if they were read as tokens."""
        added = self.tokenizer.added_tokens_decoder.values()
        template = self.tokenizer.chat_template or "" if self.format == "chat" else ""
        spellings = {
            token.content
            for token in added
            if token.content.strip()
            and (token.special or (len(token.content) > 2 and token.content in str(template)))
        }
        return tuple(sorted(spellings, key=lambda text: (-len(text), text)))

    @cached_property
    def _forbidden(self) -> frozenset[int]:
        """Ids that data may never hold. The unknown token is no control token."""
        spellings = set(self.special_tokens)
        ids = {
            number
            for number, token in self.tokenizer.added_tokens_decoder.items()
            if token.content in spellings
        }
        return frozenset(ids - {self.tokenizer.unk_token_id})

    @cached_property
    def _num_special_in_shell(self) -> int:
        return self._count_special(self._split(self._before) + self._open)

    def _count_special(self, ids: Sequence[int]) -> int:
        forbidden = self._forbidden
        return sum(token in forbidden for token in ids)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _split(self, text: str) -> list[int]:
        return self._encode(text) if text else []

    def _break_special(self, text: str) -> list[str]:
        """Cut after the first character of every special spelling, until none is left whole."""
        spellings = [re.escape(token) for token in self.special_tokens if len(token) > 1]
        pattern = re.compile("|".join(spellings)) if spellings else None
        pieces, rest = [], text
        while pattern is not None and (match := pattern.search(rest)):
            pieces.append(rest[: match.start() + 1])
            rest = rest[match.start() + 1 :]
        return [piece for piece in [*pieces, rest] if piece]

    def _bos_ids(self) -> list[int]:
        token = self.tokenizer.bos_token_id
        return [] if token is None else [int(token)]

    def _closing_ids(self) -> list[int]:
        """What ends an answer: the template's text up to its first special token, or EOS."""
        eos = int(self.tokenizer.eos_token_id)
        tail = self._split(self._tail)
        for position, token in enumerate(tail):
            if token in self._forbidden or token == eos:
                return tail[: position + 1]
        return [eos]

    def _take_apart(self, kwargs: dict[str, Any]) -> None:
        """Find what the template puts before the message, before, and after the answer."""
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"{_name(self.tokenizer)}: the tokenizer has no chat template, so it is a base "
                "model; set `model.format: plain`, or take the instruct version"
            )
        user = {"role": "user", "content": _USER}
        answer = {"role": "assistant", "content": _ANSWER}
        asked = self._apply([user], kwargs, add_generation_prompt=True)
        whole = self._apply([user, answer], kwargs, add_generation_prompt=False)
        if asked.count(_USER) != 1 or whole.count(_ANSWER) != 1 or not whole.startswith(asked):
            raise ModelError(
                f"{_name(self.tokenizer)}: with its chat template a prompt is not the beginning of "
                "the finished conversation; set `model.chat_template_kwargs` (for example "
                "`enable_thinking: false`) or `model.format: plain`"
            )
        self._before, self._between = asked.split(_USER)
        self._lead, self._tail = whole[len(asked) :].split(_ANSWER)
        if self._lead.strip():
            raise ModelError(
                f"{_name(self.tokenizer)}: its chat template puts {self._lead.strip()!r} before "
                "every answer, which a prompt lacks; set `model.chat_template_kwargs`, for example "
                "`enable_thinking: false`"
            )

    def _apply(self, messages: list[dict[str, str]], kwargs: dict[str, Any], **options: Any) -> str:
        try:
            return str(
                self.tokenizer.apply_chat_template(messages, tokenize=False, **options, **kwargs)
            )
        except (jinja2.TemplateError, TypeError, KeyError) as error:
            raise ModelError(
                f"{_name(self.tokenizer)}: its chat template fails on one user message and one "
                f"answer ({error}); check `model.chat_template_kwargs`"
            ) from None


def _name(tokenizer: Any) -> str:
    return str(tokenizer.name_or_path or "tokenizer")
