"""Texts under an adapter and under its base at once: how likely they are, and how far the two differ.

The logits of both stand side by side for one batch and are gone before the next, so that memory
holds a batch of them whatever the number of texts.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from ddl_train.engines.adapters import Adapters
from ddl_train.engines.batches import pad_left
from ddl_train.engines.passes import forward
from ddl_train.engines.scoring import Scorer
from ddl_train.records import BASE

PIECE = 1 << 24
"""Logits that are turned into probabilities at once."""


class Weighed(NamedTuple):
    """Sums over the tokens of one sequence, in nats."""

    log_prob: float
    divergence: float
    """KL(adapter || base), over the whole vocabulary at every position; 0 for the base itself."""


def weigh(
    scorer: Scorer, adapters: Adapters, adapter: str, sequences: Sequence[tuple[list[int], int]]
) -> tuple[list[Weighed], int]:
    """Weigh sequences, in order, and count the tokens that were read.

    Args:
        scorer: of the engine; says what fits.
        adapters: of the engine.
        adapter: loaded version, or `base`.
        sequences: token ids, and how many of the last ones are scored.
    """
    results = [Weighed(0.0, 0.0)] * len(sequences)
    num_tokens = 0
    for batch in _batches(sequences, scorer):
        chosen = [sequences[place] for place in batch]
        padded = pad_left([ids[:-1] for ids, _ in chosen], scorer.pad, scorer.device)
        keep = max(num_scored for _, num_scored in chosen)
        scorer.room.check(len(chosen), padded.input_ids.shape[1], 2 * keep)
        with adapters.active(adapter) as model:
            logits = [forward(model, padded, keep).logits]
        if adapter != BASE:
            with adapters.active(BASE) as model:
                logits.append(forward(model, padded, keep).logits)
        num_tokens += len(logits) * sum(len(ids) - 1 for ids, _ in chosen)
        for row, (place, (ids, num_scored)) in enumerate(zip(batch, chosen, strict=True)):
            results[place] = _weigh_row([one[row, -num_scored:] for one in logits], ids)
    return results, num_tokens


def _batches(sequences: Sequence[tuple[list[int], int]], scorer: Scorer) -> Iterator[list[int]]:
    """Places of like length together, longest first; two passes' logits of a batch fit."""
    scored = [place for place, (_, num_scored) in enumerate(sequences) if num_scored]
    batch: list[int] = []
    for place in sorted(scored, key=lambda one: -len(sequences[one][0])):
        widest = max(sequences[one][1] for one in [*batch, place])
        if batch and not scorer.room.has_room(len(batch) + 1, widest, num_passes=2):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _weigh_row(logits: Sequence[torch.Tensor], ids: Sequence[int]) -> Weighed:
    """`logits` of the scored positions under the adapter, and under the base unless that is it."""
    num_scored, vocabulary = logits[0].shape
    targets = torch.tensor(ids[-num_scored:], device=logits[0].device)
    size = max(1, PIECE // vocabulary)
    log_prob = divergence = 0.0
    for start in range(0, num_scored, size):
        mine, *others = (one[start : start + size].float().log_softmax(-1) for one in logits)
        log_prob += float(mine.gather(1, targets[start : start + size, None]).double().sum())
        for base in others:
            terms = mine.exp() * (mine - base)
            # what has no probability has no part in it; 0 x infinity would be no number
            divergence += float(terms.masked_fill(mine.isneginf(), 0.0).double().sum())
    return Weighed(log_prob, divergence)
