"""Attention of rows that share one sequence (`padding_free`, `packing`): each row apart.

Without a flash-attention kernel transformers masks such a sequence: every token is multiplied with
every other of the batch, and what belongs to other rows is thrown away. Here each row is attended to
by itself with transformers' own SDPA, so that attention grows with the rows and not with the square
of their sum, and a GPU takes its causal kernel.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ddl_train.config import SleepConfig

NAME = "sdpa_rows_apart"
"""Under this name transformers knows it; it is given no mask, because none has that name."""


def attend_rows_apart(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    *,
    position_ids: torch.Tensor,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each row of one sequence.

    Args:
        module: the attention layer.
        query: [1, heads, tokens, head size].
        key: [1, key heads, tokens, head size].
        value: as `key`.
        attention_mask: none; the rows are told by their positions.
        position_ids: [1, tokens], 0 where a row begins.
        kwargs: of `sdpa_attention_forward`.

    Returns:
        [1, tokens, heads, head size], and no weights.

    Raises:
        ValueError: there are several sequences, or a mask.
    """
    if len(query) != 1 or attention_mask is not None:
        raise ValueError(
            f"{NAME} takes one sequence without a mask; got {len(query)} sequences, mask "
            f"{'none' if attention_mask is None else tuple(attention_mask.shape)}"
        )
    starts = (position_ids[0] == 0).nonzero().flatten().tolist()
    lengths = [
        end - start for start, end in zip(starts, [*starts[1:], query.shape[2]], strict=True)
    ]
    rows = zip(*(torch.split(x, lengths, dim=2) for x in (query, key, value)), strict=True)
    kwargs["is_causal"] = True
    attended = [sdpa_attention_forward(module, q, k, v, None, **kwargs)[0] for q, k, v in rows]
    return torch.cat(attended, dim=1), None


@contextmanager
def rows_apart(base: Any, config: SleepConfig) -> Iterator[None]:
    """Let a base that attends by SDPA attend to each row apart, and give it back as it was.

    A night of one row a sequence is left alone, and so is a base with a sliding window that rows may
    outgrow, which needs its mask.
    """
    before = base.config._attn_implementation
    window = getattr(base.config.get_text_config(), "sliding_window", None)
    has_room = window is None or config.max_length <= window
    if not ((config.padding_free or config.packing) and before == "sdpa" and has_room):
        yield
        return
    AttentionInterface.register(NAME, attend_rows_apart)
    base.set_attn_implementation(NAME)
    try:
        yield
    finally:
        base.set_attn_implementation(before)
