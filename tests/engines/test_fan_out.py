"""Work goes to whoever is free, outlives its workers, and comes back once and in order."""

from collections import deque
from collections.abc import Callable, Sequence

import pytest

from ddl_train.config import WorkersConfig
from ddl_train.engines.chunks import Answer, Chunk, Key, cut
from ddl_train.engines.fan_out import Answered, Event, Failed, FanOut, Joined, Lost
from ddl_train.errors import ModelError, WorkerError
from ddl_train.records import Usage

Behaviour = Callable[[str, Chunk], Sequence[Event]]


def reply(worker: str, chunk: Chunk) -> Answered:
    return Answered(worker, Answer(key=chunk.key, results=list(chunk.items), usage=Usage()))


def does_its_work(worker: str, chunk: Chunk) -> Sequence[Event]:
    return [reply(worker, chunk)]


class ScriptedCrew:
    """Workers that do what a function says; each look at them takes a second of its own clock."""

    def __init__(self, behave: Behaviour = does_its_work) -> None:
        self.behave = behave
        self.seconds = 0.0
        self.given: list[tuple[str, Key]] = []
        self.ended: list[str] = []
        self.events: deque[Event] = deque()
        self._num_hired = 0

    def clock(self) -> float:
        return self.seconds

    def hire(self) -> str:
        self._num_hired += 1
        name = "abcdefgh"[self._num_hired - 1]
        self.events.append(Joined(name))
        return name

    def give(self, worker: str, chunk: Chunk) -> None:
        self.given.append((worker, chunk.key))
        self.events.extend(self.behave(worker, chunk))

    def give_up(self, worker: str) -> None:
        self.ended.append(worker)

    def wait(self, timeout_s: float) -> Event | None:
        self.seconds += timeout_s
        return self.events.popleft() if self.events else None


def fan_out(crew: ScriptedCrew, num_workers: int = 2, **config: float) -> FanOut:
    settings = WorkersConfig.model_validate({"address": "ray", "timeout_s": 10, **config})
    return FanOut(crew, settings, num_workers=num_workers, clock=crew.clock)


def chunks(num: int, *, call: int = 1) -> list[Chunk]:
    return [
        Chunk(key=key, method="generate", items=items)
        for key, items in cut("abcdefgh"[:num], call=call, size=1, text=str)
    ]


def results(answers: Sequence[Answer]) -> str:
    return "".join(item for answer in answers for item in answer.results)


def dies(*workers: str) -> Behaviour:
    def behave(worker: str, chunk: Chunk) -> Sequence[Event]:
        return [Lost(worker, "it was killed")] if worker in workers else [reply(worker, chunk)]

    return behave


def test_answers_come_back_in_order_whoever_is_first() -> None:
    crew = ScriptedCrew()
    late: list[Event] = []

    def slow_first(worker: str, chunk: Chunk) -> Sequence[Event]:
        if chunk.key.start == 0:
            late.append(reply(worker, chunk))
            return []
        return [reply(worker, chunk), *late] if chunk.key.start == 3 else [reply(worker, chunk)]

    crew.behave = slow_first
    assert results(fan_out(crew).run(chunks(4))) == "abcd"


def test_what_a_lost_worker_held_goes_to_another() -> None:
    crew = ScriptedCrew(dies("a"))
    work = fan_out(crew)
    assert results(work.run(chunks(4))) == "abcd"
    assert crew.given[0] == ("a", Key(1, 0, 1))
    assert [worker for worker, key in crew.given if key == Key(1, 0, 1)][1:] in (["b"], ["c"])
    assert (work.num_lost, work.num_workers) == (1, 2)


def test_a_lost_worker_is_replaced_so_often_and_no_more() -> None:
    crew = ScriptedCrew(dies("a", "b", "c"))
    with pytest.raises(WorkerError, match=r"all 2 workers and 1 started in their place are lost"):
        fan_out(crew, max_restarts=1).run(chunks(8))
    assert {worker for worker, _ in crew.given} == {"a", "b", "c"}


def test_a_chunk_that_kills_whoever_takes_it_is_named() -> None:
    crew = ScriptedCrew()

    def behave(worker: str, chunk: Chunk) -> Sequence[Event]:
        kills = chunk.key.start == 1
        return [Lost(worker, "out of memory")] if kills else [reply(worker, chunk)]

    crew.behave = behave
    with pytest.raises(WorkerError, match="3 workers were lost over the same 1 prompts"):
        fan_out(crew, max_restarts=9, num_workers=3).run(chunks(4))


def test_a_silent_worker_shares_its_chunk_and_its_late_answer_is_dropped() -> None:
    crew = ScriptedCrew()
    held: list[Event] = []

    def behave(worker: str, chunk: Chunk) -> Sequence[Event]:
        if worker == "a" and not held:
            held.append(reply(worker, chunk))
            return []
        return [reply(worker, chunk)]

    crew.behave = behave
    work = fan_out(crew)
    assert results(work.run(chunks(3))) == "abc"
    assert crew.given[-1] == ("b", Key(1, 0, 1))
    assert crew.seconds > 10
    crew.events.extend(held)
    assert results(work.run(chunks(2, call=2))) == "ab"
    assert (work.num_duplicates, work.num_lost) == (1, 0)


def test_who_stays_silent_is_given_up() -> None:
    crew = ScriptedCrew(lambda worker, chunk: [] if worker == "a" else [reply(worker, chunk)])
    work = fan_out(crew, num_workers=1)
    assert results(work.run(chunks(2))) == "ab"
    assert (crew.ended, work.num_lost) == (["a"], 1)


def test_the_same_answer_twice_counts_once() -> None:
    crew = ScriptedCrew(lambda worker, chunk: [reply(worker, chunk)])
    work = fan_out(crew, num_workers=1)
    work.run(chunks(1))
    crew.behave = lambda worker, chunk: [reply(worker, chunks(1)[0]), reply(worker, chunk)]
    assert results(work.run(chunks(2, call=2))) == "ab"
    assert work.num_duplicates >= 1


def test_what_an_engine_refuses_is_said_in_its_own_words_and_costs_no_worker() -> None:
    crew = ScriptedCrew(lambda worker, chunk: [Failed(worker, ModelError("too long"))])
    work = fan_out(crew)
    with pytest.raises(ModelError, match=r"^too long$"):
        work.run(chunks(2))
    crew.behave = does_its_work
    assert results(work.run(chunks(2, call=2))) == "ab"
    assert (work.num_lost, work.num_alive) == (0, 2)


def test_no_worker_in_time_is_one_sentence() -> None:
    crew = ScriptedCrew()
    work = fan_out(crew, start_timeout_s=5)
    crew.events.clear()
    with pytest.raises(WorkerError, match="no worker was ready within 5 s"):
        work.ready()


@pytest.mark.parametrize(
    ("texts", "size", "starts"),
    [
        (["a1", "a2", "b1", "b2", "c1", "c2"], 2, [0, 2, 4]),
        (["a1", "a2", "a3", "b1", "b2", "b3"], 4, [0, 3]),  # a family is not torn apart
        (["x", "x", "x"], 2, [0, 2]),
        (["x"], 9, [0]),
        ([], 3, []),
    ],
)
def test_a_call_is_cut_where_neighbours_have_little_in_common(
    texts: list[str], size: int, starts: list[int]
) -> None:
    pieces = cut(texts, call=1, size=size, text=str)
    assert [key.start for key, _ in pieces] == starts
    assert [text for _, piece in pieces for text in piece] == texts
