"""A student comes nearer to its teacher, on-policy and offline, and leaves both bases as they were."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ddl_train.config import DistillConfig, ModelConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import Interrupted
from ddl_train.records import BASE, Continuation, TrainingRow
from ddl_train.training.distill_cross import can_cross
from ddl_train.training.distill_lesson import Lesson, Teacher
from ddl_train.training.distill_offline import train_offline
from ddl_train.training.distill_onpolicy import shared_view, train_on_policy
from ddl_train.training.distill_student import make_student
from ddl_train.training.lora import train_lora
from ddl_train.training.running import TrainedAdapter
from tests.tiny import make_tiny, make_tokenizer
from tests.training.nights import quick, some_rows, tiny_engine

CONFIG = DistillConfig(
    num_prompts=24,
    per_device_train_batch_size=4,
    learning_rate=1e-2,
    warmup_steps=0,
    max_new_tokens=8,
    save_steps=2,
)
SLEEP = quick(r=2, lora_alpha=4, lora_dropout=0.0)
PROMPTS = [
    TrainingRow(prompt=row.prompt, completion="", origin="study")
    for row in some_rows()
    for _ in "ab"
]
ANSWERS = [Continuation(prompt=row.prompt, continuation=row.completion) for row in some_rows()]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def teacher(engine: TransformersEngine, tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    """Knows ten facts by heart."""
    night = train_lora(
        engine,
        some_rows(),
        quick(num_train_epochs=25, lora_dropout=0.0, save_steps=1000),
        out_dir=tmp_path_factory.mktemp("night"),
        seed=1,
    )
    assert night.dir is not None
    engine.load_adapter("teacher", night.dir)
    return Teacher(engine=engine, version="teacher", dir=night.dir)


def weights(made: TrainedAdapter) -> bytes:
    assert made.dir is not None, made.failed_because
    return (made.dir / "adapter_model.safetensors").read_bytes()


def knows(engine: TransformersEngine, adapter: str) -> float:
    """Mean log-likelihood of the facts."""
    found, _ = engine.loglikelihood(ANSWERS, adapter=adapter)
    return sum(one.mean for one in found) / len(found)


def lesson(engine: TransformersEngine, teacher: Teacher, out_dir: Path, **changes: Any) -> Lesson:
    one = Lesson(
        student=engine,
        teacher=teacher,
        rows=PROMPTS,
        config=CONFIG,
        sleep=SLEEP,
        out_dir=out_dir,
        seed=1,
    )
    return replace(one, **changes)


def on_policy(
    engine: TransformersEngine, teacher: Teacher, out_dir: Path, **changes: Any
) -> TrainedAdapter:
    return train_on_policy(lesson(engine, teacher, out_dir, seed=3, **changes))


def state(engine: TransformersEngine) -> dict[str, torch.Tensor]:
    with engine.lend_base() as base:
        return {name: tensor.clone() for name, tensor in base.state_dict().items()}


@pytest.fixture(scope="module")
def made(
    engine: TransformersEngine, teacher: Teacher, tmp_path_factory: pytest.TempPathFactory
) -> TrainedAdapter:
    return on_policy(engine, teacher, tmp_path_factory.mktemp("student") / "one")


def test_a_student_learns_on_policy_what_its_teacher_knows(
    engine: TransformersEngine, teacher: Teacher, made: TrainedAdapter
) -> None:
    assert made.dir is not None
    engine.load_adapter("student", made.dir)
    assert knows(engine, "teacher") > knows(engine, "student") > knows(engine, BASE)
    assert made.metrics["num_steps"] == 5
    engine.unload_adapter("student")


def test_the_shared_base_is_bitwise_as_it_was_and_so_are_its_answers(
    engine: TransformersEngine, teacher: Teacher, tmp_path: Path
) -> None:
    before, base, said = state(engine), knows(engine, BASE), knows(engine, "teacher")
    with engine.lend_base() as model:
        settings = (model.generation_config, model.config.to_dict(), model.config.use_cache)
    on_policy(engine, teacher, tmp_path / "again")
    after = state(engine)
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (knows(engine, BASE), knows(engine, "teacher")) == (base, said)
    with engine.lend_base() as model:
        assert model.generation_config is settings[0]
        assert (model.config.to_dict(), model.config.use_cache) == settings[1:]
        assert "forward" not in model.__dict__


def test_the_same_prompts_and_seed_give_the_same_bytes(
    engine: TransformersEngine, teacher: Teacher, made: TrainedAdapter, tmp_path: Path
) -> None:
    torch.rand(3)  # the state of the global generator has no say
    assert weights(on_policy(engine, teacher, tmp_path / "again")) == weights(made)


def test_a_student_that_was_stopped_goes_on_to_the_same_bytes(
    engine: TransformersEngine, teacher: Teacher, made: TrainedAdapter, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        on_policy(engine, teacher, tmp_path / "stopped", should_stop=_after(3))
    resumed = on_policy(engine, teacher, tmp_path / "stopped")
    assert weights(resumed) == weights(made)
    assert resumed.usage.num_tokens == made.usage.num_tokens


def test_a_student_that_is_done_is_not_trained_again(
    engine: TransformersEngine, teacher: Teacher, made: TrainedAdapter
) -> None:
    assert made.dir is not None
    told = Told()
    again = on_policy(engine, teacher, made.dir.parent, progress=told)
    assert (again.dir, told.stages) == (made.dir, [])


class Told:
    """A `Progress` that keeps name, count and total of every stage."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator["Stage"]:
        self.stages.append(Stage(name, total))
        yield self.stages[-1]


@dataclass
class Stage:
    name: str
    total: int | None
    num_done: int = 0

    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        self.num_done += n
        self.total = total or self.total


def test_each_training_of_a_new_student_is_a_stage_of_its_own_that_ends_at_its_total(
    teacher: Teacher, tmp_path: Path
) -> None:
    make_tiny(tmp_path / "small", seed=5, hidden_size=16)
    small = load_engine(ModelConfig(base=str(tmp_path / "small"), device="cpu", batch_size=8))
    told = Told()
    make_student(
        lesson(small, teacher, tmp_path / "student", progress=told), rank=2, is_offline=False
    )
    assert [one.name for one in told.stages] == [
        "teacher answers",
        "distil offline",
        "distil on-policy",
    ]
    assert [one.num_done for one in told.stages] == [one.total for one in told.stages]
    assert told.stages[0].total == len({row.prompt for row in PROMPTS})


def test_a_teacher_is_a_second_tree_over_the_same_weights(engine: TransformersEngine) -> None:
    with engine.lend_base() as base:
        view = shared_view(base)
        pairs = zip(base.parameters(), view.parameters(), strict=True)
        assert all(one is other for one, other in pairs)
        assert view is not base
        assert not {id(one) for one in base.modules()} & {id(one) for one in view.modules()}


def test_a_student_on_another_base_learns_and_both_bases_stay(
    teacher: Teacher, tmp_path: Path
) -> None:
    make_tiny(tmp_path / "small", seed=5, hidden_size=16)
    small = load_engine(ModelConfig(base=str(tmp_path / "small"), device="cpu", batch_size=8))
    before = state(small), state(teacher.engine)
    grown = CONFIG.model_copy(update={"learning_rate": 3e-2})
    student, _ = make_student(
        lesson(small, teacher, tmp_path / "student", rows=PROMPTS * 4, config=grown),
        rank=4,
        is_offline=False,
    )
    assert student.dir is not None
    small.load_adapter("student", student.dir)
    assert knows(small, "student") > knows(small, BASE)
    for was, engine in zip(before, (small, teacher.engine), strict=True):
        now = state(engine)
        assert all(torch.equal(was[name], now[name]) for name in was)


def test_a_student_of_another_tokenizer_is_taught_and_resumed_alike(
    teacher: Teacher, tmp_path: Path
) -> None:
    make_tiny(tmp_path / "small", seed=5, hidden_size=16)
    tokenizer = make_tokenizer()
    assert tokenizer.add_tokens(["qqqq"]) == 1
    tokenizer.save_pretrained(tmp_path / "small")
    small = load_engine(ModelConfig(base=str(tmp_path / "small"), device="cpu", batch_size=8))
    assert can_cross(small, teacher.engine)
    before = state(small), state(teacher.engine)
    whole = on_policy(small, teacher, tmp_path / "whole")
    with pytest.raises(Interrupted):
        on_policy(small, teacher, tmp_path / "stopped", should_stop=_after(3))
    resumed = on_policy(small, teacher, tmp_path / "stopped")
    assert weights(resumed) == weights(whole)
    assert resumed.usage.num_tokens == whole.usage.num_tokens > whole.usage.num_prompt_tokens
    for was, engine in zip(before, (small, teacher.engine), strict=True):
        now = state(engine)
        assert all(torch.equal(was[name], now[name]) for name in was)


def test_an_offline_student_is_taught_the_teachers_finished_answers(
    engine: TransformersEngine, teacher: Teacher, tmp_path: Path
) -> None:
    strange = TrainingRow(prompt="tell all that there is to tell", completion="", origin="wake")
    made = train_offline(
        lesson(engine, teacher, tmp_path / "offline", rows=[*PROMPTS * 3, strange])
    )
    assert made.dir is not None
    engine.load_adapter("offline", made.dir)
    assert knows(engine, "offline") > knows(engine, BASE)
    engine.unload_adapter("offline")
    finished = len(PROMPTS) // 2 + 1 - int(made.metrics["num_unfinished"])
    assert 10 <= finished <= 11
    assert made.metrics["num_rows"] in (60, 61)


def test_without_prompts_the_student_is_the_cut(teacher: Teacher, tmp_path: Path) -> None:
    made, notes = make_student(
        lesson(teacher.engine, teacher, tmp_path / "cut", rows=[]), rank=2, is_offline=False
    )
    assert made.dir is not None
    assert notes[0].startswith("rank 2 holds ")
    teacher.engine.load_adapter("cut", made.dir)
    assert knows(teacher.engine, "cut") > knows(teacher.engine, BASE)
    teacher.engine.unload_adapter("cut")


def _after(num_calls: int) -> Callable[[], bool]:
    """A wish to stop that comes at one call."""
    left = iter(range(num_calls, -1, -1))
    return lambda: next(left, 0) == 0
