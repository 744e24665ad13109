"""A night in a process of its own that kills itself: MODEL_FOLDER NIGHT_FOLDER WHEN.

WHEN is `step` (between two checkpoints), `saving` (in the middle of writing the second one) or
`marker` (all steps done, nothing of the result in place).
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from ddl_train.training import lora, running
from tests.training.nights import quick, some_rows, tiny_engine


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(model: str, night: str, when: str) -> None:
    steps: list[int] = []

    def progress(num_steps: int, total: int) -> None:
        steps.append(num_steps)
        if when == "step" and sum(steps) == 5:
            die()
        if when == "saving" and sum(steps) == 6:
            torch.save = die  # the weights are written, the optimizer is not

    if when == "marker":
        running.close_night = die  # type: ignore[assignment, attr-defined]
    lora.train_lora(
        tiny_engine(Path(model)),
        some_rows(),
        quick(),
        out_dir=Path(night),
        seed=7,
        progress=progress,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
