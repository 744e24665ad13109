"""Sleep at speed: M4, how much of the hardware a LoRA uses, beside plain TRL; M5, rows without padding.

M4: a token of LoRA takes 4P FLOP, forward 2P and 2P for the gradients of activations; frozen weights
get none. The plain arm (`training.plain`) has the same rows, LoRA, batches, steps and precision.

M5: the same night padded, `padding_free` and as packs; what share of a pack are tokens, and whether
the loss is that of the rows one by one.

Seconds are those of `trainer.train()`. What counts are tokens of rows: padding is none.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ddl_train.bench.ceilings import measure_peak, synchronize
from ddl_train.bench.figures import Figure, middle, ratio, take_turns
from ddl_train.config import SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Progress, TrainingRow
from ddl_train.training.encoding import IGNORED, EncodedRows, encode_rows
from ddl_train.training.general import read_general
from ddl_train.training.plain import make_plain_trainer
from ddl_train.training.trainer import make_trainer, quiet_libraries

MIN_OVER_PLAIN = 1.0
MIN_FILL = 0.95
MAX_LOSS_DIFFERENCE = 1e-4
_SEED = 0

Make = Callable[..., Any]
"""What makes a trainer: `_ours` or `make_plain_trainer`."""
_ours = partial(make_trainer, start_from=None)

_WORDS = [
    "the",
    "bee",
    "sees",
    "a",
    "red",
    "field",
    "and",
    "one",
    "of",
    "two",
    "old",
    "trees",
    "where",
    "it",
    "was",
    "told",
    "that",
    "all",
    "hives",
    "are",
]


def lora_speed(
    engine: TransformersEngine,
    rows: Sequence[TrainingRow],
    sleep: SleepConfig,
    *,
    min_mfu: float | None,
    num_rounds: int,
    progress: Progress,
) -> list[Figure]:
    """M4.

    Args:
        engine: whose base is trained.
        rows: of one epoch.
        sleep: the settings of a night.
        min_mfu: share of the measured matrix peak that is good enough; None where none is set.
        num_rounds: of the race.
        progress: told of the rounds.
    """
    sleep = _one_epoch(sleep)
    encoded = encode_rows(rows, engine.chat, max_length=sleep.max_length)
    with progress.stage("M4", num_rounds) as bar:
        ours, plain = take_turns(
            (
                partial(_train, engine, encoded, sleep, _ours),
                partial(_train, engine, encoded, sleep, make_plain_trainer),
            ),
            num_rounds,
            bar.advance,
        )
    with engine.lend_base() as base:
        peak = measure_peak(engine.device, base.dtype)
    rates = [encoded.num_tokens / one for one in ours]
    mfu = 4 * engine.num_parameters * statistics.median(rates) / peak
    what = f"{engine.num_parameters / 1e6:,.1f}M parameters"
    said = f"{encoded.num_rows} rows, {encoded.num_tokens:,} tokens, {_how(sleep)}"
    return [
        Figure(
            name=f"M4 LoRA MFU, {what}",
            value=mfu,
            goal="" if min_mfu is None else f"{min_mfu:g} or more",
            is_met=min_mfu is None or mfu >= min_mfu,
            detail=f"{middle(rates, ' tokens/s')}, products {peak / 1e9:,.0f} GFLOP/s; {said}",
        ),
        ratio(
            f"M4 LoRA tokens/s over plain TRL, {what}",
            ours,
            plain,
            encoded.num_tokens,
            goal=MIN_OVER_PLAIN,
            detail=said,
        ),
    ]


def packing_speed(
    engine: TransformersEngine,
    rows: Sequence[TrainingRow],
    sleep: SleepConfig,
    *,
    num_rounds: int,
    progress: Progress,
) -> list[Figure]:
    """M5; arguments as of `lora_speed`."""
    base = _one_epoch(sleep)
    encoded = encode_rows(rows, engine.chat, max_length=base.max_length)
    padded = base.model_copy(update={"padding_free": False, "packing": False})
    joined = base.model_copy(update={"padding_free": True, "packing": False})
    packed = base.model_copy(update={"padding_free": False, "packing": True})
    with progress.stage("M5", num_rounds) as bar:
        arms = [partial(_train, engine, encoded, one, _ours) for one in (joined, packed, padded)]
        by_joined, by_packed, by_padded = take_turns(arms, num_rounds, bar.advance)
    said = f"{encoded.num_rows} rows, {encoded.num_tokens:,} tokens, {_how(padded)}"
    packs = f"packs of {packed.max_length}"
    return [
        ratio(
            f"M5 tokens/s, {name} over padded",
            ours,
            by_padded,
            encoded.num_tokens,
            detail=said,
        )
        for name, ours in (("padding_free", by_joined), (packs, by_packed))
    ] + [
        _fill(engine, encoded, packed),
        *(_equality(engine, encoded, one) for one in (joined, packed)),
    ]


def some_rows(sleep: SleepConfig, number: int, mean: int) -> list[TrainingRow]:
    """The config's general rows, or as many made of words: lengths as they come, `mean` on average."""
    found = read_general(sleep.general, max_characters=4 * sleep.max_length)[:number]
    if len(found) == number:
        return found
    chance = random.Random(_SEED)
    return [
        TrainingRow(
            prompt=f"{n} " + _words(chance, mean // 2),
            completion=_words(chance, mean // 2),
            origin="general",
        )
        for n in range(number)
    ]


def _words(chance: random.Random, mean: int) -> str:
    return " ".join(chance.choices(_WORDS, k=1 + int(chance.expovariate(1 / mean))))


def _one_epoch(sleep: SleepConfig) -> SleepConfig:
    return sleep.model_copy(update={"num_train_epochs": 1.0, "save_steps": 10**9})


def _how(sleep: SleepConfig) -> str:
    if sleep.packing:
        return f"packs of {sleep.max_length}"
    return f"{sleep.per_device_train_batch_size} a batch" + ", padding_free" * sleep.padding_free


@contextmanager
def _night(
    engine: TransformersEngine, encoded: EncodedRows, sleep: SleepConfig, make: Make = _ours
) -> Iterator[Any]:
    """A trainer in a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="ddl-bench-") as folder,
        quiet_libraries(),
        engine.lend_base() as base,
    ):
        yield make(base, engine.tokenizer, encoded, sleep, out_dir=Path(folder), seed=_SEED)


def _train(
    engine: TransformersEngine, encoded: EncodedRows, sleep: SleepConfig, make: Make
) -> float:
    """Seconds of one night."""
    with _night(engine, encoded, sleep, make) as trainer:
        return _seconds(trainer, engine.device)


def _seconds(trainer: Any, device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    trainer.train()
    synchronize(device)
    spent = time.perf_counter() - start
    trainer.accelerator.free_memory()
    return spent


def _fill(engine: TransformersEngine, encoded: EncodedRows, packed: SleepConfig) -> Figure:
    """Share of the packs' room that holds tokens."""
    with _night(engine, encoded, packed) as trainer:
        num_packs = len(trainer.train_dataset)
    fill = encoded.num_tokens / (num_packs * packed.max_length)
    return Figure(
        name="M5 fill of packs",
        value=fill,
        goal=f"{MIN_FILL:g} or more",
        is_met=fill >= MIN_FILL,
        detail=f"{encoded.num_tokens:,} tokens in {num_packs} packs of {packed.max_length}",
    )


def _equality(engine: TransformersEngine, encoded: EncodedRows, sleep: SleepConfig) -> Figure:
    """Loss of the rows as they are joined, less their loss one by one, in nats a token."""
    with _night(engine, encoded, sleep) as trainer, torch.no_grad():
        trainer.model.eval()
        together = _mean_loss(trainer.model, trainer.get_train_dataloader())
        rows = zip(encoded.input_ids, encoded.labels, strict=True)
        alone = _mean_loss(
            trainer.model,
            (
                {
                    "input_ids": torch.tensor([ids], device=engine.device),
                    "labels": torch.tensor([labels], device=engine.device),
                }
                for ids, labels in rows
            ),
        )
    difference = abs(together - alone)
    return Figure(
        name=f"M5 loss less that of the rows one by one, {_how(sleep)}",
        value=difference,
        goal=f"{MAX_LOSS_DIFFERENCE:g} or less",
        is_met=difference <= MAX_LOSS_DIFFERENCE,
        detail=f"{together:.6f} and {alone:.6f} nats a token, {encoded.num_rows} rows",
    )


def _mean_loss(model: Any, batches: Any) -> float:
    """Over all labelled tokens of all batches."""
    total, count = 0.0, 0
    for batch in batches:
        number = int((batch["labels"][..., 1:] != IGNORED).sum())
        total += number * float(model(**batch).loss)
        count += number
    return total / count
