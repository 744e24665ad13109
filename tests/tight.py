"""A machine with too little memory: a real model that raises what a GPU raises."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ddl_train.engines.transformers_engine import TransformersEngine


@contextmanager
def small_memory(engine: TransformersEngine, most: int) -> Iterator[None]:
    """The model raises what a GPU raises when it is given more rows than `most`."""
    inner = engine._base.base_model
    forward = inner.forward

    def limited(*args: Any, **kwargs: Any) -> Any:
        if len(kwargs["input_ids"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return forward(*args, **kwargs)

    inner.forward = limited
    try:
        yield
    finally:
        del inner.forward
