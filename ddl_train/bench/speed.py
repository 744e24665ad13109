"""`ddl-train bench speed`: is wake as fast as the hardware allows, row by row?

A row measures one thing against what it is bounded by or would otherwise be done with, both arms in
this process, turn by turn. Rows are the entries of `ROWS`; adding one is adding a function that
takes the options and gives figures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ddl_train.bench.figures import Figure
from ddl_train.bench.speed_critic import critic_speed
from ddl_train.bench.speed_memory import index_speed, sampler_cost, seconds_per_dream
from ddl_train.config import Config
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


def sampler_row(options: Options, progress: Progress) -> list[Figure]:
    """M11."""
    sizes = (1_000, 20_000) if options.is_quick else (1_000, 100_000, 10_000_000)
    return sampler_cost(
        options.config,
        sizes,
        16,
        dream=seconds_per_dream(options.config),
        num_rounds=4 * options.num_rounds,
        progress=progress,
    )


ROWS: Mapping[str, Callable[[Options, Progress], list[Figure]]] = {
    "M6": index_row,
    "M7": critic_row,
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
