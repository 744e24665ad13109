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
from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.divergence import weigh
from ddl_train.engines.fitting import check_fit
from ddl_train.engines.generation import Writer
from ddl_train.engines.integers import IntegerTree
from ddl_train.engines.loading import LoadedBase, load_base
from ddl_train.engines.passes import sum_hidden
from ddl_train.engines.scoring import Query, Scorer
from ddl_train.records import (
    BASE,
    Completion,
    Continuation,
    FloatArray,
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
        self._scorer = Scorer(
            base.model,
            pad=self.chat.pad_token_id,
            batch_size=config.batch_size,
            device=base.device,
        )
        own = base.model.generation_config.eos_token_id
        also = [own] if isinstance(own, int) else list(own or [])
        self._eos = tuple(dict.fromkeys([*self.chat.eos_token_ids, *also]))
        self._num_used_parameters = _num_used_parameters(base.model)
        self._trees: dict[tuple[int, int], IntegerTree] = {}

    @property
    def num_parameters(self) -> int:
        """Of the base."""
        return int(self._base.num_parameters())

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
        with torch.no_grad(), self.adapters.active(adapter) as model:
            writer = Writer(
                model,
                self.chat,
                sampling=sampling,
                eos=self._eos,
                device=self.device,
                can_join=self._scorer.can_share,
            )
            written, num_read = writer.write(
                ids, batch_size=self.config.batch_size, seed=seed, first_place=first_place
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
        answers, num_tokens = self._ask(queries, adapter)
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
        answers, num_tokens = self._ask(queries, adapter)
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
        windows = [
            (number, [*bos, *ids], len(ids) - (not bos))
            for number, text in enumerate(texts)
            for bos, ids in self._windows(text)
        ]
        with torch.no_grad():
            weighed, num_tokens = weigh(
                self._scorer, self.adapters, adapter, [window[1:] for window in windows]
            )
        sums = np.zeros((len(texts), 3))
        for (number, _, num_scored), found in zip(windows, weighed, strict=True):
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
        width = int(self._base.config.get_text_config().hidden_size)
        pooled = np.zeros((len(texts), width), dtype=np.float64)
        counts = np.zeros(len(texts))
        pieces = [
            (number, bos or [self.chat.eos_token_ids[-1]], ids)
            for number, text in enumerate(texts)
            for bos, ids in self._windows(text)
            if ids
        ]
        lengths = [len(first) + len(ids) for _, first, ids in pieces]
        with torch.no_grad(), self.adapters.active(BASE):
            for batch in by_length(lengths, self.config.batch_size):
                chosen = [pieces[position] for position in batch]
                sequences = [[*first, *ids] for _, first, ids in chosen]
                padded = pad_left(sequences, self.chat.pad_token_id, self.device)
                sums = sum_hidden(self._base, padded)
                for (number, _, ids), row in zip(chosen, sums, strict=True):
                    pooled[number] += row
                    counts[number] += len(ids)
        means = pooled / np.maximum(counts, 1)[:, None]
        return means.astype(np.float32), self._usage(start, sum(lengths), 0)

    def _ask(self, queries: Sequence[Query], adapter: str) -> tuple[list[list[list[float]]], int]:
        with torch.no_grad(), self.adapters.active(adapter) as model:
            return self._scorer.log_probs(model, queries)

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

    def _windows(self, text: str) -> list[tuple[list[int], list[int]]]:
        """BOS (or nothing) and the ids of each window of a plain text."""
        bos = [] if self.chat.bos_token_id is None else [self.chat.bos_token_id]
        ids = self.chat.text_ids(text)
        size = min(self.config.max_length, self.max_positions or self.config.max_length) - 1
        return [(bos, ids[start : start + size]) for start in range(0, len(ids), size)]

    def _tree(self, low: int, high: int) -> IntegerTree:
        if (low, high) not in self._trees:
            spelt = [
                self.chat.completion_ids(str(number), eos=False) for number in range(low, high + 1)
            ]
            self._trees[low, high] = IntegerTree(spelt)
        return self._trees[low, high]

    def _usage(self, start: float, num_read: int, num_written: int) -> Usage:
        return Usage(
            num_prompt_tokens=num_read,
            num_completion_tokens=num_written,
            seconds=time.perf_counter() - start,
            flops=2.0 * self._num_used_parameters * (num_read + num_written),
        )


def _num_used_parameters(base: Any) -> int:
    """Parameters that each token meets: all but the input embedding, unless it is also the head."""
    total = int(base.num_parameters())
    embedding, head = base.get_input_embeddings(), base.get_output_embeddings()
    is_tied = head is not None and head.weight is embedding.weight
    return total if is_tied else total - int(embedding.weight.numel())
