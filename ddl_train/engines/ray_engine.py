"""An engine on many machines: what wake asks is cut up, fanned out and put together again.

Implements `records.Engine`. Texts and scores are those of the local engine: the random numbers of a
text come from the seed and its place in the call, not from who writes it. Hidden states and losses
of plain texts stay with the local engine.

In `Usage`, seconds are those of all workers together.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl_train.config import WorkersConfig
from ddl_train.engines.chunks import Answer, Chunk, cut
from ddl_train.engines.fan_out import FanOut
from ddl_train.engines.ray_cluster import Cluster, check_ray
from ddl_train.engines.ray_crew import RayCrew
from ddl_train.engines.ray_worker import Terms, read_adapter, software
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import (
    BASE,
    Completion,
    Continuation,
    FloatArray,
    JsonObject,
    Likelihood,
    Sampling,
    TextLoss,
    Usage,
)

ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


class RayEngine:
    """A local engine and its likes on the nodes of a cluster."""

    def __init__(self, local: TransformersEngine, config: WorkersConfig) -> None:
        """Nothing is reached yet.

        Raises:
            ResourceError: the `ray` extra is not installed.
        """
        check_ray()
        self.name = local.name
        self.config = config
        self._local = local
        self._cluster: Cluster | None = None
        self._crew: RayCrew | None = None
        self._fan_out: FanOut | None = None
        self._hashes: dict[str, str] = {}
        self._num_calls = 0
        self._facts: JsonObject = {}

    def meet(self) -> None:
        """Join the cluster and wait for a first worker, once.

        Raises:
            WorkerError: no cluster, no room, or no worker that is like this machine.
        """
        if self._fan_out is not None:
            return
        self._cluster = Cluster(self.config)
        room = self._cluster.room(self._local.config)
        self._crew = RayCrew(self._cluster, room, self._terms())
        self._fan_out = FanOut(self._crew, self.config, num_workers=room.num_workers)
        self._facts = {"address": room.address, "num_nodes": room.num_nodes}
        self._fan_out.ready()

    @property
    def facts(self) -> JsonObject:
        """Where the workers are, how many there were to be, and what became of them."""
        if self._fan_out is None:
            return {}
        return self._facts | {
            "num_workers": self._fan_out.num_workers,
            "num_alive": self._fan_out.num_alive,
            "num_lost": self._fan_out.num_lost,
            "num_duplicates": self._fan_out.num_duplicates,
        }

    @property
    def losses(self) -> JsonObject:
        """What is to be said while work goes on: how many workers there are, once one was lost."""
        if self._fan_out is None or not self._fan_out.num_lost:
            return {}
        return {"workers": f"{self._fan_out.num_alive} of {self._fan_out.num_workers}"}

    def close(self) -> None:
        """End the workers and leave the cluster."""
        if self._cluster is not None:
            self._cluster.close()
        self._cluster = self._crew = self._fan_out = None

    def ship_adapter(self, version: str) -> None:
        """Have workers dream with an adapter that the local engine has."""
        self.meet()
        assert self._crew is not None
        adapter = read_adapter(self._local.adapters.path_of(version), _ADAPTER_FILES)
        self._crew.ship(adapter)
        self._hashes[version] = adapter.sha256

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        """Complete each prompt, in order."""
        answers, usage = self._ask(
            "generate",
            prompts,
            text=str,
            adapter=adapter,
            options={"sampling": sampling, "seed": seed},
        )
        return [one for answer in answers for one in answer.results], usage

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        """Score each continuation, in order."""
        answers, usage = self._ask(
            "loglikelihood", items, text=lambda item: item.prompt + item.given, adapter=adapter
        )
        return [one for answer in answers for one in answer.results], usage

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        """Probability of each integer low..high as the whole answer, [n, high-low+1]."""
        answers, usage = self._ask(
            "integer_distribution",
            prompts,
            text=str,
            adapter=adapter,
            options={"low": low, "high": high},
        )
        nothing = np.zeros((0, high - low + 1), dtype=np.float32)
        return np.concatenate([nothing, *(answer.results for answer in answers)]), usage

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Of the local engine."""
        return self._local.hidden_states(texts)

    def text_loss(self, texts: Sequence[str], *, adapter: str) -> tuple[list[TextLoss], Usage]:
        """Of the local engine."""
        return self._local.text_loss(texts, adapter=adapter)

    def _ask(
        self,
        method: str,
        items: Sequence[Any],
        *,
        text: Callable[[Any], str],
        adapter: str,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[list[Answer], Usage]:
        if not items:
            return [], Usage()
        self.meet()
        if adapter != BASE and adapter not in self._hashes:
            self.ship_adapter(adapter)
        assert self._fan_out is not None
        self._num_calls += 1
        share = -(-len(items) // self._fan_out.num_workers)
        size = self.config.chunk_size or min(share, self._local.config.batch_size)
        chunks = [
            Chunk(
                key=key,
                method=method,
                items=tuple(piece),
                options={**(options or {}), **_place(method, key.start)},
                adapter=self._hashes.get(adapter, BASE),
            )
            for key, piece in cut(items, call=self._num_calls, size=size, text=text)
        ]
        answers = self._fan_out.run(chunks)
        return answers, sum((answer.usage for answer in answers), Usage())

    def _terms(self) -> Terms:
        model = self._local.config
        path = Path(model.base)
        own = {"base": str(path.resolve())} if path.is_dir() else {"revision": self._local.revision}
        offline = {name: os.environ[name] for name in ("HF_HUB_OFFLINE",) if name in os.environ}
        return Terms(
            model=model.model_copy(update=own),
            base_sha256=self._local.base_sha256,
            software=software(),
            environment=ENVIRONMENT | offline,
        )


def _place(method: str, start: int) -> dict[str, int]:
    """Where a chunk begins, for what draws random numbers by place."""
    return {"first_place": start} if method == "generate" else {}
