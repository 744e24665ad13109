"""How often a cycle calls its model, which bounds its time from below whatever a call computes.

A model of a few million parameters multiplies so little that Python and the launching of kernels
are most of its time. So the plan adds to the time of the arithmetic, for each pass, the layers times
what a layer costs that computes next to nothing (`machine.Machine.layer_seconds`).
"""

import math
from dataclasses import dataclass

from ddl_train.config import Config, SleepConfig
from ddl_train.records import AXES

NONE_TOKENS = 3
"""Of an answer that sees no link."""
RATIONALE_TOKENS = 60
STUDY_TOKENS = 120
"""Most of a study item."""
CANARY_KINDS = 10
ADAPTERS = 3
"""Candidate, current and base."""
GENERATING = 2.5
"""A step of generation over a bare pass: cache, sampling, what has ended. On 2 cores 2 to 3."""
TRAINING = 10.0
"""A trainer's step over a bare pass: LoRA, backward, optimizer, callbacks. On 2 cores 8 to 12."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """From the least to the most."""

    low: float
    high: float


def rows_of_last_night(sleep: SleepConfig, per_cycle: int, num_cycles: int) -> float:
    """All epochs of the longest night: the last one, where every earlier insight is in it."""
    of_insights = 1 - sleep.general_share * bool(sleep.general) - sleep.no_link_share
    insights = per_cycle * num_cycles
    if sleep.method != "from_base":
        insights, of_insights = per_cycle, of_insights - sleep.replay_share
    rows = min(insights, sleep.max_insights) * sleep.max_items / of_insights
    rows *= sleep.num_train_epochs
    return rows if sleep.max_steps is None else min(rows, sleep.max_steps * sleep.rows_per_step)


def count_passes(config: Config, *, num_insights: int, num_asked: int, num_rows: float) -> Range:
    """Bare passes that the longest cycle takes at least and at most.

    Args:
        config: of the run.
        num_insights: admitted a cycle, assumed.
        num_asked: continuations that are scored to answer the probes of one adapter.
        num_rows: rows of the last night, times its epochs.
    """
    size = config.model.batch_size
    wake, sleep, evaluate = config.wake, config.sleep, config.evaluate
    dreams = _calls(wake.num_pairs, min(wake.batch_size, size))
    orders = 1 if wake.max_disagreement is None else 2
    judging = (
        len(AXES) * orders + (wake.min_support is not None) + 2 * (wake.min_rederived is not None)
    )
    judging += wake.cascade.screen is not None
    explaining = GENERATING * RATIONALE_TOKENS if wake.explain else 0
    items = _calls(num_insights * (sleep.max_items + 2), size)
    examined = CANARY_KINDS * (evaluate.canaries_per_kind or 0) + evaluate.num_good_ideas
    probes = _calls(evaluate.num_dream_pairs or 0, size)
    fixed = (
        _calls(examined, size) * judging
        + ADAPTERS * _calls(num_asked, size)
        + TRAINING * _calls(num_rows, _rows_a_step(config))
    )
    low = (dreams + ADAPTERS * probes) * GENERATING * NONE_TOKENS + items * GENERATING
    high = (dreams + ADAPTERS * probes) * (GENERATING * wake.max_answer_tokens + judging)
    high += dreams * explaining + items * GENERATING * STUDY_TOKENS
    return Range(low=fixed + low, high=fixed + high)


def _rows_a_step(config: Config) -> int:
    return config.sleep.per_device_train_batch_size * config.sleep.gradient_accumulation_steps


def _calls(number: float, size: int) -> int:
    return math.ceil(number / size)
