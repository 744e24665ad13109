"""A session: a run with its memory and its model in hand, each loaded once.

Everything that `cycle.py` and the command line need of a run stands here, wired and nothing more.
Memory's embedder, the generator and the critic share one engine, so the base is loaded once.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ddl_train.config import Config
from ddl_train.engines.embedders import load_embedder
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Critic, Embedder, Generator
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.generator import ModelGenerator
from ddl_train.roles.prompts import PromptPack, load_pack
from ddl_train.storage.run import Run


def never() -> bool:
    """The answer of a run that nobody asks to stop."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A run that can be worked on."""

    run: Run
    memory: Memory
    engine: TransformersEngine
    embedder: Embedder
    pack: PromptPack
    generator: Generator
    critic: Critic
    should_stop: Callable[[], bool] = never
    """Asked between batches and training steps; True saves and stops."""

    @property
    def config(self) -> Config:
        return self.run.config

    def use(self, version: str) -> str:
        """Make an adapter known to the engine, and return its name; `base` needs nothing."""
        if version != BASE and version not in self.engine.adapters:
            adapter = self.run.adapter(version)
            self.engine.load_adapter(version, adapter.path, base_sha256=adapter.base_sha256)
        return version

    def seed(self, *parts: str | int) -> int:
        """A seed for one purpose of this run, stable across resumes."""
        text = "/".join(str(part) for part in (self.config.seed, *parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@contextmanager
def open_run(config: Config, *, should_stop: Callable[[], bool] = never) -> Iterator[Session]:
    """Create the run of a config, or take it up again, and load its model.

    Args:
        config: from `load_config`.
        should_stop: asked between batches and training steps; True saves and raises Interrupted.

    Raises:
        DdlTrainError: in one sentence, whatever is wrong with the config, the sources, the model
            or the run directory.
    """
    pack_dir = load_pack(config.wake.prompts).dir
    with (
        Run.create(config, pack_dir=pack_dir) as run,
        open_session(run, should_stop=should_stop) as session,
    ):
        yield session


@contextmanager
def open_session(
    run: Run, *, critic: Critic | None = None, should_stop: Callable[[], bool] = never
) -> Iterator[Session]:
    """Load the model of a run and open its memory.

    Args:
        run: open for writing.
        critic: judges instead of the model; an oracle, a server, a fake.
        should_stop: asked between batches and training steps.
    """
    config = run.config
    engine = load_engine(config.model)
    pack = load_pack(run.prompts_dir)
    embedder = load_embedder(config.memory.embedder, engine)
    memory = Memory(run, embedder)
    session = Session(
        run=run,
        memory=memory,
        engine=engine,
        embedder=embedder,
        pack=pack,
        generator=ModelGenerator(engine, pack, config.wake),
        critic=critic or LogitCritic(engine, pack, config.wake),
        should_stop=should_stop,
    )
    try:
        yield session
    finally:
        memory.close()
