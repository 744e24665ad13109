"""Processes that are killed at named points: `python -m tests.storage.dying FOLDER POINT...`.

POINT is `module:name`; SIGKILL comes in place of the call. For each point a process is forked that
does the same work (two batches of dreams, one installed adapter) on a run in FOLDER/<number>; the
exit codes are printed as a JSON list. Used by test_crashes.py.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ddl_train.memory.store import Memory
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder
from tests.storage.made import a_run, chunks, dream, idea, install

TEXTS = [f"fact {n} of the matter" for n in range(6)]


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work(run: Run) -> str:
    """What a run does; calling it again goes on where it stopped."""
    memory = Memory(run, HashEmbedder())
    memory.add_chunks(chunks(TEXTS), cycle=-1)
    for batch_index in range(2):
        dream(memory, 0, batch_index, idea)
    run.drop_night(0)
    version = install(run, cycle=0, insight_ids=[1, 2])
    memory.close()
    return version


def die_at(folder: Path, point: str) -> None:
    module_name, _, path = point.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    with a_run(folder) as run:
        setattr(owner, name, die)
        work(run)


def main(folder: str, *points: str) -> None:
    codes = []
    for number, point in enumerate(points):
        place = Path(folder) / str(number)
        place.mkdir()
        child = os.fork()
        if not child:
            try:
                die_at(place, point)
            finally:
                os._exit(1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
