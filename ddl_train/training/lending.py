"""Bases lent to trainers that generate: TRL writes into their configs, which are put back."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddl_train.engines.transformers_engine import TransformersEngine


@contextmanager
def lent_to_generate(engine: TransformersEngine) -> Iterator[Any]:
    """The plain base of an engine, with every end of a turn known to its `generate`."""
    with engine.lend_base() as base:
        text_config = base.config.get_text_config()
        pad_token_id = text_config.pad_token_id
        own = base.generation_config.eos_token_id
        ends = [*([own] if isinstance(own, int) else own or []), *engine.chat.eos_token_ids]
        base.generation_config = copy.deepcopy(base.generation_config)
        base.generation_config.eos_token_id = list(dict.fromkeys(ends))
        try:
            yield base
        finally:
            text_config.pad_token_id = pad_token_id
