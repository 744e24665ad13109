"""Publishes that are killed at named points: `python -m tests.hub.dying FOLDER POINT...`.

POINT is `module:name`; SIGKILL comes in place of the call. Every point has a run of its own under
FOLDER/<number> and a repository ada/run-<number> on the Hub that HF_ENDPOINT names. It is killed,
and then the same command is given again; the exit codes of both are printed as a JSON list.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401 - once, before the forks

from ddl_train import deliver  # noqa: F401
from ddl_train.cli import publishing
from ddl_train.report import evidence  # noqa: F401


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def publish(run_dir: Path, repo_id: str, point: str | None) -> None:
    if point is not None:
        module_name, _, path = point.partition(":")
        owner: Any = importlib.import_module(module_name)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, die)
    publishing.publish(str(run_dir), repo_id=repo_id, base_id="someone/tiny")


def forked(run_dir: Path, repo_id: str, point: str | None) -> int:
    child = os.fork()
    if not child:
        code = 1
        try:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                publish(run_dir, repo_id, point)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: str, *points: str) -> None:
    codes = []
    for number, point in enumerate(points):
        run_dir, repo_id = Path(folder) / str(number) / "dreams", f"ada/run-{number}"
        codes.append([forked(run_dir, repo_id, one) for one in (point, None)])
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
