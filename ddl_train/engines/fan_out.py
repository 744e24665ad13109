"""Fan work items out to workers that may die, and gather the answers in order.

Whoever is free gets the next chunk. A lost worker's chunk goes to another, and a new worker is
started in its place, so often and no more. One that is silent for too long shares its chunk with
another: whichever answers first is heard, and the other's answer is dropped by its key. So is what
comes late for a call that is over.

Nothing here knows Ray: a `Crew` starts workers, passes chunks on, and says what has happened.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from ddl_train.config import WorkersConfig
from ddl_train.engines.chunks import Answer, Chunk, Key
from ddl_train.engines.server_client import SAVED
from ddl_train.errors import WorkerError

MAX_DEATHS = 3
"""Workers that one chunk may cost before it is taken for the cause."""
_LOOK_S = 1.0
"""How often silent workers are looked for."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A worker has its model and waits for work."""

    worker: str


@dataclass(frozen=True, slots=True)
class Answered:
    worker: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker raised what would have been raised here: it is no loss, and no other does better."""

    worker: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Lost:
    worker: str
    reason: str


Event = Joined | Answered | Failed | Lost


class Crew(Protocol):
    """Workers, wherever they are, known by name."""

    def hire(self) -> str:
        """Start one more; its name. It is `Joined` once it is ready, or `Failed`, or `Lost`."""
        ...

    def give(self, worker: str, chunk: Chunk) -> None:
        """Have a worker answer a chunk; it must have nothing else to do."""
        ...

    def give_up(self, worker: str) -> None:
        """End a worker. Nothing more is heard of it."""
        ...

    def wait(self, timeout_s: float) -> Event | None:
        """The next thing that happens, or has happened; None when nothing does for so long."""
        ...


@dataclass(slots=True)
class _Task:
    """What a worker is at."""

    chunk: Chunk
    since: float
    is_shared: bool = False


class FanOut:
    """Hands chunks to a crew and keeps it at strength."""

    def __init__(
        self,
        crew: Crew,
        config: WorkersConfig,
        *,
        num_workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start so many workers; no one is waited for yet."""
        self.num_lost = 0
        self.num_duplicates = 0
        self.num_workers = num_workers
        self._crew = crew
        self._config = config
        self._clock = clock
        self._restarts_left = config.max_restarts
        self._reason = ""
        self._idle: list[str] = []
        self._busy: dict[str, _Task] = {}
        self._coming: dict[str, float] = {}
        for _ in range(num_workers):
            self._hire()

    @property
    def num_alive(self) -> int:
        """Workers with a model in memory."""
        return len(self._idle) + len(self._busy)

    def ready(self) -> None:
        """Wait for a first worker.

        Raises:
            WorkerError: there is none within `start_timeout_s`.
            DdlTrainError: a worker cannot load the model.
        """
        while not self.num_alive:
            self._check_strength()
            self._note(self._crew.wait(_LOOK_S), {}, set())

    def run(self, chunks: Sequence[Chunk]) -> list[Answer]:
        """Have every chunk of one call answered; the answers in order.

        Raises:
            WorkerError: no worker is left, or one chunk after another lost its workers.
            DdlTrainError: what an engine refuses, in its own words.
        """
        answers: dict[Key, Answer] = {}
        owed = {chunk.key for chunk in chunks}
        deaths: Counter[Key] = Counter()
        waiting = deque(chunks)
        while len(answers) < len(chunks):
            waiting.extendleft(self._share_overdue(owed - answers.keys()))
            self._hand_out(waiting, answers.keys())
            self._check_strength()
            lost = self._note(self._crew.wait(_LOOK_S), answers, owed)
            if lost is None or lost.key not in owed - answers.keys():
                continue
            deaths[lost.key] += 1
            if deaths[lost.key] >= MAX_DEATHS:
                raise self._culprit(lost)
            if not self._is_under_way(lost.key):
                waiting.appendleft(lost)
        return [answers[chunk.key] for chunk in chunks]

    def _hand_out(self, waiting: deque[Chunk], done: Set[Key]) -> None:
        while waiting and self._idle:
            chunk = waiting.popleft()
            if chunk.key not in done:
                worker = self._idle.pop(0)
                self._busy[worker] = _Task(chunk, self._clock())
                self._crew.give(worker, chunk)

    def _note(
        self, event: Event | None, answers: dict[Key, Answer], owed: Set[Key]
    ) -> Chunk | None:
        """Take an event in; the chunk that a lost worker was at."""
        if event is None:
            return None
        task = self._busy.pop(event.worker, None)
        match event:
            case Joined(worker):
                del self._coming[worker]
                self._idle.append(worker)
            case Answered(worker, answer):
                self._idle.append(worker)
                if answer.key in owed and answer.key not in answers:
                    answers[answer.key] = answer
                else:
                    self.num_duplicates += 1
            case Failed(worker, error):
                if task is None:
                    del self._coming[worker]
                    raise error
                self._idle.append(worker)
                if task.chunk.key in owed:
                    raise error
            case Lost(worker, reason):
                self._lose(worker, reason)
                return None if task is None else task.chunk
        return None

    def _lose(self, worker: str, reason: str) -> None:
        self.num_lost += 1
        self._reason = reason
        self._coming.pop(worker, None)
        if worker in self._idle:
            self._idle.remove(worker)
        if self._restarts_left:
            self._restarts_left -= 1
            self._hire()

    def _hire(self) -> None:
        self._coming[self._crew.hire()] = self._clock()

    def _share_overdue(self, missing: Set[Key]) -> list[Chunk]:
        """Chunks of silent workers, for others to answer as well; who stays silent is given up."""
        patience, now = self._config.timeout_s, self._clock()
        again = []
        for worker, task in list(self._busy.items()):
            silent = now - task.since
            if silent > 2 * patience:
                del self._busy[worker]
                self._crew.give_up(worker)
                self._lose(worker, f"it gave no answer in {silent:.0f} s (wake.workers.timeout_s)")
                if not self._is_under_way(task.chunk.key):
                    again.append(task.chunk)
            elif silent > patience and not task.is_shared:
                task.is_shared = True
                again.append(task.chunk)
        return [chunk for chunk in again if chunk.key in missing]

    def _is_under_way(self, key: Key) -> bool:
        return any(task.chunk.key == key for task in self._busy.values())

    def _check_strength(self) -> None:
        """At least one worker is there, or may yet come."""
        if self.num_alive:
            return
        if not self._coming:
            raise WorkerError(
                f"wake.workers: all {self.num_workers} workers and {self._config.max_restarts} "
                f"started in their place are lost, the last because {self._reason}; {SAVED}"
            )
        waited = self._clock() - max(self._coming.values())
        if waited > self._config.start_timeout_s:
            why = f", and the last one was lost because {self._reason}" if self._reason else ""
            raise WorkerError(
                f"wake.workers: no worker was ready within {self._config.start_timeout_s:g} s{why}; "
                "the cluster may be busy (`ray status` on its head), or raise "
                f"wake.workers.start_timeout_s; {SAVED}"
            )

    def _culprit(self, chunk: Chunk) -> WorkerError:
        key = chunk.key
        return WorkerError(
            f"wake.workers: {MAX_DEATHS} workers were lost over the same {key.stop - key.start} "
            f"prompts ({chunk.method}), the last because {self._reason}; a smaller "
            f"wake.workers.chunk_size or model.batch_size needs less memory; {SAVED}"
        )
