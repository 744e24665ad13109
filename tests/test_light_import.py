"""What answers at once must not wait for torch."""

import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "transformers", "trl", "peft", "faiss", "datasets", "scipy", "pyarrow")


@pytest.mark.parametrize("module", ["ddl_train", "ddl_train.config", "ddl_train.cli.main"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout.split(), result.stderr) == (0, [], "")


def test_help_answers_within_a_second() -> None:
    command = [sys.executable, "-c", "from ddl_train.cli.main import main; main()", "--help"]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = subprocess.run(command, capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        assert result.returncode == 0, result.stderr
    assert min(seconds) < 1.0, seconds
