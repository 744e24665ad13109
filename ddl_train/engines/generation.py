"""Generate: batches of like length, and a sequence that has ended leaves its batch.

Most daydreams are a single NONE. `transformers`' own loop carries such a sequence along until the
longest of its batch is done; here it is taken out of the cache, and the rest go on without it.

The random numbers of a sequence come from the seed and its place among the prompts, not from a
state that others draw from: what it says does not depend on how prompts were batched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.chat import ChatFormat
from ddl_train.records import Sampling

COMPACT_AT = 0.8
"""A batch is made smaller once at most this share of it is still being written."""
_LARGEST_UNIFORM = 1 - 2**-20


@dataclass(slots=True)
class Written:
    """Ids that a model wrote after one prompt, EOS included."""

    ids: list[int] = field(default_factory=list)
    is_finished: bool = False


class Writer:
    """Writes the answers of a call, batch by batch."""

    def __init__(
        self,
        model: Any,
        chat: ChatFormat,
        *,
        sampling: Sampling,
        eos: Sequence[int],
        device: torch.device,
    ) -> None:
        self._model = model
        self._chat = chat
        self._sampling = sampling
        self._eos = frozenset(eos)
        self._device = device

    def write(self, prompts: Sequence[list[int]], *, batch_size: int, seed: int) -> list[Written]:
        """Continue each prompt, in order."""
        written = [Written() for _ in prompts]
        for batch in by_length([len(prompt) for prompt in prompts], batch_size):
            chances = np.stack([self._chances(seed, place) for place in batch])
            self._write_batch(
                [prompts[place] for place in batch], [written[place] for place in batch], chances
            )
        return written

    def _chances(self, seed: int, place: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        if self._sampling.temperature == 0:
            return np.zeros(self._sampling.max_new_tokens)
        draws = np.random.default_rng((seed, place)).random(self._sampling.max_new_tokens)
        return draws.clip(max=_LARGEST_UNIFORM)

    def _write_batch(
        self,
        prompts: Sequence[list[int]],
        written: list[Written],
        chances: np.ndarray[Any, np.dtype[np.float64]],
    ) -> None:
        padded = pad_left(prompts, self._chat.pad_token_id, self._device)
        ids, mask = padded.input_ids, padded.attention_mask
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        uniforms = torch.tensor(chances, dtype=torch.float32, device=self._device)
        cache: Any = None
        rows = list(range(len(prompts)))
        """Which answer each row of the batch writes."""
        for step in range(self._sampling.max_new_tokens):
            output = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = output.past_key_values
            tokens = choose(output.logits[:, -1].float(), self._sampling, uniforms[rows, step])
            live = self._append(rows, tokens.tolist(), written)
            if not live:
                return
            if len(live) <= COMPACT_AT * len(rows):
                kept = torch.tensor(live, device=self._device)
                cache.reorder_cache(kept)
                tokens, mask = tokens[kept], mask[kept]
                rows = [rows[number] for number in live]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            positions = mask.sum(-1, keepdim=True) - 1
            ids = tokens[:, None]

    def _append(self, rows: list[int], tokens: list[int], written: list[Written]) -> list[int]:
        """Add a token to each answer that is still being written; the rows that go on."""
        live = []
        for number, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            answer = written[row]
            if answer.is_finished:
                continue
            answer.ids.append(token)
            answer.is_finished = token in self._eos or self._says_stop(answer.ids)
            if not answer.is_finished:
                live.append(number)
        return live

    def _says_stop(self, ids: list[int]) -> bool:
        """Whether an answer has come to start with the word that ends it."""
        word = self._sampling.stop_after
        if not word or len(ids) > 4 * len(word):
            return False
        return self._chat.decode(ids).startswith(word)


def choose(logits: torch.Tensor, sampling: Sampling, uniforms: torch.Tensor) -> torch.Tensor:
    """The next token of each row: the likeliest, or the one that a uniform number falls on."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    chances = (logits / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        chances = chances.where(chances >= _top_p_floor(chances, sampling.top_p), 0.0)
    if sampling.min_p > 0:
        chances = chances.where(chances >= sampling.min_p * chances.amax(-1, keepdim=True), 0.0)
    sums = chances.cumsum(-1)
    return (sums <= uniforms[:, None] * sums[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)


def _top_p_floor(chances: torch.Tensor, top_p: float) -> torch.Tensor:
    """The smallest chance among the fewest tokens that together reach `top_p`."""
    ordered = chances.sort(-1, descending=True).values
    inside = ordered.cumsum(-1) - ordered < top_p
    return ordered.where(inside, 2.0).amin(-1, keepdim=True)
