"""A run that kills itself: `python -m tests.killed_run CONFIG POINT COUNT`.

POINT is `module:object.method` with `<` (before it) or `>` (after it); the process gets SIGKILL at
the COUNT-th call. Without a point the run goes on to its end. Used by test_killed.py.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ddl_train.config import load_config
from ddl_train.cycle import run_cycles
from ddl_train.records import SilentProgress
from ddl_train.roles.prompts import load_pack
from ddl_train.session import open_session
from ddl_train.storage.run import Run


def arm(point: str, count: int) -> None:
    """Put a SIGKILL before or after the `count`-th call of a function."""
    place, when = point[:-1], point[-1]
    module_name, _, path = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and when == "<":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if calls == count and when == ">":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def main(config_path: str, point: str = "", count: str = "1") -> None:
    if point:
        arm(point, int(count))
    config = load_config(config_path)
    pack_dir = load_pack(config.wake.prompts).dir
    with Run.create(config, pack_dir=pack_dir) as run, open_session(run) as session:
        run_cycles(session, progress=SilentProgress())


if __name__ == "__main__":
    main(*sys.argv[1:])
