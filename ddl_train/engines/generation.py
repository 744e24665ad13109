"""Generate: batches of like length, and a sequence that has ended leaves its batch.

Most daydreams are a single NONE. `transformers`' own loop carries such a sequence along until the
longest of its batch is done; here it is taken out of the cache, and a batch of which less than
half is left waits for the rest of other batches: a step costs nearly the same for five rows as for
fifty.

A beginning that many prompts share is read once for all of them (`prefix.py`).

The random numbers of a sequence come from the seed and its place among the prompts, not from a
state that others draw from: what it says does not depend on how prompts were batched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.endings import Endings, Written
from ddl_train.engines.prefix import ALONE, Beginnings, find_sharing
from ddl_train.engines.room import Room
from ddl_train.records import FloatArray, Sampling

COMPACT_AT = 0.8
"""A batch is made smaller once at most this share of it is still being written."""
WAIT_AT = 0.5
"""A batch waits for others once at most this share of a full one is still being written."""
_LARGEST_UNIFORM = 1 - 2**-20


@dataclass(slots=True)
class Stream:
    """Rows that are written together."""

    places: list[int]
    """Which prompt each row answers."""
    ids: torch.Tensor
    """[rows, n]: what the model reads next; the whole prompts at first."""
    mask: torch.Tensor
    """[rows, length of the cache + n]: 0 where a row is padded."""
    cache: Any = None

    def keep(self, live: Sequence[int]) -> None:
        """Drop all rows but these."""
        kept = torch.tensor(live, device=self.ids.device)
        if self.cache is not None:
            self.cache.reorder_cache(kept)
        self.ids, self.mask = self.ids[kept], self.mask[kept]
        self.places = [self.places[number] for number in live]

    def follow(self, tokens: torch.Tensor) -> None:
        """Read these next, one a row."""
        self.ids = tokens[:, None]
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)


class Writer:
    """Writes the answers of a call."""

    def __init__(
        self,
        model: Any,
        chat: ChatFormat,
        *,
        sampling: Sampling,
        eos: Sequence[int],
        device: torch.device,
        can_join: bool,
        room: Room,
        stop: Sequence[str] = (),
    ) -> None:
        """`can_join`: keys and values can be padded and shared, as with full attention.

        `stop`: an answer ends, as it would with EOS, where it comes to hold one of these.
        """
        self._model = model
        self._chat = chat
        self._sampling = sampling
        self._endings = Endings(chat, sampling, eos, stop)
        self._device = device
        self._can_join = can_join
        self._room = room

    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        seed: int,
        limits: Sequence[int] | None = None,
        first_place: int = 0,
    ) -> tuple[list[Written], int]:
        """Continue each prompt, in order; the answers, and the tokens that were read for them.

        Args:
            prompts: ids, of at least one token each.
            seed: of this call.
            limits: tokens that each answer may have instead of `max_new_tokens`.
            first_place: as of `TransformersEngine.generate`.
        """
        most, batch_size = self._sampling.max_new_tokens, self._room.batch_size
        written = [Written(limit) for limit in limits or [most] * len(prompts)]
        uniforms = [self._uniforms(seed, first_place + n) for n in range(len(prompts))]
        few = int(WAIT_AT * batch_size) if self._can_join else 0
        waiting: list[Stream] = []
        pad_id = self._chat.pad_token_id
        readable = [prompt[:-1] for prompt in prompts] if self._can_join else []
        sharing = find_sharing(readable, most=batch_size)
        common = Beginnings(self._model, sharing, pad=pad_id, device=self._device)
        owners = sharing.owners or [ALONE] * len(prompts)
        rests = [prompt[common.length(n) :] for prompt, n in zip(prompts, owners, strict=True)]
        for batch in by_length([len(rest) for rest in rests], batch_size):
            self._room.check(len(batch), most + max(len(prompts[n]) for n in batch), 1)
            padded = pad_left([rests[n] for n in batch], pad_id, self._device)
            cache, past = common.lend([owners[n] for n in batch])
            mask = padded.attention_mask
            if past is not None:
                mask = torch.cat([past, mask], dim=1)
            stream = Stream(batch, padded.input_ids, mask, cache)
            waiting += self._advance(stream, written, uniforms, until=few)
            if sum(len(one.places) for one in waiting) > batch_size - few:
                waiting = self._advance(join(waiting), written, uniforms, until=few)
        if waiting:
            self._advance(join(waiting), written, uniforms, until=0)
        return written, sharing.num_tokens + sum(map(len, rests))

    def _uniforms(self, seed: int, place: int) -> FloatArray:
        if self._sampling.temperature == 0:
            return np.zeros(self._sampling.max_new_tokens, dtype=np.float32)
        draws = np.random.default_rng((seed, place)).random(self._sampling.max_new_tokens)
        return draws.clip(max=_LARGEST_UNIFORM).astype(np.float32)

    def _advance(
        self,
        stream: Stream,
        written: Sequence[Written],
        uniforms: Sequence[FloatArray],
        *,
        until: int,
    ) -> list[Stream]:
        """Write on until at most `until` rows are left; the stream, unless none is."""
        while True:
            positions = (stream.mask.cumsum(-1) - 1).clamp(min=0)[:, -stream.ids.shape[1] :]
            output = self._model(
                input_ids=stream.ids,
                attention_mask=stream.mask,
                position_ids=positions,
                past_key_values=stream.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            stream.cache = output.past_key_values
            answers = [written[place] for place in stream.places]
            chances = [
                row[min(len(answer.ids), len(row) - 1)]
                for answer, row in zip(answers, (uniforms[n] for n in stream.places), strict=True)
            ]
            logits = output.logits[:, -1].float()
            chance = torch.tensor(np.array(chances), device=self._device)
            tokens = choose(logits, self._sampling, chance)
            live = self._append(answers, tokens.tolist(), self._log_probs(logits, tokens))
            if not live:
                return []
            stream.follow(tokens)
            if len(live) <= max(until, COMPACT_AT * len(answers)):
                stream.keep(live)
            if len(live) <= until:
                return [stream]

    def _log_probs(self, logits: torch.Tensor, tokens: torch.Tensor) -> list[float]:
        """Of each row's token, at temperature 1; zeros where nobody asks."""
        if self._sampling.stopping.min_mean_logprob is None:
            return [0.0] * len(tokens)
        chosen = logits.gather(1, tokens[:, None]).squeeze(1)
        return [float(value) for value in (chosen - logits.logsumexp(-1)).tolist()]

    def _append(
        self, answers: Sequence[Written], tokens: list[int], log_probs: list[float]
    ) -> list[int]:
        """Add a token to each answer that is still being written; the rows that go on."""
        live = []
        for row, answer in enumerate(answers):
            if not answer.is_over:
                self._endings.add(answer, tokens[row], log_probs[row])
                if not answer.is_over:
                    live.append(row)
        return live


def join(streams: Sequence[Stream]) -> Stream:
    """One stream of the rows of all, padded on the left; the caches of the others are used up."""
    if len(streams) == 1:
        return streams[0]
    width = max(stream.mask.shape[1] for stream in streams)
    gaps = [width - stream.mask.shape[1] for stream in streams]
    masks = [pad(stream.mask, (gap, 0)) for stream, gap in zip(streams, gaps, strict=True)]
    cache = streams[0].cache
    for number, layer in enumerate(cache.layers):
        for name in ("keys", "values"):
            parts = [getattr(stream.cache.layers[number], name) for stream in streams]
            # [rows, heads, length, width of a head]
            padded = [pad(part, (0, 0, gap, 0)) for part, gap in zip(parts, gaps, strict=True)]
            setattr(layer, name, torch.cat(padded))
    places = [place for stream in streams for place in stream.places]
    ids = torch.cat([stream.ids for stream in streams])
    return Stream(places, ids, torch.cat(masks), cache)


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
