"""What an engine writes with: static or continuous batches, in batches that fit its memory."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from ddl_train.config import ModelConfig
from ddl_train.engines.adapters import Adapters
from ddl_train.engines.batching import MAX_TRIAL_TOKENS, Batching, Kind, choose_batching
from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.continuous import ContinuousWriter
from ddl_train.engines.endings import Written
from ddl_train.engines.generation import Writer
from ddl_train.engines.loading import LoadedBase
from ddl_train.engines.passes import can_share
from ddl_train.engines.room import Room
from ddl_train.records import JsonObject, Sampling


class Writing:
    """Continues token ids with the base and its adapters."""

    def __init__(
        self,
        base: LoadedBase,
        chat: ChatFormat,
        *,
        adapters: Adapters,
        room: Room,
        config: ModelConfig,
    ) -> None:
        self.batching: Batching | None = None
        """How answers are written; static until `settle` has decided."""
        self._base = base.model
        self._device = base.device
        self._chat = chat
        self._adapters = adapters
        self._room = room
        self._config = config
        self._asked = {"asked": config.batching, "device": base.device.type}
        self._can_join = can_share(base.model)

    @property
    def found(self) -> JsonObject:
        """How answers are written, for the next session, once `settle` has decided."""
        if self.batching is None:
            return {}
        return {"batching": {**self._asked, **asdict(self.batching)}}

    def take_up(self, found: JsonObject) -> None:
        """Write as an earlier session settled, where it was asked for the same on such a device."""
        batching = found.get("batching", {})
        if self._asked.items() <= batching.items():
            self.batching = Batching(batching["kind"], batching["because"])

    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        sampling: Sampling,
        eos: Sequence[int],
        adapter: str,
        seed: int,
        stop: Sequence[str] = (),
        kind: Kind | None = None,
        limits: Sequence[int] | None = None,
        first_place: int = 0,
    ) -> tuple[list[Written], int]:
        """Continue each prompt, in order; the answers, and the tokens read for them.

        Args:
            prompts: ids.
            sampling: how.
            eos: tokens that end an answer.
            adapter: version, or `base`.
            seed: of what is sampled.
            stop: texts that end an answer; they are left in it.
            kind: of batches, instead of what was settled.
            limits: tokens that each answer may have instead of `max_new_tokens`.
            first_place: as of `TransformersEngine.generate`; static batches only.
        """
        settled = self.batching.kind if self.batching else "static"
        shared: dict[str, Any] = {"sampling": sampling, "eos": eos, "stop": stop}
        shared |= {"device": self._device, "room": self._room}

        def work() -> tuple[list[Written], int]:
            with torch.no_grad(), self._adapters.active(adapter) as model:
                if (kind or settled) == "continuous":
                    paged = ContinuousWriter(self._base, self._chat, **shared)
                    return paged.write(prompts, seed=seed, limits=limits)
                writer = Writer(model, self._chat, can_join=self._can_join, **shared)
                return writer.write(prompts, seed=seed, limits=limits, first_place=first_place)

        return self._room.fit(work)

    def settle(
        self, prompts: Sequence[list[int]], *, sampling: Sampling, eos: Sequence[int], adapter: str
    ) -> Batching:
        """Decide how answers are written from here on, by some of the first prompts of a wake."""
        some = list(prompts[: 2 * self._room.batch_size])
        short = replace(sampling, max_new_tokens=min(sampling.max_new_tokens, MAX_TRIAL_TOKENS))
        options: dict[str, Any] = {"eos": eos, "adapter": adapter, "seed": 0}

        def tokens_per_second(kind: Kind) -> float:
            warm_up = replace(sampling, max_new_tokens=2)
            self.write(some[:2], sampling=warm_up, kind=kind, **options)
            start = time.perf_counter()
            written, _ = self.write(some, sampling=short, kind=kind, **options)
            return sum(len(answer.ids) for answer in written) / (time.perf_counter() - start)

        if self.batching is None:
            self.batching = choose_batching(self._config, self._device, sampling, tokens_per_second)
        return self.batching
