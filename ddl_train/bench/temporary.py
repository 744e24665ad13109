"""A run that is gone when the measurement is over."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ddl_train.config import Config
from ddl_train.roles.prompts import load_pack
from ddl_train.session import Session, open_session
from ddl_train.storage.run import Run


@contextmanager
def temporary_run(config: Config) -> Iterator[Run]:
    """An empty run of one cycle with a config's settings; no model is loaded."""
    with tempfile.TemporaryDirectory(prefix="ddl-bench-") as folder:
        config = config.model_copy(update={"checkpoints_dir": folder, "num_cycles": 1})
        with Run.create(config, pack_dir=load_pack(config.wake.prompts).dir) as run:
            yield run


@contextmanager
def temporary_session(config: Config) -> Iterator[Session]:
    """The same with its model and memory in hand."""
    with temporary_run(config) as run, open_session(run) as session:
        yield session
