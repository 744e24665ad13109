"""What the verdicts so far mean for the night to come.

An insight that the night's model answers advances a stage; one that it does not answer falls back
to none and is studied again. Three refused nights in a row halve the learning rate and give more of
the night to what was there before; the recipe stays so, since the one before it was refused thrice.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ddl_train.config import SleepConfig
from ddl_train.records import EvalReport, Promotion

LAST_STAGE = 3
PATIENCE = 3
"""Refused nights in a row before the recipe is changed."""
RATE_FACTOR = 0.5
SHARE_STEP = 0.1
LEAST_NEW = 0.2
"""Share of a night that is always left to insights."""


class NextNight(NamedTuple):
    """What changes, and why."""

    config: SleepConfig
    again: frozenset[int]
    """Insights that are studied again, as `training/rows.py` says."""
    notes: tuple[str, ...]


def next_night(
    nights: Sequence[EvalReport], history: Sequence[Promotion], config: SleepConfig
) -> NextNight:
    """Adapt a night to how the earlier ones ended.

    Args:
        nights: report of the model of each earlier night, oldest first.
        history: every decision, oldest first.
        config: as the run has it.
    """
    again = frozenset(one for one, stage in insight_stages(nights).items() if stage == 0)
    notes = []
    if again:
        count = "1 insight is" if len(again) == 1 else f"{len(again)} insights are"
        notes.append(f"{count} studied again: the last night that was asked did not answer")
    gentler, why = gentler_recipe(history, config)
    return NextNight(gentler, again, (*notes, *([why] if why else [])))


def insight_stages(nights: Sequence[EvalReport]) -> dict[int, int]:
    """Insight -> nights in a row, up to `LAST_STAGE`, that got all its uptake questions right.

    An insight that a night did not ask about keeps its stage.
    """
    stages: dict[int, int] = {}
    for report in nights:
        answered: dict[int, bool] = {}
        for item in report.items:
            kind, _, number = item.cluster.partition(" ")
            if item.suite == "uptake" and kind == "insight" and number.isdecimal():
                insight_id = int(number)
                answered[insight_id] = answered.get(insight_id, True) and item.is_correct
        for insight_id, is_answered in answered.items():
            stage = min(stages.get(insight_id, 0) + 1, LAST_STAGE) if is_answered else 0
            stages[insight_id] = stage
    return stages


def gentler_recipe(
    history: Sequence[Promotion], config: SleepConfig
) -> tuple[SleepConfig, str | None]:
    """The recipe after so many refusals, and a sentence when it is not the configured one."""
    num_steps = streak = 0
    for promotion in history:
        if promotion.decided_by != "gate":
            continue
        streak = 0 if promotion.promoted else streak + 1
        if streak == PATIENCE:
            num_steps, streak = num_steps + 1, 0
    if not num_steps:
        return config, None
    room = 1 - LEAST_NEW - config.replay_share - config.general_share - config.no_link_share
    more = max(0.0, min(num_steps * SHARE_STEP, room / 2))
    changes = {
        "learning_rate": config.learning_rate * RATE_FACTOR**num_steps,
        "replay_share": round(config.replay_share + more, 6),
        "general_share": round(config.general_share + more, 6),
    }
    before = {key: getattr(config, key) for key in changes}
    words = ", ".join(
        f"{key} {old:g} -> {changes[key]:g}" for key, old in before.items() if changes[key] != old
    )
    return config.model_copy(update=changes), f"{PATIENCE} nights in a row were refused: {words}"
