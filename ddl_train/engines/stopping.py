"""When an answer is given up: the model itself finds it unlikely, or it says the same again and again.

Pure: the same tokens and log-probabilities give the same answer.
"""

from collections.abc import Sequence

from ddl_train.records import Stopping

LONGEST_RUN = 32
"""Tokens of the longest run whose repetition is looked for."""


def why_stop(ids: Sequence[int], log_prob: float, stopping: Stopping) -> str | None:
    """Why an answer is not worth going on with, as a sentence, or None.

    Args:
        ids: tokens written so far.
        log_prob: sum of their log-probabilities, in nats.
        stopping: when to give up.
    """
    if len(ids) < stopping.patience:
        return None
    mean = log_prob / len(ids)
    if stopping.min_mean_logprob is not None and mean < stopping.min_mean_logprob:
        return (
            f"hopeless: given up after {len(ids)} tokens with a mean log-probability of "
            f"{mean:.2f}, below {stopping.min_mean_logprob:g}"
        )
    if stopping.max_repeats is not None:
        size, times = repeated_end(ids)
        if times > stopping.max_repeats:
            return f"looping: given up after {len(ids)} tokens, the last {size} said {times} times"
    return None


def repeated_end(ids: Sequence[int]) -> tuple[int, int]:
    """Length of the run of tokens that is said most often at the end, and how often."""
    found = (1, 1)
    for size in range(1, min(LONGEST_RUN, len(ids) // 2) + 1):
        alike = 0
        while alike + size < len(ids) and ids[-1 - alike] == ids[-1 - alike - size]:
            alike += 1
        if 1 + alike // size > found[1]:
            found = (size, 1 + alike // size)
    return found
