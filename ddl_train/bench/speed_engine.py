"""M2 and M3: what batching and a shared beginning gain, against the most that they could.

M2 writes answers whose lengths follow one geometric law, forced, since random weights never stop.
A padded batch runs until its longest answer is done, so that the limit is E[max] / E[length].

M3 reads prompts with and without their common beginning read once. The tokens that go through the
model are counted at the model, padding included; the limit is all tokens over those that differ.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from ddl_train.bench.figures import Figure, middle, race
from ddl_train.config import CONNECT, Config
from ddl_train.engines.batches import pad_left
from ddl_train.engines.generation import Writer
from ddl_train.engines.prefix import num_common
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.memory.ingest import read_sources
from ddl_train.records import BASE, Progress, Sampling
from ddl_train.roles.generator import dream_prompt
from ddl_train.roles.prompts import load_pack

SHARE_OF_BATCHING = 0.7
SHARE_OF_SHARING = 0.8
PROMPT_TOKENS = 32
MEAN_LENGTH = 24
MAX_LENGTH = 192


def batching_speed(
    engine: TransformersEngine, *, num_batches: int, num_rounds: int, progress: Progress
) -> list[Figure]:
    """M2: tokens a second of continuous batching over static padded batches, by the median round.

    Args:
        engine: writes, in batches of its `model.batch_size`.
        num_batches: full batches of prompts.
        num_rounds: of the race.
        progress: told of the rounds.
    """
    size = engine.config.batch_size
    random = np.random.default_rng(0)
    shape = (num_batches * size, PROMPT_TOKENS)
    prompts = random.integers(0, len(engine.tokenizer), shape).tolist()
    lengths = random.geometric(1 / MEAN_LENGTH, len(prompts)).clip(max=MAX_LENGTH).tolist()
    steps = sum(max(lengths[start : start + size]) for start in range(0, len(lengths), size))
    limit = steps * size / sum(lengths)
    sampling = Sampling(max_new_tokens=MAX_LENGTH)
    options: dict[str, Any] = {"sampling": sampling, "eos": (), "adapter": BASE, "seed": 0}
    arms: list[Callable[[], object]] = [
        lambda: _padded(engine, prompts, lengths, size),
        lambda: engine.writing.write(prompts, limits=lengths, kind="continuous", **options),
        lambda: engine.writing.write(prompts, limits=lengths, kind="static", **options),
    ]
    with progress.stage("M2", num_rounds) as bar:
        padded, paged, leaving = race(arms, num_rounds, bar.advance)
    gains = {
        "M2 continuous (paged) over static padded batches": _ratios(padded, paged),
        "M2 rows that leave and are joined over static padded batches": _ratios(padded, leaving),
    }
    figures = [
        Figure(name=name, value=statistics.median(gain), detail=middle(gain))
        for name, gain in gains.items()
    ]
    best = max(figures, key=lambda figure: figure.value)
    is_gpu = engine.device.type == "cuda"
    rate = sum(lengths) / statistics.median(padded)
    figures.append(
        Figure(
            name="M2 the faster of both, as a share of the limit",
            value=best.value / limit,
            detail=f"limit {limit:.2f} with batches of {size}; static padded {rate:,.0f} tokens/s",
            goal=f">= {SHARE_OF_BATCHING}" if is_gpu else "",
            is_met=not is_gpu or best.value >= SHARE_OF_BATCHING * limit,
        )
    )
    return figures


def sharing_speed(
    engine: TransformersEngine,
    config: Config,
    packs: Sequence[str],
    *,
    num_pairs: int,
    num_rounds: int,
    progress: Progress,
) -> list[Figure]:
    """M3: tokens and time of reading prompts without a shared beginning over those with it.

    Args:
        engine: reads.
        config: whose sources are used.
        packs: prompt packs, by name.
        num_pairs: prompts of a call.
        num_rounds: of each race.
        progress: told of the rounds.
    """
    texts = [chunk.text for chunk in read_sources(config.memory.sources, config.memory).chunks]
    random = np.random.default_rng(0)
    pairs = [[texts[n] for n in random.integers(0, len(texts), 2)] for _ in range(num_pairs)]
    figures: list[Figure] = []
    for name in packs:
        pack = load_pack(name)
        prompts = [engine.chat.prompt_ids(dream_prompt(pack, CONNECT, a, b)) for a, b in pairs]
        figures += _sharing_figures(engine, name, prompts, num_rounds, progress)
    return figures


def _sharing_figures(
    engine: TransformersEngine,
    name: str,
    prompts: Sequence[list[int]],
    num_rounds: int,
    progress: Progress,
) -> list[Figure]:
    total = sum(map(len, prompts))
    common = num_common(min(prompts), max(prompts))
    limit = total / (total - (len(prompts) - 1) * common)
    counted = []
    for shares in (False, True):
        with _counted(engine) as count:
            _read(engine, prompts, shares=shares)
        counted.append(count[0])
    arms = [
        lambda: _read(engine, prompts, shares=False),
        lambda: _read(engine, prompts, shares=True),
    ]
    with progress.stage(f"M3 {name}", num_rounds) as bar:
        without, shared = race(arms, num_rounds, bar.advance)
    gains = _ratios(without, shared)
    by_tokens, by_time = counted[0] / counted[1], statistics.median(gains)
    goal = f">= {SHARE_OF_SHARING * limit:.2f}"
    beginning = f"{common} of {total / len(prompts):.0f} tokens in common, limit {limit:.2f}"
    return [
        Figure(
            name=f"M3 tokens read without over with the shared beginning, {name}",
            value=by_tokens,
            detail=f"{counted[0]:,} and {counted[1]:,} tokens; {beginning}",
            goal=goal,
            is_met=by_tokens >= SHARE_OF_SHARING * limit,
        ),
        Figure(
            name=f"M3 the same by time, {name}",
            value=by_time,
            detail=middle(gains),
            goal=goal,
            is_met=by_time >= SHARE_OF_SHARING * limit,
        ),
    ]


def _padded(
    engine: TransformersEngine, prompts: Sequence[list[int]], lengths: Sequence[int], size: int
) -> None:
    """What one would run otherwise: `generate` of transformers, a batch until its longest ends."""
    with engine.lend_base() as model, torch.no_grad():
        for start in range(0, len(prompts), size):
            batch = pad_left(prompts[start : start + size], engine.chat.pad_token_id, engine.device)
            model.generate(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                generation_config=GenerationConfig(
                    max_new_tokens=max(lengths[start : start + size]),
                    do_sample=False,
                    pad_token_id=engine.chat.pad_token_id,
                    eos_token_id=engine.vocab_size,  # no token: nothing ends by itself
                ),
            )


def _read(engine: TransformersEngine, prompts: Sequence[list[int]], *, shares: bool) -> None:
    """Read prompts, write one token after each."""
    with torch.no_grad(), engine.adapters.active(BASE) as model:
        Writer(
            model,
            engine.chat,
            sampling=Sampling(max_new_tokens=1),
            eos=(),
            device=engine.device,
            can_join=shares,
            room=engine.room,
        ).write(prompts, seed=0)


@contextmanager
def _counted(engine: TransformersEngine) -> Iterator[list[int]]:
    """The tokens that go through the model meanwhile, in a list of one."""
    count = [0]

    def add(module: Any, arguments: Any, keywords: dict[str, Any]) -> None:
        count[0] += keywords["input_ids"].numel()

    with engine.lend_base() as base:
        hook = base.base_model.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield count
    finally:
        hook.remove()


def _ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(slow, fast, strict=True)]
