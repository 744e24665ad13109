"""How much goes through a model at once, and less of it once memory has run out.

A GPU says so itself (`torch.OutOfMemoryError`). A CPU does not: Linux grants memory that it does not
have and ends the process that uses it, so what a batch will need is held against what is available
before it is tried. Either way the call is repeated once with half the batch size, and the results
are the same.
"""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch

from ddl_train.errors import ResourceError
from ddl_train.records import JsonObject

T = TypeVar("T")
LOGITS_BUDGET = {"cpu": 1 << 26, "cuda": 1 << 29}
"""Largest number of logits a forward pass may return, so that a large vocabulary fits."""
_SAID = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
_CGROUP = Path("/sys/fs/cgroup")
_GIB = 1 << 30


class HostMemoryError(MemoryError):
    """A batch would need more memory than the machine has to give."""


class Room:
    """The batch size in force, and what fits beside it."""

    def __init__(self, batch_size: int, base: Any, device: torch.device) -> None:
        self.batch_size = batch_size
        self._asked = batch_size
        self._tried = 0
        self.notes: list[str] = []
        """What a user should know, a sentence each."""
        self.budget = LOGITS_BUDGET["cuda" if device.type == "cuda" else "cpu"]
        self._device = device
        config = base.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = (
            getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        )
        size = base.dtype.itemsize
        self._vocabulary = int(base.get_input_embeddings().num_embeddings)
        self._cache_bytes = 2 * config.num_hidden_layers * heads * width * size
        # the widest step of a layer and its input, twice: nothing else lives longer than a layer
        widest = max(int(getattr(config, "intermediate_size", None) or 0), config.hidden_size)
        self._step_bytes = 2 * (widest + config.hidden_size) * size

    def has_room(self, num_rows: int, num_positions: int, *, num_passes: int = 1) -> bool:
        """Whether so many rows may go through a model at once, with logits at so many positions.

        The logits of `num_passes` are held side by side.
        """
        num_logits = num_passes * num_rows * num_positions * self._vocabulary
        return num_rows <= self.batch_size and num_logits <= self.budget

    def max_rows(self, num_positions: int) -> int:
        """Rows that may go through together with logits at so many positions of each; 1 at least."""
        return max(1, min(self.batch_size, self.budget // (num_positions * self._vocabulary)))

    def check(self, num_rows: int, num_tokens: int, num_positions: int) -> None:
        """Refuse a batch that the machine's memory cannot hold; it is tried next otherwise.

        Args:
            num_rows: of the batch.
            num_tokens: that a row comes to hold, padding included.
            num_positions: of each row whose logits are returned; two copies of them are made.

        Raises:
            HostMemoryError: more is needed than is available. On a GPU the GPU says so itself.
        """
        self._tried = max(self._tried, num_rows)
        if self._device.type != "cpu":
            return
        logits = 3 * 4 * num_rows * num_positions * self._vocabulary
        needed = num_rows * num_tokens * (self._cache_bytes + self._step_bytes) + logits
        available = available_bytes()
        if needed > available:
            raise HostMemoryError(
                f"{num_rows} sequences of {num_tokens} tokens need about {needed / _GIB:.1f} GiB, "
                f"and {available / _GIB:.1f} GiB are available"
            )

    def fit(self, work: Callable[[], T]) -> T:
        """Do a piece of work that goes by this batch size; where memory runs out, again by half.

        Raises:
            ResourceError: memory runs out again, or with one sequence at a time.
        """
        reason, failed = "", self.batch_size
        for attempt in (1, 2):
            self._tried = 0
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = " ".join(str(error).split())[:160]
            # the traceback is gone, and with it what it held
            failed = self._tried or self.batch_size
            self.batch_size = max(1, failed // 2)
            self._release()
            if failed == 1:
                break
            if attempt == 1:
                self.notes.append(
                    f"memory ran out at batches of {failed} sequences; batches of "
                    f"{self.batch_size} are used from here on, also when the run is taken up again"
                )
        raise ResourceError(self._sentence(failed, reason))

    @property
    def found(self) -> JsonObject:
        """The size that is left where memory has run out, for the next session."""
        if self.batch_size == self._asked:
            return {}
        return {"batch_size": {"asked": self._asked, "fits": self.batch_size}}

    def take_up(self, found: JsonObject) -> None:
        """Begin with what an earlier session found, where it was asked for the same size."""
        size = found.get("batch_size", {})
        if size.get("asked") == self._asked:
            self.batch_size = max(1, min(self.batch_size, size["fits"]))

    def _sentence(self, failed: int, reason: str) -> str:
        if failed == 1:
            return (
                f"memory is too small for one sequence at a time ({reason}); lower "
                "model.max_length or memory.max_tokens, or take a smaller base"
            )
        return (
            f"memory ran out again at batches of {failed} sequences ({reason}); what was finished "
            f"is saved, and the same command goes on with batches of {self.batch_size}: free "
            "memory, or set model.batch_size lower"
        )

    def _release(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is one of the ways in which Python and torch say that memory ran out."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


def available_bytes() -> int:
    """Memory that this process may still take: of the machine, or of its container if less."""
    available = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return available
    if limit == "max":
        return available
    # pages of files give way
    return min(available, int(limit) - used + int(stat.get("inactive_file", 0)))
