"""What answers at once must not wait for torch."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "trl", "peft", "faiss", "datasets", "scipy", "pyarrow", "ray")


@pytest.mark.parametrize("module", ["ddl_train", "ddl_train.config", "ddl_train.cli.app"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout.split(), result.stderr) == (0, [], "")


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from ddl_train.cli.main import main
try:
    main()
finally:
    print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    command = [sys.executable, "-c", code, "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr.split()) == (0, [])
    assert "Usage" in result.stdout
