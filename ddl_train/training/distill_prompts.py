"""What a student is asked while it learns: prompts drawn from three pools, in seeded shares.

A prompt is a `TrainingRow`: its `completion` is empty, for the student or the teacher to write. A
general row without a prompt is bare text; the student goes on from its beginning. What a pool
lacks comes round again: on-policy, a prompt asked twice is answered twice.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ddl_train.config import DistillConfig
from ddl_train.engines.chat import ChatFormat
from ddl_train.records import ConceptPair, Prompts, StudyItem, TrainingRow

BEGINNING = 1 / 3
"""Share of a bare text that is given."""


def draw_prompts(
    items: Iterable[StudyItem],
    pairs: Iterable[ConceptPair],
    general: Iterable[TrainingRow],
    *,
    prompts: Prompts,
    config: DistillConfig,
    seed: int,
) -> list[TrainingRow]:
    """`config.num_prompts` prompts in seeded order; the share of an empty pool goes to study.

    Args:
        items: study items of what the teacher was taught; those that failed their check are
            passed over.
        pairs: dreamt on, admitted or not.
        general: rows of `training.general.read_general`.
        prompts: the run's prompt pack.
        config: number and shares.
        seed: of order and draw.
    """
    study = [
        TrainingRow(
            prompt=prompts.render("answer", question=item.question, context=[]),
            completion="",
            origin="study",
            insight_id=item.insight_id,
        )
        for item in items
        if item.is_checked and item.family == "study"
    ]
    wake = [
        TrainingRow(
            prompt=prompts.render("propose", a=one.a.text, b=one.b.text),
            completion="",
            origin="wake",
        )
        for one in pairs
    ]
    plain = [replace(row, completion="") if row.prompt else row for row in general]
    num_wake = round(config.wake_share * config.num_prompts) if wake else 0
    num_general = round(config.general_share * config.num_prompts) if plain else 0
    drawn = [
        *_come_round(study, config.num_prompts - num_wake - num_general, seed),
        *_come_round(wake, num_wake, seed),
        *_come_round(plain, num_general, seed),
    ]
    random.Random(seed).shuffle(drawn)
    return drawn


def encode_prompts(
    rows: Sequence[TrainingRow], chat: ChatFormat, *, max_length: int, batch_size: int
) -> tuple[list[list[int]], int]:
    """What a model reads before it answers, and how many rows are left out as too long.

    As many as fill whole batches: TRL drops the rest of a batch in silence, so that the first come
    round once more.
    """
    encoded = [_ids(row, chat) for row in rows]
    kept = [ids for ids in encoded if len(ids) <= max_length]
    short = -len(kept) % batch_size if kept else 0
    return [kept[number % len(kept)] for number in range(len(kept) + short)], len(rows) - len(kept)


def _ids(row: TrainingRow, chat: ChatFormat) -> list[int]:
    if row.prompt:
        return chat.prompt_ids(row.prompt)
    ids = chat.text_ids(row.completion)
    bos = [] if chat.bos_token_id is None else [chat.bos_token_id]
    return bos + ids[: max(1, round(BEGINNING * len(ids)))]


def _come_round(rows: Iterable[TrainingRow], size: int, seed: int) -> list[TrainingRow]:
    """`size` rows, each before any a second time; the same whatever the order given."""
    order = sorted(set(rows), key=lambda row: (row.prompt, row.completion, row.insight_id or 0))
    random.Random(seed).shuffle(order)
    return [order[number % len(order)] for number in range(size)] if order else []
