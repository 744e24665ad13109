"""One pass of a model over a batch, and which models may keep what they read for other rows."""

from typing import Any

import numpy as np
import torch

from ddl_train.engines.batches import Padded
from ddl_train.records import FloatArray


def can_share(base: Any) -> bool:
    """Whether the keys and values of a beginning can serve several rows.

    Full attention in every layer only: a sliding window or a recurrent state keeps less than the
    whole beginning.
    """
    config = base.config.get_text_config()
    if kinds := getattr(config, "layer_types", None):
        return set(kinds) == {"full_attention"}
    has_window = bool(getattr(config, "sliding_window", None))
    return not has_window and not getattr(base, "_is_stateful", False)


def forward(
    model: Any,
    padded: Padded,
    keep: int,
    *,
    cache: Any = None,
    past: torch.Tensor | None = None,
    use_cache: bool = False,
) -> Any:
    """One pass. Positions are counted without the padding, also behind a cache."""
    mask = padded.attention_mask
    if past is not None:
        mask = torch.cat([past, mask], dim=1)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -padded.input_ids.shape[1] :]
    return model(
        input_ids=padded.input_ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=use_cache or cache is not None,
        logits_to_keep=keep,
    )


def sum_hidden(base: Any, padded: Padded) -> FloatArray:
    """Sum of the last hidden states of each row, its first token left out: [rows, width]."""
    mask = padded.attention_mask
    hidden = base.base_model(
        input_ids=padded.input_ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        use_cache=False,
    ).last_hidden_state
    kept = mask * (mask.cumsum(-1) > 1)
    sums = (hidden.float() * kept[..., None]).sum(1)
    return np.asarray(sums.cpu().numpy(), dtype=np.float32)


def num_used_parameters(base: Any) -> int:
    """Parameters that each token meets: all but the input embedding, unless it is also the head."""
    total = int(base.num_parameters())
    embedding, head = base.get_input_embeddings(), base.get_output_embeddings()
    is_tied = head is not None and head.weight is embedding.weight
    return total if is_tied else total - int(embedding.weight.numel())
