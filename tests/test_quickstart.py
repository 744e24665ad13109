"""The quickstart as a user gets it, two days and shorter nights, to what it prints at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ddl_train.storage.run import Run
from tests.worlds import ROOT, SEEDLING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling"),
]
Lived = tuple[str, dict[str, Any], Path]
COMMAND = [sys.executable, "-c", "from ddl_train.cli.main import main; main()"]


def ddl(*arguments: str, cwd: Path) -> str:
    """What a command prints, run as a user would run it in a checkout of its own."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """What the run printed, `status --json`, and its directory."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "checkpoints").mkdir()
    (checkout / "checkpoints" / "seedling").symlink_to(SEEDLING)
    (checkout / "configs").symlink_to(ROOT / "configs")
    world = "checkpoints/quickstart-world"
    ddl("world", world, "--seed", "7", "--preset", "quickstart", cwd=checkout)
    shorter = ("num_cycles=2", "sleep.max_steps=160")
    printed = ddl("run", "configs/quickstart.yaml", *shorter, "--quiet", cwd=checkout)
    status = json.loads(ddl("status", "quickstart", "--json", cwd=checkout))
    return printed, status, checkout / "checkpoints" / "quickstart"


def of_adapter_in_use(status: dict[str, Any], suite: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One suite of the last promoted night: the base, and the adapter."""
    suites = [cycle["suites"][suite] for cycle in status["cycles"] if cycle["promoted"]]
    return suites[-1]["base"], suites[-1]["candidate"]


def test_it_says_what_was_dreamt_learned_and_forgotten(lived: Lived) -> None:
    for part in ("ideas,", "the tax:", "it answers now", "what it knew before", "where it is"):
        assert part in lived[0]


def test_both_nights_are_promoted(lived: Lived) -> None:
    assert [cycle["promoted"] for cycle in lived[1]["cycles"]] == [True, True]


def test_the_second_night_is_asked_about_its_own_ideas_and_those_of_the_first(lived: Lived) -> None:
    with Run.read(lived[2]) as run:
        items = [item for report in run.reports(1) for item in report.items]
    assert {item.is_tonight for item in items if item.suite == "uptake"} == {True, False}


def test_the_promoted_adapter_knows_its_ideas(lived: Lived) -> None:
    adapter = of_adapter_in_use(lived[1], "uptake")[1]
    assert adapter["n"] >= 50
    assert (adapter["accuracy"] - adapter["chance"]) / (1 - adapter["chance"]) >= 0.6


def test_the_base_knows_few_of_them(lived: Lived) -> None:
    """It tells the kind by the name (109 of 115 times), which leaves fewer than five to guess from."""
    base, adapter = of_adapter_in_use(lived[1], "uptake")
    assert base["chance"] == pytest.approx(0.2)
    assert base["accuracy"] < 0.5
    assert adapter["accuracy"] - base["accuracy"] > 0.3


def test_it_forgets_less_than_five_points(lived: Lived) -> None:
    base, adapter = of_adapter_in_use(lived[1], "retention")
    assert base["accuracy"] - adapter["accuracy"] < 0.05
