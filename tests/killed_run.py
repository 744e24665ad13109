"""A run in a process of its own that kills itself at a point, or goes on to its end.

A point is `module:object.method` with `<` (before it) or `>` (after it); the process gets SIGKILL
at the `count`-th call.
"""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
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


def run_config(config_path: str, point: str, count: int) -> None:
    if point:
        arm(point, count)
    config = load_config(config_path)
    pack_dir = load_pack(config.wake.prompts).dir
    with Run.create(config, pack_dir=pack_dir) as run, open_session(run) as session:
        run_cycles(session, progress=SilentProgress())


def live(config: Path, point: str = "", count: int = 1) -> int | None:
    """Run to the end, or to the point; the exit code.

    The process is forked from one that has imported the libraries and has run nothing: it is as
    new, without the seconds that imports take.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed_run", "ddl_train.training.lora"])
    process = context.Process(target=run_config, args=(str(config), point, count))
    process.start()
    process.join()
    return process.exitcode
