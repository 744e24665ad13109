"""The bench of speed, lived small: rows are measured, named, and judged by their figures alone."""

from pathlib import Path

import pytest

from ddl_train.bench.speed import ROWS, Options, bench_speed
from ddl_train.bench.speed_memory import MAX_GROWTH, index_speed, sampler_cost
from ddl_train.config import Config, parse_config
from ddl_train.errors import ConfigError
from ddl_train.records import SilentProgress

QUIET = SilentProgress()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    values = {
        "name": "tiny",
        "model": {"base": "a-base"},
        "memory": {"sources": [str(tmp_path)]},
        "wake": {"sampler": {"uniform": 0.4, "near_other_source": 0.6}},
    }
    return parse_config(values, where="test")


def test_the_index_is_measured_at_the_recall_it_was_tuned_for() -> None:
    figures = index_speed(3000, 16, num_rounds=1, progress=QUIET)
    assert [figure.name for figure in figures] == [
        "M6 index over exact search, queries/s",
        "M6 exact over numpy product",
    ]
    recall = float(figures[0].detail.split("recall@10 ")[1].split(",")[0])
    assert recall > 0.9
    assert all(figure.value > 0 for figure in figures)


def test_an_index_below_a_million_has_no_goal() -> None:
    assert [bool(one.goal) for one in index_speed(500, 8, num_rounds=1, progress=QUIET)] == [
        False,
        True,
    ]


def test_growth_with_size_and_share_of_a_dream_are_measured(config: Config) -> None:
    figures = sampler_cost(config, (200, 2000), 8, dream=1e9, num_rounds=1, progress=QUIET)
    assert [figure.name for figure in figures] == [
        "M11 memory time per pair, most over 200 concepts, uniform",
        "M11 memory time as a share of a dream, uniform",
        "M11 of that the draw, uniform",
        "M11 memory time per pair, most over 200 concepts, the config's samplers",
        "M11 memory time as a share of a dream, the config's samplers",
        "M11 of that the draw, the config's samplers",
    ]
    assert all(one.is_met == (one.value <= MAX_GROWTH) for one in figures[::3])
    assert all(one.is_met and 0 < one.value < 1e-9 for one in figures[1::3])


def test_an_unknown_row_is_one_sentence(config: Config) -> None:
    with pytest.raises(ConfigError, match=f"no row 'M99'; there are {', '.join(ROWS)}"):
        bench_speed(Options(config=config), ["M99"], progress=QUIET)
