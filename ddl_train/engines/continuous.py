"""Generate by the continuous batching of transformers: a row that ends makes place for the next one.

Keys and values lie in pages, and whole pages of a shared beginning are shared among rows (Kwon et
al., PagedAttention, 2023; Yu et al., Orca, 2022). Each call has a manager of its own, with its own
pages, gone when it returns: generator and critic are the same weights with and without an adapter,
so that pages of one would be wrong for the other, and the critic needs their memory.

Attention is torch's own (`sdpa`); no flash kernel is looked for, and none fetched.

Not covered: the seeds of `generation.py`. All rows draw from one stream of random numbers in the
order in which they are scheduled, so that a text depends on the batch, on what was cancelled when,
and on the version of transformers. Greedy answers are those of static batches, up to ties. Nor the
running log-likelihood: transformers gives that of the tempered, cut distribution. Shared pages are
not reported, so every prompt counts as read whole.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig

from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.endings import Endings, Written
from ddl_train.engines.room import Room, is_out_of_memory
from ddl_train.errors import ModelError
from ddl_train.records import Sampling

PAGE_SIZE = 32
"""Tokens of a page; a shared beginning is shared as far as it fills pages."""
MAX_BATCH_TOKENS = {"cpu": 256, "cuda": 4096}
"""Tokens of a pass beside those of rows that are being written: how fast prompts are read."""
_KNOBS = {
    "temperature": "TemperatureLogitsWarper",
    "top_p": "TopPLogitsWarper",
    "min_p": "MinPLogitsWarper",
}
_FIELDS = ContinuousBatchingConfig.__dataclass_fields__


class ContinuousWriter:
    """Writes the answers of a call; takes the place of `generation.Writer`."""

    def __init__(
        self,
        base: Any,
        chat: ChatFormat,
        *,
        sampling: Sampling,
        eos: Sequence[int],
        device: torch.device,
        room: Room,
        stop: Sequence[str] = (),
    ) -> None:
        """Set what is written and how.

        Args:
            base: of transformers; its adapter layers, if any, are set as they should be.
            chat: format.
            sampling: knobs of a whole call.
            eos: tokens that end an answer.
            device: of the base.
            room: `batch_size` rows are written at once.
            stop: texts that end an answer.

        Raises:
            ModelError: an answer is to be given up by its log-likelihood.
        """
        if sampling.stopping.min_mean_logprob is not None:
            raise ModelError(
                "wake.stopping.min_mean_logprob needs the model's own probabilities, which "
                "continuous batching does not give; set `model.batching: static`"
            )
        self._base = base
        self._chat = chat
        self._sampling = sampling
        self._eos = eos
        self._endings = Endings(chat, sampling, eos, stop)
        self._watches = bool(sampling.stop_after or sampling.stopping.is_on or stop)
        self._device = device
        self._room = room

    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        seed: int,
        limits: Sequence[int] | None = None,
    ) -> tuple[list[Written], int]:
        """Continue each prompt, in order; the answers, and the tokens that were read for them.

        `limits`: tokens that each answer may have instead of `max_new_tokens`.

        Raises:
            ModelError: transformers would not apply a knob of the sampling.
            torch.OutOfMemoryError: memory ran out.
        """
        most = self._sampling.max_new_tokens
        written = [Written(limit) for limit in limits or [most] * len(prompts)]
        longest = most + max(map(len, prompts))
        self._room.check(min(len(prompts), self._room.batch_size), longest + PAGE_SIZE, 1)
        with self._manager(longest, seed) as manager:
            check_knobs(manager, self._sampling)
            manager.start()
            self._collect(manager, prompts, written)
        return written, sum(map(len, prompts))

    def _collect(
        self, manager: Any, prompts: Sequence[list[int]], written: Sequence[Written]
    ) -> None:
        """Ask for all answers, and take their tokens as they come."""
        # alike beginnings one after another, so that a page is there when the next row wants it
        order = sorted(range(len(prompts)), key=lambda place: prompts[place], reverse=True)
        places = {}
        for place in order:
            name = manager.add_request(
                prompts[place],
                max_new_tokens=written[place].limit,
                streaming=self._watches,
                eos_token_id=list(self._eos),
            )
            places[name] = place
        while places:
            output = manager.get_result(timeout=1)
            if output is None:
                self._explain(manager, None)
                continue
            if output.error is not None:
                self._explain(manager, output.error)
            if output.request_id not in places:
                continue
            answer = written[places[output.request_id]]
            for token in output.generated_tokens[len(answer.ids) :]:
                if not answer.is_over:
                    self._endings.add(answer, token)
            if output.is_finished():
                del places[output.request_id]
            elif answer.is_over:
                manager.cancel_request(output.request_id)
                del places[output.request_id]

    def _explain(self, manager: Any, said: str | None) -> None:
        """Raise what ended the thread that generates, if it has ended."""
        error = manager.background_thread_status.fatal_error
        if error is None and said is None and manager.is_running():
            return
        cause = error or RuntimeError(said or "continuous batching ended without a word")
        if is_out_of_memory(cause):
            raise torch.OutOfMemoryError(str(cause))
        raise cause

    @contextmanager
    def _manager(self, longest: int, seed: int) -> Iterator[Any]:
        """A manager of this call; afterwards it is gone, and attention is what it was."""
        implementation = self._base.config._attn_implementation
        logger = logging.getLogger("ContinuousBatchingLogger")
        level = logger.level
        logger.setLevel(logging.CRITICAL)  # it prints a traceback for what is raised here
        if (
            "auto_switch_to_flash" not in _FIELDS
        ):  # older releases would look for flash kernels themselves
            self._base.set_attn_implementation("paged|sdpa")
        manager = None
        try:
            manager = self._base.init_continuous_batching(
                generation_config=self._generation_config(),
                continuous_batching_config=self._batching_config(longest, seed),
            )
            yield manager
        finally:
            if manager is not None and manager._generation_thread is not None:
                manager.stop(block=True, hard_stop=True)
            if manager is not None:
                manager.destroy()
            if self._base.config._attn_implementation != implementation:
                self._base.set_attn_implementation(implementation)
            logger.setLevel(level)

    def _generation_config(self) -> GenerationConfig:
        knobs = self._sampling
        sampled: dict[str, Any] = {"do_sample": False}
        if knobs.temperature > 0:
            sampled = {"do_sample": True, "temperature": knobs.temperature, "top_k": 0}
            sampled |= {"top_p": knobs.top_p, "min_p": knobs.min_p or None}
        return GenerationConfig(
            max_new_tokens=knobs.max_new_tokens,
            eos_token_id=list(self._eos),
            pad_token_id=self._chat.pad_token_id,
            **sampled,
        )

    def _batching_config(self, longest: int, seed: int) -> ContinuousBatchingConfig:
        rows = self._room.batch_size
        page = "page_size" if "page_size" in _FIELDS else "block_size"
        options: dict[str, Any] = {
            page: PAGE_SIZE,
            "num_blocks": rows * (longest // PAGE_SIZE + 1) + 1,
            "max_batch_tokens": rows + MAX_BATCH_TOKENS[self._device.type],
            "max_requests_per_batch": rows,
            "drop_unsupported_processors": False,
            "seed": seed,
            "auto_switch_to_flash": False,
        }
        return ContinuousBatchingConfig(**{k: v for k, v in options.items() if k in _FIELDS})


def check_knobs(manager: Any, sampling: Sampling) -> None:
    """See that every knob that is set is applied, and by rows.

    Raises:
        ModelError: one is not.
    """
    applied = {
        type(one).__name__: getattr(one, "supports_continuous_batching", None)
        for one in manager.logit_processor.logits_processor
    }
    neutral = Sampling(max_new_tokens=1, temperature=1.0)
    for knob, name in _KNOBS.items():
        is_set = sampling.temperature > 0 and getattr(sampling, knob) != getattr(neutral, knob)
        if is_set and applied.get(name, False) is False:
            raise ModelError(
                f"{knob} {getattr(sampling, knob):g} is not supported by the continuous batching "
                "of this version of transformers; set `model.batching: static`, or leave it out"
            )
