"""Watches one night from inside the Trainer: progress, a wish to stop, a loss that is no number."""

import math
import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

SPENT = "seconds_spent"
"""Key of the state's log under which a checkpoint says how long it took, over all calls."""


class Watcher(TrainerCallback):
    """The only callback of a night."""

    def __init__(
        self, progress: Callable[..., None] | None, should_stop: Callable[[], bool] | None
    ) -> None:
        self.failed_because: str | None = None
        self.was_stopped = False
        self.metrics: dict[str, float] = {}
        self._progress = progress
        self._should_stop = should_stop
        self._num_told = 0
        self._made = self._started = time.perf_counter()
        self._earlier = 0.0

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock of `train_seconds`, and look up what earlier calls took."""
        self._started = time.perf_counter()
        self._earlier = max((entry.get(SPENT, 0.0) for entry in state.log_history), default=0.0)

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell what is new (a resumed night begins with what was done), and stop when asked."""
        if self._progress and state.global_step > self._num_told:
            self._progress(state.global_step - self._num_told, total=state.max_steps)
            self._num_told = state.global_step
        is_last = state.global_step >= state.max_steps
        if not is_last and self._should_stop and self._should_stop():
            self.was_stopped = True
            control.should_save = True
            control.should_training_stop = True
        if control.should_save:
            spent = self._earlier + time.perf_counter() - self._made
            state.log_history.append({SPENT: spent, "step": state.global_step})

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """A loss or gradient that is no number ends the night: nothing good comes after it."""
        logs = kwargs.get("logs") or {}
        for name in ("loss", "grad_norm"):
            value = logs.get(name)
            if value is not None and not math.isfinite(value):
                self.failed_because = f"{name} is {value} at step {state.global_step}"
                self.was_stopped = False
                control.should_save = False
                control.should_training_stop = True

    def on_train_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the figures of the whole night, also of what was done before a resume."""
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        self.metrics = {
            "num_steps": float(state.global_step),
            "train_seconds": time.perf_counter() - self._started,
            "earlier_seconds": self._earlier,
        }
        if losses:
            self.metrics |= {"loss_first": float(losses[0]), "loss_last": float(losses[-1])}
