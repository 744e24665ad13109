"""A model on an OpenAI-compatible server; implements `records.TextModel`.

What it can do is found out by asking it, before anything rests on it: many servers take `logprobs`
and return none, without a word. Where they come, scores are expected values, as from the local base;
where not, the answer is parsed. A server that gave them once and gives none later is an error.

Texts are data: spellings of special tokens are broken up before they leave. Replies are not
streamed. Not covered: hidden states and likelihoods of given texts, which stay with the local base;
ending a NONE early, which needs a stream; equal texts from equal seeds, which few servers promise.
"""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddl_train.config import CriticServerConfig, GeneratorServerConfig, ServerConfig
from ddl_train.engines.server_client import SAVED, Request, ServerClient
from ddl_train.engines.server_replies import (
    MAX_UNSEEN,
    Reply,
    Tokens,
    frequencies,
    integer_table,
    parse_integer,
    split_beginning,
)
from ddl_train.errors import ServerError
from ddl_train.records import BASE, Completion, FloatArray, Sampling, Usage

CHECK = "Count from 1 to 5 in digits, separated by commas."
"""A question of several tokens, put to a server before anything else."""
_TOP_LOGPROBS = 20
_NUM_SCORE_TOKENS = 8
_MAX_DIFFERENCE = 0.05
"""Of a probability asked in two ways that should agree."""
_SPECIAL = re.compile(r"<\|[^|<>\s]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>")
_PREFILL = {"add_generation_prompt": False, "continue_final_message": True}
"""What vLLM and SGLang want to hear; llama.cpp's server needs no word."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server was found to do."""

    gives_logprobs: bool
    can_continue: bool
    """It goes on with an answer that was begun for it."""


class ServerEngine:
    """Asks one model on a server, many questions at once.

    In `Usage`, tokens are what the server says it read and wrote; where it does not say, they are
    counted with the local base's tokenizer. FLOPs are 0: nobody knows what runs there.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        where: str,
        special_tokens: Sequence[str],
        count: Callable[[str], int],
    ) -> None:
        """Nothing is sent yet.

        Args:
            config: of the server.
            where: it stands in the config, for sentences (`wake.critic`).
            special_tokens: of the local base; broken up in what is sent, as are common ones.
            count: tokens of a text.

        Raises:
            ResourceError: the `openai` extra is not installed.
            ConfigError: the environment variable of the key is not set.
        """
        self.name = f"{config.model} at {config.url}"
        self.config = config
        self.where = where
        self._client = ServerClient(config, where=where)
        own = [re.escape(token) for token in special_tokens if len(token) > 1]
        self._special = re.compile("|".join([*own, _SPECIAL.pattern]))
        self._count = count
        self._abilities: Abilities | None = None

    @property
    def has_adapters(self) -> bool:
        """Whether the server is said to have the run's adapters."""
        return isinstance(self.config, GeneratorServerConfig) and bool(self.config.adapter_model)

    def meet(self) -> Abilities:
        """Ask the server, once, what it can do.

        Raises:
            ServerError: it does not answer as it should, or lacks what the config demands.
        """
        if self._abilities is None:
            self._abilities = self._examine()
        return self._abilities

    @property
    def reads_scores_by(self) -> str:
        """`logprobs` or `text`; asks the server where nobody has yet."""
        wanted = self.config.scores if isinstance(self.config, CriticServerConfig) else "auto"
        if wanted == "text":
            return "text"
        return "logprobs" if self.meet().gives_logprobs else "text"

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        """Complete each prompt, in order."""
        if not prompts:
            return [], Usage()
        start = time.perf_counter()
        self.meet()
        requests = [
            self._request(prompt, sampling=sampling, seed=_seed(seed, place))
            for place, prompt in enumerate(prompts)
        ]
        replies = self._client.ask(requests, model=self._model_of(adapter))
        completions = [
            self._completion(prompt, reply, sampling)
            for prompt, reply in zip(prompts, replies, strict=True)
        ]
        read = sum(one.num_prompt_tokens for one in completions)
        written = sum(one.num_completion_tokens for one in completions)
        return completions, Usage.forward(read, written, seconds=time.perf_counter() - start)

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        """Probability of each integer low..high as the whole answer, [n, high-low+1].

        A row of NaN: the model did not answer with one of them.
        """
        start = time.perf_counter()
        if not prompts:
            return np.zeros((0, high - low + 1), dtype=np.float32), Usage()
        model = self._model_of(adapter)
        if self.reads_scores_by == "logprobs":
            rows, replies = self._by_logprobs(prompts, low, high, model)
        else:
            rows, replies = self._by_text(prompts, low, high, model)
        read = sum(self._num_read(prompt, reply) for prompt, reply in replies)
        written = sum(self._num_written(reply) for _, reply in replies)
        return np.stack(rows), Usage.forward(read, written, seconds=time.perf_counter() - start)

    def _by_logprobs(
        self, prompts: Sequence[str], low: int, high: int, model: str
    ) -> tuple[list[FloatArray], list[tuple[str, Reply | None]]]:
        requests = [self._score_request(prompt, logprobs=True) for prompt in prompts]
        replies = self._client.ask(requests, model=model)
        rows = [np.full(high - low + 1, np.nan, dtype=np.float32) for _ in prompts]
        open_ends: list[int] = []
        for place, reply in enumerate(replies):
            if reply is None or not reply.text:
                continue
            if reply.tokens is None:
                raise self._error("gave logprobs before and leaves them out now")
            found = integer_table(reply.tokens, low=low, high=high)
            if found is not None:
                rows[place] = found[0]
                if found[1] > MAX_UNSEEN and self.meet().can_continue:
                    open_ends.append(place)
        asked = list(zip(prompts, replies, strict=True))
        if open_ends:
            begun = [self._continued(prompts[place], str(low)) for place in open_ends]
            more = self._client.ask(begun, model=model)
            for place, reply in zip(open_ends, more, strict=True):
                if reply is not None and reply.tokens:
                    rows[place] = split_beginning(rows[place], reply.tokens[0][1], low=low)
                asked.append((prompts[place], reply))
        return rows, asked

    def _by_text(
        self, prompts: Sequence[str], low: int, high: int, model: str
    ) -> tuple[list[FloatArray], list[tuple[str, Reply | None]]]:
        times = self.config.num_samples if isinstance(self.config, CriticServerConfig) else 1
        requests = [
            self._score_request(
                prompt, temperature=0.0 if times == 1 else 1.0, seed=_seed(n, place)
            )
            for place, prompt in enumerate(prompts)
            for n in range(times)
        ]
        replies = self._client.ask(requests, model=model)
        rows = []
        for start in range(0, len(replies), times):
            said = [reply.text for reply in replies[start : start + times] if reply is not None]
            numbers = [parse_integer(text, low=low, high=high) for text in said]
            rows.append(frequencies(numbers, low, high))
        asked = [prompt for prompt in prompts for _ in range(times)]
        return rows, list(zip(asked, replies, strict=True))

    def _examine(self) -> Abilities:
        wanted = self.config.scores if isinstance(self.config, CriticServerConfig) else None
        question = self._score_request(CHECK, logprobs=wanted in ("auto", "logprobs"))
        (reply,) = self._client.ask([question], model=self.config.model)
        tokens = reply.tokens if reply is not None else None
        if wanted == "logprobs" and tokens is None:
            raise self._error(
                f"takes logprobs and returns none; set {self.where}.scores to text, which parses "
                "its answers, or start it so that it gives them"
            )
        can_continue = bool(tokens) and len(tokens or ()) > 1 and self._continues(tokens or ())
        return Abilities(gives_logprobs=tokens is not None, can_continue=can_continue)

    def _continues(self, tokens: Sequence[tuple[str, Tokens]]) -> bool:
        """Whether an answer begun for it goes on as its own did after the same token."""
        try:
            (reply,) = self._client.ask(
                [self._continued(CHECK, tokens[0][0])], model=self.config.model
            )
        except ServerError:
            return False  # it takes no answer that was begun
        if reply is None or not reply.tokens:
            return False
        own, begun = tokens[1][1], reply.tokens[0][1]
        return all(abs(begun.get(token, 0.0) - p) <= _MAX_DIFFERENCE for token, p in own.items())

    def _request(self, prompt: str, *, sampling: Sampling, seed: int) -> Request:
        more: dict[str, Any] = {"min_p": sampling.min_p} if sampling.min_p else {}
        return {
            "messages": [{"role": "user", "content": self._harmless(prompt)}],
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "extra_body": more if sampling.temperature else {},
        }

    def _score_request(self, prompt: str, *, logprobs: bool = False, **options: Any) -> Request:
        asks = {"logprobs": True, "top_logprobs": _TOP_LOGPROBS} if logprobs else {}
        own = self.config.score_body if isinstance(self.config, CriticServerConfig) else {}
        return {
            "messages": [{"role": "user", "content": self._harmless(prompt)}],
            "max_tokens": _NUM_SCORE_TOKENS,
            "temperature": 0.0,
            **asks,
            **options,
            "extra_body": own if prompt != CHECK else {},
        }

    def _continued(self, prompt: str, begun: str) -> Request:
        """The same question for scores, the answer to it begun."""
        request = self._score_request(prompt, logprobs=True)
        messages = [*request["messages"], {"role": "assistant", "content": begun}]
        return {
            **request,
            "messages": messages,
            "max_tokens": 1,
            "extra_body": {**request["extra_body"], **_PREFILL},
        }

    def _completion(self, prompt: str, reply: Reply | None, sampling: Sampling) -> Completion:
        text = reply.text if reply is not None else ""
        ended = reply is not None and reply.finish_reason == "stop"
        stopped = bool(sampling.stop_after) and text.startswith(sampling.stop_after or "")
        return Completion(
            text=text,
            num_prompt_tokens=self._num_read(prompt, reply),
            num_completion_tokens=self._num_written(reply),
            is_finished=ended or stopped,
        )

    def _num_read(self, prompt: str, reply: Reply | None) -> int:
        told = reply.num_prompt_tokens if reply is not None else None
        return self._count(prompt) if told is None else told

    def _num_written(self, reply: Reply | None) -> int:
        if reply is None:
            return 0
        told = reply.num_completion_tokens
        return self._count(reply.text) if told is None else told

    def _model_of(self, adapter: str) -> str:
        if adapter == BASE:
            return self.config.model
        assert isinstance(self.config, GeneratorServerConfig) and self.config.adapter_model
        return self.config.adapter_model.replace("{version}", adapter)

    def _harmless(self, text: str) -> str:
        """The text with a space in every spelling that a server might read as a special token."""
        return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def _error(self, what: str) -> ServerError:
        return ServerError(f"{self.where}: the server at {self.config.url} {what}; {SAVED}")


def _seed(*parts: int) -> int:
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
