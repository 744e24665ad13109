"""Schedules: numbers stay what they are, schedules go from start to end."""

from typing import Any

import pytest

from ddl_train.config import Moment, WakeConfig, parse_config
from ddl_train.errors import ConfigError


def wake(**values: Any) -> WakeConfig:
    return WakeConfig.model_validate(values)


def moment(cycle: int = 0, batch: int = 0, *, cycles: int = 5, batches: int = 3) -> Moment:
    return Moment(cycle=cycle, num_cycles=cycles, batch=batch, num_batches=batches)


def test_a_number_is_the_same_in_every_batch() -> None:
    config = wake(temperature=0.7, min_p=0.1)
    assert {config.temperature_at(moment(n, n)) for n in range(5)} == {0.7}
    assert config.min_p_at() == 0.1
    assert not config.has_schedule


def test_a_line_over_cycles() -> None:
    config = wake(temperature={"start": 1.1, "end": 0.7})
    values = [config.temperature_at(moment(cycle, batch=2)) for cycle in range(5)]
    assert values == pytest.approx([1.1, 1.0, 0.9, 0.8, 0.7])
    assert config.has_schedule


def test_a_cosine_over_the_batches_of_each_wake() -> None:
    config = wake(min_p={"start": 0.0, "end": 0.2, "over": "batches", "shape": "cosine"})
    for cycle in (0, 3):
        values = [config.min_p_at(moment(cycle, batch, batches=5)) for batch in range(5)]
        assert values == pytest.approx([0.0, 0.02929, 0.1, 0.17071, 0.2], abs=1e-5)


def test_what_comes_after_the_end_stays_there() -> None:
    config = wake(temperature={"start": 1.0, "end": 0.5})
    assert config.temperature_at(moment(9)) == 0.5


def test_a_single_cycle_is_the_start_and_probes_are_the_end() -> None:
    config = wake(temperature={"start": 1.0, "end": 0.5})
    assert config.temperature_at(moment(0, cycles=1)) == 1.0
    assert config.temperature_at() == 0.5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"temperature": "hot"}, "wake.temperature: got 'hot'; expected a number"),
        ({"temperature": {"start": 1}}, "wake.temperature lacks the key 'end'"),
        ({"temperature": {"start": 1, "end": 0, "ovr": 1}}, "has unknown key 'ovr'"),
        ({"min_p": {"start": 0, "end": 2}}, "min_p must start and end at 1 or less"),
        ({"min_p": 2}, "wake.min_p: got 2; expected 1 or less"),
        ({"operators": {}}, "wake.operators: no operator has a share above 0"),
        ({"operators": {"connect": -1}}, "wake.operators.connect: got -1; expected 0 or more"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(values: dict[str, Any], said: str) -> None:
    whole = {"name": "x", "model": {"base": "b"}, "memory": {"sources": ["s"]}, "wake": values}
    with pytest.raises(ConfigError) as error:
        parse_config(whole, where="x.yaml")
    assert str(error.value).endswith(said) or said in str(error.value)
    assert "; wake" not in str(error.value)
