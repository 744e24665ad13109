"""The rows of batching and of shared beginnings, lived small on a tiny model."""

from pathlib import Path

import pytest

from ddl_train.bench.speed_engine import batching_speed, sharing_speed
from ddl_train.config import Config, parse_config
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.records import SilentProgress
from tests.tiny import make_tiny

QUIET = SilentProgress()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    base = make_tiny(tmp_path / "tiny")
    (tmp_path / "docs").mkdir()
    for number in range(4):
        (tmp_path / "docs" / f"{number}.md").write_text(f"Fact {number} of the matter at hand.")
    values = {
        "name": "tiny",
        "model": {"base": str(base), "device": "cpu", "batch_size": 4},
        "memory": {"sources": [str(tmp_path / "docs")], "unit": "sentence"},
    }
    return parse_config(values, where="test")


@pytest.mark.slow
def test_both_ways_of_batching_are_raced_and_a_cpu_has_no_goal(config: Config) -> None:
    figures = batching_speed(load_engine(config.model), num_batches=1, num_rounds=1, progress=QUIET)
    assert [figure.name.split()[0] for figure in figures] == ["M2", "M2", "M2"]
    assert all(figure.value > 0 and figure.is_met and not figure.goal for figure in figures)


def test_what_sharing_saves_is_counted_at_the_model(config: Config) -> None:
    by_tokens, by_time = sharing_speed(
        load_engine(config.model), config, ["default"], num_pairs=6, num_rounds=1, progress=QUIET
    )
    limit = float(by_tokens.detail.split("limit ")[1])
    assert by_tokens.value == pytest.approx(limit, rel=0.1)
    assert (by_tokens.is_met, by_time.goal) == (True, by_tokens.goal)
