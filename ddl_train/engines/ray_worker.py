"""What runs on a node of a cluster: one engine, which answers chunks. Nothing is written there.

An adapter comes as bytes under its content hash; a worker holds the newest only.
"""

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import ddl_train
from ddl_train.config import ModelConfig
from ddl_train.engines.chunks import Answer, Chunk
from ddl_train.errors import DdlTrainError, WorkerError
from ddl_train.records import BASE

if TYPE_CHECKING:
    from ddl_train.engines.transformers_engine import TransformersEngine

PACKAGES = ("torch", "transformers", "peft")
"""Of other versions texts may differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a worker must be like, as the coordinator is."""

    model: ModelConfig
    base_sha256: str
    software: Mapping[str, str]
    environment: Mapping[str, str]
    """Variables that a worker sets where its node does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterFiles:
    """An adapter on its way."""

    sha256: str
    files: Mapping[str, bytes]


def read_adapter(path: Path, names: Sequence[str]) -> AdapterFiles:
    """The files of an adapter, and the hash of their names and contents."""
    files = {name: (path / name).read_bytes() for name in names}
    return AdapterFiles(sha256=_sha256(files), files=files)


@cache
def software() -> dict[str, str]:
    """Versions of what decides which text a seed gives; ddl-train by its source."""
    digest = hashlib.sha256()
    root = Path(ddl_train.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    own = {"ddl-train": f"{ddl_train.__version__} (source {digest.hexdigest()[:8]})"}
    return own | {name: version(name).partition("+")[0] for name in PACKAGES}


class Worker:
    """An engine that answers chunks; an actor of Ray."""

    def __init__(self, terms: Terms) -> None:
        """Nothing is loaded yet."""
        for name, value in terms.environment.items():
            os.environ.setdefault(name, value)
        self._terms = terms
        self._engine: TransformersEngine | None = None
        self._folder: TemporaryDirectory[str] | None = None

    def load(self) -> None:
        """Load the base.

        Raises:
            WorkerError: this node has other software, no such base, or another one of its name.
        """
        there = platform.node()
        wanted, mine = self._terms.software, software()
        for name, expected in wanted.items():
            if mine[name] != expected:
                raise WorkerError(
                    f"wake.workers: node {there} has {name} {mine[name]} and this machine "
                    f"{expected}; install the same there, or texts would differ"
                )
        from ddl_train.engines.transformers_engine import load_engine

        try:
            engine = load_engine(self._terms.model)
        except DdlTrainError as error:
            raise WorkerError(
                f"wake.workers: node {there} cannot load the base: {error} (each node needs it at "
                "the same path, or model.base is a Hub id)"
            ) from None
        if engine.base_sha256 != self._terms.base_sha256:
            raise WorkerError(
                f"wake.workers: node {there} has another base at {self._terms.model.base} "
                f"(fingerprint {engine.base_sha256[:12]}, here {self._terms.base_sha256[:12]}); "
                "copy the run's base there"
            )
        self._engine = engine

    def answer(self, chunk: Chunk, adapter: Sequence[Any]) -> Answer:
        """Ask the engine.

        Args:
            chunk: what is asked.
            adapter: a reference to the `AdapterFiles` that it is answered with, fetched only where
                this worker lacks them; nothing for the base.
        """
        if chunk.adapter not in (BASE, *self.adapters):
            import ray

            self.take(ray.get(adapter[0]), chunk.adapter)
        ask = getattr(self._loaded(), chunk.method)
        results, usage = ask(chunk.items, adapter=chunk.adapter, **chunk.options)
        return Answer(key=chunk.key, results=results, usage=usage)

    def take(self, adapter: AdapterFiles, sha256: str) -> None:
        """Load an adapter in place of the one before.

        Raises:
            WorkerError: it is not the one with this hash.
            AdapterError: it is not for this base.
        """
        if _sha256(adapter.files) != sha256:
            raise WorkerError(
                f"wake.workers: adapter {sha256[:16]} reached node {platform.node()} damaged"
            )
        engine = self._loaded()
        for old in self.adapters:
            engine.unload_adapter(old)
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = TemporaryDirectory(prefix="ddl-train-adapter-")
        for name, content in adapter.files.items():
            (Path(self._folder.name) / name).write_bytes(content)
        engine.load_adapter(sha256, Path(self._folder.name))

    @property
    def adapters(self) -> list[str]:
        """Hashes of the adapters in memory, one at most."""
        return list(self._loaded().adapters)

    def _loaded(self) -> "TransformersEngine":
        assert self._engine is not None, "a worker gets work after it has loaded its base"
        return self._engine


def _sha256(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}:{len(files[name])};".encode() + files[name])
    return digest.hexdigest()
