"""The quickstart as a user gets it, its first day and night, to what it prints at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import ROOT, SEEDLING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling"),
]
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
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What the run printed, and `status --json`."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "checkpoints").mkdir()
    (checkout / "checkpoints" / "seedling").symlink_to(SEEDLING)
    (checkout / "configs").symlink_to(ROOT / "configs")
    world = "checkpoints/quickstart-world"
    ddl("world", world, "--seed", "7", "--preset", "quickstart", cwd=checkout)
    printed = ddl("run", "configs/quickstart.yaml", "num_cycles=1", "--quiet", cwd=checkout)
    return printed, json.loads(ddl("status", "quickstart", "--json", cwd=checkout))


def of_adapter_in_use(status: dict[str, Any], suite: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One suite of the last promoted night: the base, and the adapter."""
    suites = [cycle["suites"][suite] for cycle in status["cycles"] if cycle["promoted"]]
    return suites[-1]["base"], suites[-1]["candidate"]


def test_it_says_what_was_dreamt_learned_and_forgotten(lived: tuple[str, dict[str, Any]]) -> None:
    printed, _ = lived
    for part in ("ideas,", "the tax:", "it answers now", "what it knew before", "where it is"):
        assert part in printed


def test_its_first_night_is_promoted(lived: tuple[str, dict[str, Any]]) -> None:
    assert [cycle["promoted"] for cycle in lived[1]["cycles"]] == [True]


def test_the_promoted_adapter_knows_its_ideas_and_the_base_is_at_chance(
    lived: tuple[str, dict[str, Any]],
) -> None:
    base, adapter = of_adapter_in_use(lived[1], "uptake")
    assert adapter["n"] >= 30
    assert base["accuracy"] - base["chance"] < 0.15
    assert (adapter["accuracy"] - adapter["chance"]) / (1 - adapter["chance"]) >= 0.6


def test_it_forgets_less_than_five_points(lived: tuple[str, dict[str, Any]]) -> None:
    base, adapter = of_adapter_in_use(lived[1], "retention")
    assert base["accuracy"] - adapter["accuracy"] < 0.05
