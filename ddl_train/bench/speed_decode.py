"""M1: how much of the roofline decoding reaches.

A decoding step must read every weight and every key and value once, and multiply each token with
each weight: the roofline is the slower of the two at the measured bandwidth and matrix peak of the
device. Tokens are counted between a call that writes one token and a call that writes many, so that
reading the prompts is left out; the engine is called as wake calls it.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from ddl_train.bench.ceilings import measure_bandwidth, measure_peak
from ddl_train.bench.figures import Figure, middle, race
from ddl_train.bench.random_models import random_engine
from ddl_train.config import ModelConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import BASE, Progress, Sampling

GOALS = {"sdpa": 0.30, "flash_attention_2": 0.45}
"""On a GPU, by how attention is computed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is decoded."""

    model: str
    """Of `random_models.shape`."""
    batch_size: int
    num_words: int
    """Of each prompt; it has at least as many tokens."""
    num_new: int
    """Tokens that are written and counted."""


def decode_speed(
    config: ModelConfig, load: Load, *, num_rounds: int, progress: Progress
) -> list[Figure]:
    """Tokens a second over the roofline, for each way of attention that there is.

    Args:
        config: device, dtype and tokenizer.
        load: model, batch and lengths.
        num_rounds: of each way.
        progress: told of the rounds.
    """
    config = config.model_copy(update={"batch_size": load.batch_size, "load_in_4bit": False})
    engine = random_engine(load.model, config)
    ways = ["sdpa"]
    if engine.device.type == "cuda" and is_flash_attn_2_available():
        ways.append("flash_attention_2")
    figures = []
    for way in ways:
        with engine.adapters.active(BASE) as model:
            model.set_attn_implementation(way)
            step, said = _roofline(model, engine, load)
        with progress.stage(f"M1 {way}", num_rounds) as bar:
            rates = _rates(engine, load, num_rounds, bar.advance)
        figures.append(_figure(load, way, rates, load.batch_size / step, said, engine.device))
    return figures


def _rates(engine: TransformersEngine, load: Load, num_rounds: int, advance: Any) -> list[float]:
    """Decoded tokens a second of each round."""
    prompts = [f"{n} " + "and then " * (load.num_words // 2) for n in range(load.batch_size)]

    def write(number: int) -> None:
        sampling = Sampling(max_new_tokens=number, temperature=1.0)
        engine.generate(prompts, sampling=sampling, adapter=BASE, seed=0)

    one, many = race((lambda: write(1), lambda: write(1 + load.num_new)), num_rounds, advance)
    num_tokens = load.batch_size * load.num_new
    # on a device that others use a round can be faster than its prompts alone were
    return [num_tokens / max(b - a, 1e-3 * b) for a, b in zip(one, many, strict=True)]


def _roofline(model: Any, engine: TransformersEngine, load: Load) -> tuple[float, str]:
    """Seconds that a step takes at least, and what they are made of."""
    config, dtype = model.config, next(model.parameters()).dtype
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kv_heads, layers = config.num_key_value_heads, config.num_hidden_layers
    prompt = len(engine.prompt_ids("0 " + "and then " * (load.num_words // 2)))
    context = prompt + load.num_new / 2
    weights = engine.num_parameters * dtype.itemsize
    cache = load.batch_size * context * 2 * layers * kv_heads * width * dtype.itemsize
    flops = 2 * engine.num_parameters * load.batch_size
    bandwidth, peak = measure_bandwidth(engine.device), measure_peak(engine.device, dtype)
    step = max((weights + cache) / bandwidth, flops / peak)
    return step, (
        f"copies {bandwidth / 1e9:,.1f} GB/s, {str(dtype).removeprefix('torch.')} products "
        f"{peak / 1e9:,.0f} GFLOP/s, weights {weights / 1e6:,.0f} MB, keys and values "
        f"{cache / 1e6:,.0f} MB"
    )


def _figure(
    load: Load,
    way: str,
    rates: Sequence[float],
    roofline: float,
    said: str,
    device: torch.device,
) -> Figure:
    share = statistics.median(rates) / roofline
    goal = GOALS[way] if device.type == "cuda" else None
    return Figure(
        name=f"M1 decode tokens/s over the roofline, {load.model} random, {way}",
        value=share,
        goal="" if goal is None else f"{goal:g} or more",
        is_met=goal is None or share >= goal,
        detail=f"{middle(rates, '/s')} of {roofline:,.0f}/s, {load.batch_size} rows of "
        f"{load.num_new} tokens; {said}",
    )
