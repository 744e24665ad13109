"""Workers as actors of Ray: start them, pass chunks on, and tell a death from an error.

Actors are not restarted by Ray and calls not retried: calls that wait for a restart stay with their
actor, and others stand idle. `FanOut` starts new ones and hands their work to whoever is free.
"""

from typing import Any

from ddl_train.engines.chunks import Chunk
from ddl_train.engines.fan_out import Answered, Event, Failed, Joined, Lost
from ddl_train.engines.ray_cluster import WHERE, Cluster, Room, last_line
from ddl_train.engines.ray_worker import AdapterFiles, Terms, Worker
from ddl_train.engines.server_client import SAVED
from ddl_train.errors import WorkerError
from ddl_train.records import BASE


class RayCrew:
    """Implements `fan_out.Crew`."""

    def __init__(self, cluster: Cluster, room: Room, terms: Terms) -> None:
        """No worker is started yet."""
        self._cluster = cluster
        self._ray: Any = cluster.ray
        self._terms = terms
        self._make = self._ray.remote(Worker).options(
            num_cpus=room.cpus_each,
            num_gpus=room.gpus_each,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._actors: dict[str, Any] = {}
        self._waiting: dict[Any, tuple[str, bool]] = {}
        """Result to come -> worker, and whether it is an answer (or the end of loading)."""
        self._adapter: tuple[str, Any] = (BASE, None)
        self._num_hired = 0

    def ship(self, adapter: AdapterFiles) -> None:
        """Put an adapter where every node can fetch it; the one before is dropped."""
        if adapter.sha256 != self._adapter[0]:
            self._adapter = (adapter.sha256, self._talk(lambda: self._ray.put(adapter)))

    def hire(self) -> str:
        """Start a worker and have it load its base; its name."""
        self._num_hired += 1
        name = f"worker {self._num_hired}"
        actor = self._talk(lambda: self._make.remote(self._terms))
        self._actors[name] = actor
        self._waiting[self._talk(actor.load.remote)] = (name, False)
        return name

    def give(self, worker: str, chunk: Chunk) -> None:
        """Have a worker answer a chunk."""
        sha256, reference = self._adapter
        assert chunk.adapter in (BASE, sha256), "an adapter is shipped before it is used"
        shipped = [] if chunk.adapter == BASE else [reference]
        actor = self._actors[worker]
        self._waiting[self._talk(lambda: actor.answer.remote(chunk, shipped))] = (worker, True)

    def give_up(self, worker: str) -> None:
        """End a worker. Nothing more is heard of it."""
        actor = self._actors.pop(worker)
        self._waiting = {ref: who for ref, who in self._waiting.items() if who[0] != worker}
        self._talk(lambda: self._ray.kill(actor))

    def wait(self, timeout_s: float) -> Event | None:
        """The next thing that happens, or has happened."""
        refs = list(self._waiting)
        ready, _ = self._talk(lambda: self._ray.wait(refs, num_returns=1, timeout=timeout_s))
        return self._read(ready[0]) if ready else None

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._actors):
            self.give_up(worker)

    def _read(self, ref: Any) -> Event:
        worker, is_answer = self._waiting.pop(ref)
        exceptions = self._ray.exceptions
        try:
            result = self._talk(lambda: self._ray.get(ref))
        except exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            cause.__cause__ = None if cause is error else error
            return Failed(worker, cause)
        except exceptions.RayError as error:
            if missing := _missing_package(error):
                return Failed(worker, missing)
            self.give_up(worker)
            return Lost(worker, _why(error))
        return Answered(worker, result) if is_answer else Joined(worker)

    def _talk(self, call: Any) -> Any:
        """Call Ray.

        Raises:
            WorkerError: the cluster itself is gone.
        """
        try:
            return call()
        except ConnectionError as error:
            raise WorkerError(
                f"{WHERE}: the Ray cluster at {self._cluster.address} is gone "
                f"({last_line(error)}); {SAVED}"
            ) from None


def _missing_package(error: Exception) -> WorkerError | None:
    """A worker that cannot be made at all: its node lacks what it is made of."""
    lines = [line for line in str(error).splitlines() if line.startswith("ModuleNotFoundError")]
    if not lines:
        return None
    return WorkerError(
        f"{WHERE}: a node of the cluster lacks what a worker is made of ({lines[-1]}); install "
        "ddl-train[ray] there, in the Python that runs Ray"
    )


def _why(error: Exception) -> str:
    """Ray's reason for a death, in one line."""
    text = " ".join(str(error).split())
    for known, reason in _REASONS.items():
        if known in text:
            return reason
    return last_line(error)


_REASONS = {
    "node has died": "its node died",
    "node died": "its node died",
    "running low on memory": "its node ran out of memory",
    "SIGKILL": "its process was killed (the system does so when memory runs out)",
    "worker process has died": "its process ended (killed, or crashed)",
}
