"""The rows of a night: which insights, and how much of what else.

A night is made of four origins:

    new      study rows of tonight's insights
    replay   study rows of insights of earlier nights
    general  text that has nothing to do with any insight
    no_link  a pair that came to nothing, answered with the pack's NONE

`from_base` starts from untouched weights, so the rows of the night are all that the adapter will
ever know: every row of every kept insight is in, earlier ones too, and `replay_share` has no say.
`continue` and `merge` start from weights that know the earlier insights: their rows come half as
often as new ones, or as often as fills `replay_share` of the night if that is less. `general_share`
and `no_link_share` are shares of all rows with any method. Nothing is repeated to fill a share:
where there is too little, the night is smaller. A night ends with the row that fills `max_steps`.

A night of several epochs has its new rows in each, takes turns through the earlier ones, and draws on
through the general text and the decoys: the same few rows again and again would be learned by heart
and hold nothing else in place.

Insights that an earlier night failed to teach are studied `again`, as new ones are; from the base,
where all rows are in alike, theirs are in twice.

Everything here is pure; the order of rows depends on the seed and on nothing else.
"""

import hashlib
import math
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from ddl_train.config import SleepConfig
from ddl_train.records import Concept, Insight, Prompts, StudyItem, TrainingRow

PROPOSE = "propose"
"""Kind of row that no template writes: both parents are shown and the idea is the answer."""


def keep_insights(
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    config: SleepConfig,
    *,
    seed: int,
    again: Collection[int] = (),
) -> tuple[list[Insight], list[Insight]]:
    """Cut both to `max_insights` in all: tonight's first, the strongest first, the newest first.

    What a night from the base leaves out is forgotten, so it keeps the strongest of the earlier
    ones too. Other nights take turns through all of them, those of `again` first.
    """
    new = sorted(tonight, key=_strongest_first)[: config.max_insights]
    seen = {insight.insight_id for insight in tonight}
    old = sorted((one for one in earlier if one.insight_id not in seen), key=_strongest_first)
    if config.method != "from_base":
        old.sort(key=lambda one: one.insight_id)
        _random(seed, "earlier insights").shuffle(old)
        old.sort(key=lambda one: one.insight_id not in again)
    return new, old[: config.max_insights - len(new)]


def build_night(
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    items: Sequence[StudyItem],
    *,
    general: Sequence[TrainingRow],
    rejected: Sequence[tuple[Concept, Concept]],
    prompts: Prompts,
    config: SleepConfig,
    seed: int,
    again: Collection[int] = (),
) -> list[TrainingRow]:
    """All epochs of a night, one after another; arguments as of `build_rows`."""
    night: list[TrainingRow] = []
    most = math.inf if config.max_steps is None else config.max_steps * config.rows_per_step
    for epoch in range(math.ceil(config.num_train_epochs)):
        if len(night) >= most:
            break
        rows = build_rows(
            tonight,
            earlier,
            items,
            general=general,
            rejected=rejected,
            prompts=prompts,
            config=config,
            seed=seed,
            again=again,
            epoch=epoch,
        )
        night += rows[: round(min(1.0, config.num_train_epochs - epoch) * len(rows))]
    return night if math.isinf(most) else night[: int(most)]


def build_rows(
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    items: Iterable[StudyItem],
    *,
    general: Sequence[TrainingRow],
    rejected: Sequence[tuple[Concept, Concept]],
    prompts: Prompts,
    config: SleepConfig,
    seed: int,
    again: Collection[int] = (),
    epoch: int = 0,
) -> list[TrainingRow]:
    """Mix one epoch of a night.

    Args:
        tonight: insights that the current adapter has not been trained on, of `keep_insights`.
        earlier: insights that it has, of the same.
        items: study items of both; probe items and items that failed their check are passed over.
        general: rows from `read_general`.
        rejected: pairs answered NONE or refused.
        prompts: the run's prompt pack.
        config: kinds, shares, method.
        seed: of this night.
        again: ids of insights that weigh twice as much as other earlier ones.
        epoch: of this night; others draw other replay, general rows and decoys while there are any.
    """
    usable = [item for item in items if item.family == "study" and item.is_checked]
    new_rows = _study_rows(tonight, usable, "new", prompts, config)
    old_rows = _study_rows(earlier, usable, "replay", prompts, config)
    missed = [row for row in new_rows + old_rows if row.insight_id in again]
    new_rows += [row for row in old_rows if row.insight_id in again]
    old_rows = [row for row in old_rows if row.insight_id not in again]
    other_shares = (config.general_share if general else 0.0) + (
        config.no_link_share if rejected else 0.0
    )
    twice = missed if config.method == "from_base" else []
    if config.method != "from_base" and new_rows:
        room = len(new_rows) / (1 - other_shares - config.replay_share) * config.replay_share
        size = min(round(room), math.ceil(len(old_rows) / 2))
        old_rows = _sample(old_rows, size, seed, "replay", epoch)
    num_rows = (len(new_rows) + len(twice) + len(old_rows)) / (1 - other_shares)
    rows = new_rows + old_rows
    if not rows:
        return []
    rows += [
        replace(row, origin="general")
        for row in _sample(general, round(config.general_share * num_rows), seed, "general", epoch)
    ]
    decoys = _decoys(rejected, prompts)
    rows += _sample(decoys, round(config.no_link_share * num_rows), seed, "no_link", epoch)
    return _shuffled(rows, seed, f"night {epoch}" if epoch else "night", twice=twice)


def _decoys(rejected: Sequence[tuple[Concept, Concept]], prompts: Prompts) -> list[TrainingRow]:
    """Pairs without a link, answered so."""
    return [
        TrainingRow(
            prompt=prompts.render("propose", a=a.text, b=b.text),
            completion=prompts.none,
            origin="no_link",
        )
        for a, b in rejected
    ]


def _study_rows(
    insights: Sequence[Insight],
    items: Sequence[StudyItem],
    origin: str,
    prompts: Prompts,
    config: SleepConfig,
) -> list[TrainingRow]:
    """Rows of these insights, each question and answer once, in order of insight and kind."""
    of_insight: dict[int, list[StudyItem]] = {}
    for item in items:
        if item.kind in config.kinds:
            of_insight.setdefault(item.insight_id, []).append(item)
    rows: dict[TrainingRow, None] = {}
    for insight in sorted(insights, key=lambda one: one.insight_id):
        for item in sorted(of_insight.get(insight.insight_id, []), key=_item_order):
            prompt = prompts.render("answer", question=item.question, context=[])
            rows[_row(prompt, item.answer, origin, insight)] = None
        if PROPOSE in config.kinds:
            a, b = insight.parent_texts
            rows[_row(prompts.render("propose", a=a, b=b), insight.text, origin, insight)] = None
    return list(rows)


def _row(prompt: str, completion: str, origin: str, insight: Insight) -> TrainingRow:
    return TrainingRow(
        prompt=prompt, completion=completion, origin=origin, insight_id=insight.insight_id
    )


def _item_order(item: StudyItem) -> tuple[str, str, str]:
    return item.kind, item.question, item.answer


def _row_order(row: TrainingRow) -> tuple[str, str, str, int]:
    number = -1 if row.insight_id is None else row.insight_id
    return row.origin, row.prompt, row.completion, number


def _strongest_first(insight: Insight) -> tuple[float, int]:
    return -insight.strength, -insight.insight_id


def _sample(
    rows: Sequence[TrainingRow], size: int, seed: int, purpose: str, epoch: int
) -> list[TrainingRow]:
    """`size` rows at most; epochs take turns through all of them."""
    order = _shuffled(rows, seed, purpose)
    size = min(size, len(order))
    start = epoch * size % len(order) if order else 0
    return (order + order)[start : start + size]


def _shuffled(
    rows: Iterable[TrainingRow], seed: int, purpose: str, *, twice: Iterable[TrainingRow] = ()
) -> list[TrainingRow]:
    """Seeded order that does not depend on the order given, with no doubles but of `twice`."""
    unique = sorted(set(rows), key=_row_order) + sorted(set(twice), key=_row_order)
    _random(seed, purpose).shuffle(unique)
    return unique


def _random(seed: int, purpose: str) -> random.Random:
    digest = hashlib.sha256(f"{purpose}/{seed}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
