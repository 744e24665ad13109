"""Who judges the ideas of an arm, in a cell that wakes on a tiny model at random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddl_train.bench.arms import find_arms
from ddl_train.bench.cells import Bench, Scale, run_cell
from ddl_train.cycle import wake_stage
from ddl_train.records import SilentProgress
from ddl_train.session import Session
from ddl_train.world.language import OPPOSITE, write_idea
from ddl_train.world.oracle import Oracle
from tests.fakes import ScriptedGenerator
from tests.memory.conftest import quick_disk
from tests.tiny import make_tiny
from tests.worlds import ROOT

__all__ = ["quick_disk"]


def ideas(oracle: Oracle, count: int) -> list[str]:
    """Ideas that are right and wrong by turns, each about something else."""
    found: list[str] = []
    for subject in oracle.subjects:
        for made in oracle.conclusions_from(subject, max_depth=1):
            way = min(oracle.derivations(made.fact), key=lambda way: way.depth)
            wrong = replace(made.fact, relation=OPPOSITE[made.fact.relation])
            said = wrong if len(found) % 2 else made.fact
            found.append(write_idea(way.first, way.second, said))
    return found[:count]


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("arm", ["oracle_critic", "default"])
def test_the_oracle_lets_in_what_is_true_where_a_model_at_random_lets_in_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str
) -> None:
    admitted: list[str] = []

    def wake_only(session: Session, _: Any, *, oracle: Oracle, **others: Any) -> None:
        dreamt = replace(session, generator=ScriptedGenerator(ideas(oracle, 12)))
        session.run.start_cycle(0)
        wake_stage(dreamt, 0, progress=SilentProgress())
        admitted.extend(oracle.judge(one.conclusion).truth for one in session.memory.insights())
        raise InterruptedError  # what is to be seen has been seen

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("ddl_train.bench.cells.live", wake_only)
    base = make_tiny(tmp_path / "tiny")
    bench = Bench(
        out=tmp_path / "bench",
        config=Path("configs/quickstart.yaml"),
        scale=Scale(
            preset="small",
            num_cycles=1,
            overrides=(
                f"model.base={base}",
                "model.max_length=2000",
                "wake.num_pairs=12",
                "wake.guards.is_enabled=false",  # ideas are not about the pairs they come with
            ),
        ),
        settings="",
    )
    with pytest.raises(InterruptedError):
        run_cell(bench, find_arms([arm])[0], 1, progress=SilentProgress())
    assert admitted == (["true"] * 6 if arm == "oracle_critic" else [])
