"""What the seedling's skills are measured with."""

import math
from pathlib import Path

import pytest

from ddl_train.bench.critique import auc, auc_interval
from ddl_train.bench.pairs import PairSource
from ddl_train.bench.seedling import SkillRow, run, table
from ddl_train.errors import ConfigError, ModelError
from ddl_train.world.language import chain, parse


@pytest.fixture(scope="module")
def source() -> PairSource:
    return PairSource(3)


def test_pairs_are_what_they_are_asked_as(source: PairSource) -> None:
    for pair in source.composing(40) + source.on_insights(40):
        a, b = parse(pair.a), parse(pair.b)
        assert a is not None and b is not None
        assert pair.idea is not None and pair.idea == chain(a, b)
    for pair in source.unlinked(40) + source.sharing(40):
        a, b = parse(pair.a), parse(pair.b)
        assert a is not None and b is not None
        assert pair.idea is None and chain(a, b) is None


def test_one_seed_gives_one_exam() -> None:
    assert PairSource(3).composing(5) == PairSource(3).composing(5)
    assert PairSource(3).composing(5) != PairSource(4).composing(5)


@pytest.mark.parametrize(
    ("right", "wrong", "value"),
    [([3, 4], [1, 2], 1.0), ([1, 2], [3, 4], 0.0), ([1], [1], 0.5), ([2, 4], [1, 3], 0.75)],
)
def test_auc_counts_pairs(right: list[float], wrong: list[float], value: float) -> None:
    assert auc(right, wrong) == value
    low, high = auc_interval(value, len(right), len(wrong))
    assert low <= value <= high


def test_auc_of_nothing_is_unknown_and_misses_its_goal() -> None:
    assert math.isnan(auc([1.0], []))
    row = SkillRow(skill="critic", value=math.nan, low=0.0, high=1.0, num_items=1, goal=0.99)
    assert not row.is_met()


def test_a_missed_goal_is_said_in_the_table() -> None:
    row = {"skill": "x", "value": 0.9, "low": 0.8, "high": 1, "num_items": 9, "goal": 0.97}
    assert "0.97 missed" in table({"rows": [row | {"is_met": False}]})
    assert "met" not in table({"rows": [row | {"goal": None, "is_met": True}]})


def test_a_table_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        run(tmp_path, out=tmp_path)


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read as a model"):
        run(tmp_path)


def test_quick_misses_a_goal_only_where_the_whole_interval_does() -> None:
    row = SkillRow(skill="study", value=0.95, low=0.76, high=0.99, num_items=20, goal=0.97)
    assert not row.is_met()
    assert row.is_met(quick=True)
    assert not SkillRow(
        skill="study", value=0.5, low=0.3, high=0.7, num_items=20, goal=0.97
    ).is_met(quick=True)
