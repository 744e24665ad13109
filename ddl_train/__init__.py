"""A day and a night for an open-weights language model: daydream, sleep, evaluate, promote.

    from ddl_train import load_config, open_run, run_cycles

    with open_run(load_config("configs/quickstart.yaml", ["num_cycles=2"])) as session:
        run_cycles(session)

Each stage can be called by itself with a session (`ddl_train.cycle`), or without one
(`ddl_train.wake`, `sleep`, `evaluate`, `promote`); the records that flow are in
`ddl_train.records`, and what is stored is read with `ddl_train.storage.run.Run`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddl_train.config import load_config
    from ddl_train.cycle import run_cycles
    from ddl_train.session import open_run

__version__ = "0.1.0"
__all__ = ["load_config", "open_run", "run_cycles"]


def __getattr__(name: str) -> Any:
    """What takes time to import is imported when it is asked for."""
    if name == "load_config":
        from ddl_train.config import load_config

        return load_config
    if name == "run_cycles":
        from ddl_train.cycle import run_cycles

        return run_cycles
    if name == "open_run":
        from ddl_train.session import open_run

        return open_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
