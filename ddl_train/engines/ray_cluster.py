"""A Ray cluster: reach it, see what it has room for, leave it as it was.

`ray://` goes through the Ray Client, so that this machine need not be a node, and a head that dies
is an error like any other. A node of the cluster (`auto`, `HOST:6379`) talks to it directly, which
is what Ray's documentation prefers for long work; there Ray itself ends the process, with a line of
its own, when the head has been gone for a minute. What a run has written is kept in either case.
"""

import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddl_train.config import ModelConfig, WorkersConfig
from ddl_train.errors import ResourceError, WorkerError

if TYPE_CHECKING:
    from types import ModuleType

WHERE = "wake.workers"
_QUIET = {"log_to_driver": False, "logging_level": "critical"}
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of answers that nobody waits for any more
}
_KNOCK_S = 10.0
_TRIES = 3
_BUSY = ("Starting Ray client server failed", "connection timeout")


def check_ray() -> None:
    """Look for the library.

    Raises:
        ResourceError: the `ray` extra is not installed.
    """
    if find_spec("ray") is None:
        raise ResourceError(f"{WHERE} needs the package ray; install `ddl-train[ray]`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a cluster has for workers."""

    address: str
    num_nodes: int
    num_cpus: float
    num_gpus: float
    num_workers: int
    """That are to be started."""
    cpus_each: float
    gpus_each: float

    def words(self) -> str:
        """For people: `2 workers (1 CPU each) on 3 nodes of ray://head:10001`."""
        each = [f"{self.cpus_each:g} CPU", f"{self.gpus_each:g} GPU" if self.gpus_each else ""]
        workers = "1 worker" if self.num_workers == 1 else f"{self.num_workers} workers"
        nodes = "1 node" if self.num_nodes == 1 else f"{self.num_nodes} nodes"
        return f"{workers} ({', '.join(filter(None, each))} each) on {nodes} of {self.address}"


class Cluster:
    """A connection to a cluster; a context, which ends what it began."""

    def __init__(self, config: WorkersConfig) -> None:
        """Connect.

        Raises:
            ResourceError: the `ray` extra is not installed.
            WorkerError: no cluster answers there, or it is of another version.
        """
        check_ray()
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self.config = config
        with _undisturbed():
            import ray

            self.ray: ModuleType = ray
            self._is_ours = not ray.is_initialized()
            if self._is_ours:  # deaths are ours to tell of, and standard output is the user's
                ray._private.worker._worker_logs_enabled = False
            self.address = _connect(ray, config.address) if self._is_ours else config.address

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; its actors of this connection end with it."""
        if self._is_ours and self.ray.is_initialized():
            with _undisturbed():
                self.ray.shutdown()

    def room(self, model: ModelConfig) -> Room:
        """How many workers of which size are to be started.

        Raises:
            WorkerError: the cluster is too small for them.
        """
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        has_gpus = any(node.get("GPU", 0) for node in nodes) and model.device != "cpu"
        gpus = self.config.num_gpus if self.config.num_gpus is not None else float(has_gpus)
        cpus = self.config.num_cpus
        places = [_places(node, cpus, gpus) for node in nodes]
        wanted = self.config.num_workers
        if wanted is None:
            wanted = sum(places) if gpus else sum(map(bool, places))
        room = Room(
            address=self.address,
            num_nodes=len(nodes),
            num_cpus=sum(node.get("CPU", 0) for node in nodes),
            num_gpus=sum(node.get("GPU", 0) for node in nodes),
            num_workers=max(1, wanted),
            cpus_each=cpus,
            gpus_each=gpus,
        )
        if sum(places) < room.num_workers:
            raise WorkerError(
                f"{WHERE}: {room.words()} were asked for, and the cluster "
                f"({room.num_cpus:g} CPUs, {room.num_gpus:g} GPUs) has place for {sum(places)}; "
                f"lower {WHERE}.num_workers, num_cpus or num_gpus, or add nodes"
            )
        return room


def _places(node: dict[str, float], cpus: float, gpus: float) -> int:
    by_cpu = int(node.get("CPU", 0) // cpus)
    return min(by_cpu, int(node.get("GPU", 0) // gpus)) if gpus else by_cpu


def _connect(ray: Any, address: str) -> str:
    """Join a cluster, in silence; which one it was.

    Raises:
        WorkerError: it cannot be joined.
    """
    found = _where_it_runs() if address in ("ray", "auto") else address
    try:
        if address == "ray" and (found is None or not _answers(found)):
            ray.init("local", include_dashboard=False, **_QUIET)
            return "this machine"
        if found is not None and not _answers(found):
            raise ConnectionError("nothing listens there")
        _join(ray, found or address)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        hint = "is this machine a node of it (`ray start`), and the head up?"
        if "://" in (found or address):
            hint = "is the head up, with the Ray Client's port, and of the same Ray and Python?"
        raise WorkerError(
            f"{WHERE}: the Ray cluster at {found or address} cannot be joined "
            f"({last_line(error)}); {hint}"
        ) from None
    return found or str(ray.get_runtime_context().gcs_address)


def _join(ray: Any, address: str) -> None:
    """Once more where a busy head took too long to start what serves this client."""
    for attempt in range(_TRIES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address, **_QUIET)
            return
        except (ConnectionError, RuntimeError) as error:
            if attempt == _TRIES - 1 or not any(sign in str(error) for sign in _BUSY):
                raise


def _where_it_runs() -> str | None:
    """Address of the cluster that this machine is a node of, as `ray start` has left it."""
    if told := os.environ.get("RAY_ADDRESS"):
        return told
    file = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
    return file.read_text(encoding="utf-8").strip() or None if file.is_file() else None


def _answers(address: str) -> bool:
    """Whether anything listens there; Ray itself takes a minute to find out, and is loud."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except OSError:
        return False
    return True


def last_line(error: BaseException) -> str:
    """The end of a message, which in Ray's says the most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300].rstrip(".")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ray takes SIGTERM and the handler of uncaught exceptions for itself; they are put back."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    hook = sys.excepthook
    try:
        yield
    finally:
        sys.excepthook = hook
        if is_main:
            signal.signal(signal.SIGTERM, before)
