"""`ddl-train bench speed`: is wake as fast as the hardware allows, row by row?

A row measures one thing against what it is bounded by or would otherwise be done with, both arms in
this process, turn by turn. Rows are the entries of `ROWS`; adding one is adding a function that
takes the options and gives figures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ddl_train.bench.figures import Figure
from ddl_train.bench.random_models import random_engine
from ddl_train.bench.speed_critic import critic_speed
from ddl_train.bench.speed_decode import Load, decode_speed
from ddl_train.bench.speed_engine import batching_speed, sharing_speed
from ddl_train.bench.speed_loop import adapter_swap, dreams, overhead, some_pairs
from ddl_train.bench.speed_memory import index_speed, sampler_cost, seconds_per_dream
from ddl_train.bench.speed_tax import tax_of_looking
from ddl_train.bench.speed_training import lora_speed, packing_speed, some_rows
from ddl_train.bench.temporary import temporary_session
from ddl_train.config import Config
from ddl_train.engines.loading import choose_device
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ConfigError
from ddl_train.records import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How large and how long a measurement is."""

    config: Config
    """Whose model, sources and settings are used; nothing of it is kept."""
    num_rounds: int = 5
    is_quick: bool = False
    """A tenth to a hundredth of the sizes; goals that ask for the size are not set."""
    world: str = "quickstart"
    """Preset of the invented worlds that are looked through."""


def decode_row(options: Options, progress: Progress) -> list[Figure]:
    """M1."""
    load = Load(model="SmolLM2-135M", batch_size=16, num_words=32, num_new=16)
    if _is_on_gpu(options):
        load = Load(model="Qwen3-0.6B", batch_size=64, num_words=256, num_new=256)
    if options.is_quick:
        load = Load(model="small", batch_size=4, num_words=8, num_new=16)
    model = options.config.model
    return decode_speed(model, load, num_rounds=options.num_rounds, progress=progress)


def lora_row(options: Options, progress: Progress) -> list[Figure]:
    """M4."""
    if _is_on_gpu(options) and not options.is_quick:
        goals = {"Qwen3-0.6B": 0.30, "Qwen3-8B": 0.40}
        return [
            figure
            for name, goal in goals.items()
            for figure in _lora(options, random_engine(name, options.config.model), goal, progress)
        ]
    return _lora(options, load_engine(options.config.model), None, progress)


def _lora(
    options: Options, engine: TransformersEngine, min_mfu: float | None, progress: Progress
) -> list[Figure]:
    sleep = options.config.sleep
    if min_mfu is None:
        rows = some_rows(sleep, 64 if options.is_quick else 512, mean=40)
    else:
        sleep = sleep.model_copy(update={"padding_free": True, "packing": False, "general": []})
        rows = some_rows(sleep, 256, mean=300)
    rounds = options.num_rounds
    return lora_speed(engine, rows, sleep, min_mfu=min_mfu, num_rounds=rounds, progress=progress)


def packing_row(options: Options, progress: Progress) -> list[Figure]:
    """M5, in float32: a loss in bfloat16 is not known to 1e-4."""
    engine = load_engine(options.config.model.model_copy(update={"dtype": "float32"}))
    sleep = options.config.sleep
    rows = some_rows(sleep, 64 if options.is_quick else 512, mean=40)
    return packing_speed(engine, rows, sleep, num_rounds=options.num_rounds, progress=progress)


def _writer(options: Options) -> TransformersEngine:
    """What writes: the config's model; on a GPU one of a size that a GPU is for."""
    if _is_on_gpu(options) and not options.is_quick:
        return random_engine("Qwen3-0.6B", options.config.model)
    return load_engine(options.config.model)


def batching_row(options: Options, progress: Progress) -> list[Figure]:
    """M2."""
    return batching_speed(
        _writer(options),
        num_batches=1 if options.is_quick else 4,
        num_rounds=options.num_rounds,
        progress=progress,
    )


def sharing_row(options: Options, progress: Progress) -> list[Figure]:
    """M3."""
    return sharing_speed(
        _writer(options),
        options.config,
        ("default", "terse"),
        num_pairs=64 if options.is_quick else 256,
        num_rounds=options.num_rounds,
        progress=progress,
    )


def index_row(options: Options, progress: Progress) -> list[Figure]:
    """M6."""
    size = 50_000 if options.is_quick else 1_000_000
    return index_speed(size, 64, num_rounds=options.num_rounds, progress=progress)


def critic_row(options: Options, progress: Progress) -> list[Figure]:
    """M7."""
    return critic_speed(
        options.config,
        num_ideas=60 if options.is_quick else 200,
        num_rounds=options.num_rounds,
        progress=progress,
    )


def overhead_row(options: Options, progress: Progress) -> list[Figure]:
    """M8."""
    config = options.config
    if options.is_quick:
        wake = config.wake.model_copy(update={"num_pairs": min(config.wake.num_pairs, 60)})
        sleep = config.sleep.model_copy(update={"num_train_epochs": 1.0})
        asked = config.evaluate.model_copy(update={"max_items": 20})
        parts = {"wake": wake, "sleep": sleep, "evaluate": asked}
        config = config.model_copy(update=parts)
    with temporary_session(config) as session:
        return [overhead(session, progress), adapter_swap(session, options.num_rounds)]


def dreams_row(options: Options, progress: Progress) -> list[Figure]:
    """M10."""
    with temporary_session(options.config) as session:
        pairs = some_pairs(session, 40 if options.is_quick else 320)
        return dreams(session, pairs, min(options.num_rounds, 3), progress)


def looking_row(options: Options, progress: Progress) -> list[Figure]:
    """M9."""
    return tax_of_looking(
        options.config,
        "small" if options.is_quick else options.world,
        num_worlds=1 if options.is_quick else min(options.num_rounds, 3),
        progress=progress,
        has_goal=not options.is_quick,
    )


def sampler_row(options: Options, progress: Progress) -> list[Figure]:
    """M11."""
    sizes = (1_000, 50_000) if options.is_quick else (1_000, 100_000, 10_000_000)
    return sampler_cost(
        options.config,
        sizes,
        16,
        dream=seconds_per_dream(options.config),
        num_rounds=4 * options.num_rounds,
        progress=progress,
    )


def _is_on_gpu(options: Options) -> bool:
    return choose_device(options.config.model).type == "cuda"


ROWS: Mapping[str, Callable[[Options, Progress], list[Figure]]] = {
    "M1": decode_row,
    "M2": batching_row,
    "M3": sharing_row,
    "M4": lora_row,
    "M5": packing_row,
    "M6": index_row,
    "M7": critic_row,
    "M8": overhead_row,
    "M9": looking_row,
    "M10": dreams_row,
    "M11": sampler_row,
}
"""Name -> measurement, in the order in which they are printed."""


def bench_speed(options: Options, names: Sequence[str], *, progress: Progress) -> list[Figure]:
    """Measure the named rows, or all.

    Args:
        options: how large and how long.
        names: of rows; empty for all.
        progress: told of the rounds.

    Raises:
        ConfigError: there is no row of that name.
    """
    if unknown := [name for name in names if name not in ROWS]:
        raise ConfigError(f"no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    return [
        figure
        for name, measure in ROWS.items()
        if not names or name in names
        for figure in measure(options, progress)
    ]
