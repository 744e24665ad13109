"""M9, lived small: arms dream in one world from fresh runs, and only their admissions teach them."""

from pathlib import Path

import pytest

from ddl_train.bench.speed_tax import ARMS, arm_config, tax_of_looking
from ddl_train.config import CascadeConfig, load_config
from ddl_train.records import AXES, SilentProgress
from tests.worlds import small_world_config


def test_arms_differ_in_how_they_look_and_in_what_refuses_first(tmp_path: Path) -> None:
    config = load_config("configs/quickstart.yaml", ["wake.cascade={distance: {least: 0.2}}"])
    arms = {name: arm_config(config, tmp_path, name) for name in ARMS}
    assert arms["learned"].wake.sampler.learn is not None
    assert arms["uniform"].wake.sampler.learn is None
    for name in ("uniform", "neighbours"):
        assert not arms[name].wake.guards.is_enabled
        assert arms[name].wake.cascade == CascadeConfig()
    thresholds = {
        (
            *(getattr(arm.wake, f"min_{axis}") for axis in AXES),
            *(arm.wake.min_support, arm.wake.min_rederived),
        )
        for arm in arms.values()
    }
    assert len(thresholds) == 1


@pytest.mark.slow
def test_the_tax_of_looking_is_measured_against_both(tmp_path: Path) -> None:
    config = load_config(small_world_config(tmp_path))
    figures = tax_of_looking(
        config, "small", num_worlds=1, progress=SilentProgress(), has_goal=False, recall=0.2
    )
    assert [figure.name for figure in figures] == [
        "M9 tokens per true insight, uniform over learned",
        "M9 tokens per true insight, neighbours over learned",
    ]
    assert all(figure.value > 0 and "true" in figure.detail for figure in figures)
    assert all("not reached" not in figure.detail for figure in figures)
