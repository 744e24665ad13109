"""A run in hand: created or taken up, its model loaded, ready to be asked to stop."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ddl_train.cli.boundary import say
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.cli.servers import check_servers
from ddl_train.cli.stopping import stoppable
from ddl_train.cli.workers import check_workers
from ddl_train.config import Config
from ddl_train.errors import DdlTrainError

if TYPE_CHECKING:
    from ddl_train.session import Session


@contextmanager
def work_on(config: Config, *, pack_dir: Path) -> "Iterator[Session]":
    """Create the run of a config, or take it up again, and load its model.

    Changes to a run that exists are stored, and said, when its model has been loaded. A run that
    this very call made and that cannot be worked on is removed again: a mistyped base must not
    leave a folder behind that refuses the corrected config.
    """
    go_offline_if_local(config)
    notes = [*check_servers(config), *check_workers(config)]
    from ddl_train.session import open_session
    from ddl_train.storage.create import is_run
    from ddl_train.storage.run import Run

    run_dir = config.run_dir
    is_new = not is_run(run_dir)
    try:
        with stoppable(run_dir) as stop, Run.propose(config, pack_dir=pack_dir) as run:
            for note in notes:
                say(note)
            with open_session(run, should_stop=stop) as session:
                for key, before, after in run.changes:
                    say(f"{key} was {before!r} and is {after!r} from here on")
                try:
                    yield session
                finally:
                    _say_notes(session)
    except DdlTrainError:
        if is_new and is_run(run_dir) and not _has_dreamt(run_dir):
            shutil.rmtree(run_dir)
        raise


@contextmanager
def take_up(run_dir: Path) -> "Iterator[Session]":
    """Take up a run as it is, and load its model."""
    from ddl_train.storage.run import Run

    with stoppable(run_dir) as stop, Run.open(run_dir) as run:
        go_offline_if_local(run.config)
        from ddl_train.session import open_session

        with open_session(run, should_stop=stop) as session:
            try:
                yield session
            finally:
                _say_notes(session)


def _say_notes(session: "Session") -> None:
    """What the engine has found out about this machine, a line each; of a CPU what is new."""
    for note in session.engine.room.notes:
        say(note)
    batching = session.engine.found.get("batching")
    if batching and batching["device"] != "cpu":
        say(f"texts are written in {batching['kind']} batches: {batching['because']}")


def _has_dreamt(run_dir: Path) -> bool:
    from ddl_train.storage.run import Run

    with Run.read(run_dir) as run:
        return run.database.execute("SELECT 1 FROM pairs LIMIT 1").fetchone() is not None
