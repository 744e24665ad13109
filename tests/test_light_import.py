"""What answers at once must not wait for torch."""

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "trl", "peft", "faiss", "datasets", "scipy", "pyarrow", "ray")


@pytest.mark.parametrize("module", ["ddl_train", "ddl_train.config", "ddl_train.cli.app"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout.split(), result.stderr) == (0, [], "")


def test_help_takes_less_than_a_second_of_one_core() -> None:
    """Processor time, not the clock: a busy machine is no fault of ours."""
    command = [sys.executable, "-c", "from ddl_train.cli.main import main; main()", "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0
