"""The engine: one open-weights model in memory, run with and without adapters.

Generator and critic are the same weights with the adapter on or off. Sleep borrows the base with
`lend_base` and gives it back unchanged.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddl_train.config import ModelConfig
from ddl_train.engines.adapters import Adapters
from ddl_train.engines.batching import Batching
from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.divergence import weigh
from ddl_train.engines.fitting import check_fit
from ddl_train.engines.integers import IntegerTree
from ddl_train.engines.loading import LoadedBase, load_base
from ddl_train.engines.passes import num_used_parameters
from ddl_train.engines.plain import pool, windows
from ddl_train.engines.room import Room
from ddl_train.engines.scoring import Query, Scorer
from ddl_train.engines.writing import Writing
from ddl_train.records import (
    BASE,
    Completion,
    Continuation,
    FloatArray,
    JsonObject,
    Likelihood,
    Sampling,
    TextLoss,
    Usage,
)


def load_engine(config: ModelConfig) -> "TransformersEngine":
    """Load the base and its chat format.

    Raises:
        ModelError: the model, its tokenizer or its chat template cannot be used as asked.
        ResourceError: the machine lacks what was asked for.
    """
    return TransformersEngine(load_base(config), config)


class TransformersEngine:
    """A causal language model of transformers; implements `records.Engine`.

    In `Usage`, prompt tokens are tokens read (a shared beginning counts once) and completion
    tokens are tokens written.
    """

    def __init__(self, base: LoadedBase, config: ModelConfig) -> None:
        self.name = config.base
        self.config = config
        self.tokenizer = base.tokenizer
        self.device = base.device
        self.base_sha256 = base.sha256
        self.revision = base.revision
        self.chat = ChatFormat(base.tokenizer, config.format, config.chat_template_kwargs)
        self.adapters = Adapters(base.model, base.sha256)
        self._base = base.model
        self.room = Room(config.batch_size, base.model, base.device)
        self._scorer = Scorer(
            base.model, pad=self.chat.pad_token_id, room=self.room, device=base.device
        )
        self.writing = Writing(
            base, self.chat, adapters=self.adapters, room=self.room, config=config
        )
        own = base.model.generation_config.eos_token_id
        also = [own] if isinstance(own, int) else list(own or [])
        self._eos = tuple(dict.fromkeys([*self.chat.eos_token_ids, *also]))
        self.num_parameters = int(base.model.num_parameters())
        """Of the base, without the adapters that it may carry later."""
        self.num_used_parameters = num_used_parameters(base.model)
        """Of those, how many a token goes through: fewer in a mixture of experts."""
        self._trees: dict[tuple[int, int], IntegerTree] = {}

    @property
    def vocab_size(self) -> int:
        """Of the head, which may be padded beyond the tokenizer's."""
        return int(self._base.config.get_text_config().vocab_size)

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Spellings of the tokenizer's control tokens."""
        return self.chat.special_tokens

    @property
    def max_positions(self) -> int | None:
        """Tokens that the model was made to hold; None where its config does not say."""
        config = self._base.config.get_text_config()
        return getattr(config, "max_position_embeddings", None)

    @property
    def found(self) -> JsonObject:
        """What it has found out about this machine, for the next session; empty at first."""
        return self.room.found | self.writing.found

    def take_up(self, found: JsonObject) -> None:
        """Begin with what an earlier session found out, as far as the same was asked of it."""
        self.room.take_up(found)
        self.writing.take_up(found)

    def load_adapter(self, version: str, path: Path, *, base_sha256: str | None = None) -> None:
        """Make an adapter known under `version`.

        Raises:
            AdapterError: it is damaged, or was made for another base; `base_sha256`, where known,
                is the fingerprint of the base that it was trained on.
        """
        self.adapters.load(version, path, base_sha256=base_sha256)

    def unload_adapter(self, version: str) -> None:
        """Free an adapter."""
        self.adapters.unload(version)

    @contextmanager
    def lend_base(self) -> Iterator[Any]:
        """The plain base, for training. Meanwhile the engine cannot be run.

        Loaded adapters are taken off first and come back when they are next used. Afterwards the
        base has no adapter layers, its own `forward`, no gradients, and the weights it had.
        """
        with self.adapters.lent() as model:
            yield model

    def prompt_ids(self, prompt: str, *, room: int = 0) -> list[int]:
        """Ids of a prompt in the chat format.

        Raises:
            ModelError: it does not fit, or not with `room` for an answer.
        """
        ids = self.chat.prompt_ids(prompt)
        check_fit(prompt, len(ids), room, self.config, self.max_positions)
        return ids

    def generate(
        self,
        prompts: Sequence[str],
        *,
        sampling: Sampling,
        adapter: str,
        seed: int,
        first_place: int = 0,
    ) -> tuple[list[Completion], Usage]:
        """Complete each prompt, in order. Same seed and prompts: same texts on CPU.

        `first_place`: where these prompts begin among all that are asked under this seed. Parts of
        a call, asked one by one, get the texts that the whole would.
        """
        if not prompts:
            return [], Usage()
        start = time.perf_counter()
        ids = [self.prompt_ids(prompt, room=sampling.max_new_tokens) for prompt in prompts]
        written, num_read = self.writing.write(
            ids,
            sampling=sampling,
            eos=self._eos,
            adapter=adapter,
            seed=seed,
            first_place=first_place,
        )
        completions = [
            Completion(
                text=self.chat.decode(answer.ids),
                num_prompt_tokens=len(prompt),
                num_completion_tokens=len(answer.ids),
                is_finished=answer.is_finished,
                given_up=answer.given_up,
            )
            for prompt, answer in zip(ids, written, strict=True)
        ]
        num_written = sum(completion.num_completion_tokens for completion in completions)
        return completions, self._usage(start, num_read, num_written)

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        """Score each continuation, in order; EOS after the continuation is not counted."""
        start = time.perf_counter()
        split = [self.given_and_scored(item) for item in items]
        asked = [number for number, (_, scored) in enumerate(split) if scored]
        queries = [
            Query([*split[n][0], *split[n][1][:-1]], [[token] for token in split[n][1]])
            for n in asked
        ]
        answers, num_tokens = self.ask(queries, adapter)
        results = [Likelihood(total=0.0, num_tokens=0) for _ in split]
        for number, rows in zip(asked, answers, strict=True):
            total = float(sum(row[0] for row in rows))
            results[number] = Likelihood(total=total, num_tokens=len(rows))
        return results, self._usage(start, num_tokens, 0)

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        """Probability of each integer low..high as the whole answer, [n, high-low+1].

        Rows sum to 1 over these; a row of NaN means that the model gave no usable numbers.
        """
        start = time.perf_counter()
        tree = self._tree(low, high)
        queries = [query for prompt in prompts for query in tree.queries(self.prompt_ids(prompt))]
        answers, num_tokens = self.ask(queries, adapter)
        size = tree.num_queries
        rows = [tree.distribution(answers[i : i + size]) for i in range(0, len(answers), size)]
        table = np.stack(rows) if rows else np.zeros((0, high - low + 1), dtype=np.float32)
        return table, self._usage(start, num_tokens, 0)

    def text_loss(self, texts: Sequence[str], *, adapter: str) -> tuple[list[TextLoss], Usage]:
        """Loss of plain texts, without the chat format, and their divergence from the base.

        A text begins with BOS where the tokenizer has one; otherwise its first token is not
        scored. Texts longer than `model.max_length` are cut into windows that each begin anew.
        """
        start = time.perf_counter()
        cut = [
            (number, [*bos, *ids], len(ids) - (not bos))
            for number, text in enumerate(texts)
            for bos, ids in windows(self.chat, text, self._window)
        ]
        pieces = [one[1:] for one in cut]
        with torch.no_grad():
            weighed, num_tokens = self.room.fit(
                lambda: weigh(self._scorer, self.adapters, adapter, pieces)
            )
        sums = np.zeros((len(texts), 3))
        for (number, _, num_scored), found in zip(cut, weighed, strict=True):
            sums[number] += (-found.log_prob, found.divergence, num_scored)
        losses = [
            TextLoss(loss=loss / max(n, 1), divergence=kl / max(n, 1), num_tokens=int(n))
            for loss, kl, n in sums.tolist()
        ]
        return losses, self._usage(start, num_tokens, 0)

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Mean-pooled last hidden states of the base: [n, width], not normalised.

        A first token stands before each text and is left out of the mean: whatever comes first
        draws attention to itself and would look the same in every text.
        """
        start = time.perf_counter()

        def work() -> tuple[FloatArray, int]:
            with self.adapters.active(BASE):
                return pool(self._base, self.chat, texts, size=self._window, room=self.room)

        means, num_read = self.room.fit(work)
        return means, self._usage(start, num_read, 0)

    def ask(self, queries: Sequence[Query], adapter: str) -> tuple[list[list[list[float]]], int]:
        """For each query the log-probabilities of what it wants, and the tokens read in all."""

        def work() -> tuple[list[list[list[float]]], int]:
            with torch.no_grad(), self.adapters.active(adapter) as model:
                return self._scorer.log_probs(model, queries)

        return self.room.fit(work)

    def settle_batching(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str
    ) -> Batching:
        """Decide how texts are written from here on, by some of the first prompts of a wake."""
        ids = [self.prompt_ids(prompt, room=sampling.max_new_tokens) for prompt in prompts]
        return self.writing.settle(ids, sampling=sampling, eos=self._eos, adapter=adapter)

    def given_and_scored(self, item: Continuation) -> tuple[list[int], list[int]]:
        """Ids before and of a continuation; a token across the border counts as continuation."""
        whole = self.chat.completion_ids(item.given + item.continuation, eos=False)
        num_given = 0
        if item.given.strip():
            given = self.chat.completion_ids(item.given.rstrip(), eos=False)
            while num_given < min(len(given), len(whole)) and given[num_given] == whole[num_given]:
                num_given += 1
        prompt = self.prompt_ids(item.prompt, room=len(whole))
        return prompt + whole[:num_given], whole[num_given:]

    @property
    def _window(self) -> int:
        """Tokens of a plain text that are read at once."""
        return min(self.config.max_length, self.max_positions or self.config.max_length)

    def _tree(self, low: int, high: int) -> IntegerTree:
        if (low, high) not in self._trees:
            spelt = [self.chat.completion_ids(str(n), eos=False) for n in range(low, high + 1)]
            self._trees[low, high] = IntegerTree(spelt)
        return self._trees[low, high]

    def _usage(self, start: float, num_read: int, num_written: int) -> Usage:
        seconds = time.perf_counter() - start
        return Usage.forward(
            num_read, num_written, seconds=seconds, num_parameters=self.num_used_parameters
        )
