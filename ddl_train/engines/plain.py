"""Plain texts, without the chat format: cut into windows that a model can hold, and pooled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.passes import sum_hidden
from ddl_train.engines.room import Room
from ddl_train.records import FloatArray


def windows(chat: ChatFormat, text: str, size: int) -> list[tuple[list[int], list[int]]]:
    """BOS (or nothing) and the ids of each window of a text, together at most `size` tokens."""
    bos = [] if chat.bos_token_id is None else [chat.bos_token_id]
    ids = chat.text_ids(text)
    return [(bos, ids[start : start + size - 1]) for start in range(0, len(ids), size - 1)]


def pool(
    base: Any, chat: ChatFormat, texts: Sequence[str], *, size: int, room: Room
) -> tuple[FloatArray, int]:
    """Mean-pooled last hidden states [n, width], and the tokens read.

    A first token stands before each window and is left out of the mean.
    """
    pieces = [
        (number, bos or [chat.eos_token_ids[-1]], ids)
        for number, text in enumerate(texts)
        for bos, ids in windows(chat, text, size)
        if ids
    ]
    sequences = [[*bos, *ids] for _, bos, ids in pieces]
    rows: dict[int, FloatArray] = {}
    with torch.no_grad():
        for batch in by_length(list(map(len, sequences)), room.batch_size):
            padded = pad_left([sequences[n] for n in batch], chat.pad_token_id, base.device)
            room.check(len(batch), padded.input_ids.shape[1], 0)
            rows |= zip(batch, sum_hidden(base, padded), strict=True)
    pooled = np.zeros((len(texts), int(base.config.get_text_config().hidden_size)))
    counts = np.zeros(len(texts))
    for place, (number, _, ids) in enumerate(pieces):
        pooled[number] += rows[place]
        counts[number] += len(ids)
    means = pooled / np.maximum(counts, 1)[:, None]
    return means.astype(np.float32), sum(map(len, sequences))
