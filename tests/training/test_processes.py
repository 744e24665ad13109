"""A night in two gloo processes under torchrun is the night of one process, whatever happens to it."""

import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from safetensors.torch import load_file
from torch import distributed

from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ConfigError, ResourceError
from ddl_train.training import processes, rank
from ddl_train.training.encoding import IGNORED, encode_rows
from ddl_train.training.lora import train_lora
from ddl_train.training.processes import accelerate_file, check_launch, is_sharded, train_apart
from ddl_train.training.running import TrainedAdapter
from ddl_train.training.shares import in_steps, shared
from ddl_train.training.task import FAILURE, OUTCOME, TASK, Desk, Outcome, Task
from ddl_train.training.trainer import count_steps
from tests.training.nights import quick, some_rows, tiny_engine

ON_CPU = ModelConfig(base="tiny", device="cpu")


def two(**changes: object) -> SleepConfig:
    """Batches of 4, of which the last of each epoch is half empty; no dropout."""
    return quick(**{"per_device_train_batch_size": 4, "lora_dropout": 0.0} | changes)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


def task_of(engine: TransformersEngine, config: SleepConfig, night_dir: Path) -> Task:
    return Task(
        out_dir=night_dir,
        model=engine.config,
        config=config,
        encoded=encode_rows(some_rows(), engine.chat, max_length=512),
        seed=7,
        start_from=None,
        resume_from=None,
        is_sharded=False,
        base=engine.name,
        base_sha256=engine.base_sha256,
        revision=None,
    )


def largest_difference(first: TrainedAdapter, second: TrainedAdapter) -> float:
    assert first.dir and second.dir
    a, b = (load_file(one.dir / "adapter_model.safetensors") for one in (first, second) if one.dir)
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_end_as_one_does(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    alone = train_lora(engine, some_rows(), two(), out_dir=tmp_path / "alone", seed=7)
    apart, told = two(num_processes=2), list[int]()

    def night(**more: object) -> TrainedAdapter:
        told.clear()
        where = tmp_path / "apart"
        return train_lora(engine, some_rows(), apart, out_dir=where, seed=7, **more)  # type: ignore[arg-type]

    def tell(num_new: int, total: int) -> None:
        told.append(num_new)
        assert total == alone.metrics["num_steps"]

    def kill_one(num_new: int, total: int) -> None:
        tell(num_new, total)
        if sum(told) == 4:
            launcher = psutil.Process().children()[-1]
            launcher.children()[1].send_signal(signal.SIGKILL)

    with pytest.raises(ResourceError, match=r"killed by SIGKILL .* saved up to step \d") as caught:
        night(progress=kill_one)
    assert "\n" not in str(caught.value)
    resumed = night(progress=tell)
    saved, total = int(str(caught.value).split("up to step ")[1][0]), alone.metrics["num_steps"]
    assert saved >= 3  # save_steps
    assert (told == []) if saved == total else (told[0] > saved and sum(told) == total)
    assert resumed.metrics["num_steps"] == alone.metrics["num_steps"]
    for name in ("loss_first", "loss_last"):
        assert resumed.metrics[name] == pytest.approx(alone.metrics[name], abs=1e-5)
    assert largest_difference(resumed, alone) < 1e-4
    assert [path.name for path in (tmp_path / "apart" / "trainer").iterdir()] == []


def test_a_wish_to_stop_reaches_the_processes_as_a_file(
    engine: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    outcome = Outcome(saved=None, was_stopped=True, failed_because=None, metrics={})
    said = OUTCOME.dump_json(outcome).decode()
    child = f"until [ -e {desk.stop} ]; do sleep 0.05; done; echo '{said}' >{desk.outcome}"
    monkeypatch.setattr(processes, "_command", lambda task: ["sh", "-c", child])
    task = task_of(engine, two(num_processes=2), tmp_path)
    assert train_apart(task, progress=None, should_stop=lambda: True) == outcome


def test_the_processes_hear_of_the_wish_to_stop_from_the_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.folder.mkdir()
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/met", rank=0, world_size=1
    )
    try:
        should_stop = rank._listener(desk, on_cpu=True)
        assert not should_stop()
        desk.stop.touch()
        assert should_stop()
    finally:
        distributed.destroy_process_group()


def test_a_launcher_that_starts_one_process_of_two_is_noticed(
    engine: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    desk.folder.mkdir()
    desk.task.write_bytes(TASK.dump_json(task_of(engine, two(num_processes=2), tmp_path)))
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ResourceError, match="num_processes is 2, and the launcher started 1"):
        rank.main(tmp_path)
    assert FAILURE.validate_json(desk.failure(0).read_bytes()).kind == "ResourceError"


def test_what_a_process_says_of_its_end_is_raised_by_its_parent(
    engine: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"kind": "ConfigError", "sentence": "no such layer", "traceback": "", "at": 1.0}'
    path = Desk(tmp_path).failure(1)
    monkeypatch.setattr(processes, "_command", lambda task: ["sh", "-c", f"echo '{said}' >{path}"])
    with pytest.raises(ConfigError, match="no such layer"):
        train_apart(
            task_of(engine, two(num_processes=2), tmp_path), progress=None, should_stop=None
        )


@pytest.mark.parametrize(
    ("batch", "accumulation", "num", "expected"),
    [(8, 1, 2, (4, 1)), (8, 4, 2, (8, 2)), (8, 4, 8, (4, 1)), (4, 6, 8, (1, 3)), (3, 2, 6, (1, 1))],
)
def test_accumulation_is_divided_before_the_batch(
    batch: int, accumulation: int, num: int, expected: tuple[int, int]
) -> None:
    config = quick(
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        num_processes=num,
    )
    one = shared(config)
    assert (one.per_device_train_batch_size, one.gradient_accumulation_steps) == expected
    assert one.per_device_train_batch_size * one.gradient_accumulation_steps * num == (
        config.rows_per_step
    )


@pytest.mark.parametrize(
    ("padding_free", "expected"), [(True, 15.0), (False, 30.0)], ids=["joined", "padded"]
)
def test_noise_is_that_of_one_process_where_a_batch_is_one_sequence(
    padding_free: bool, expected: float
) -> None:
    config = quick(
        neftune_noise_alpha=30,
        padding_free=padding_free,
        per_device_train_batch_size=16,
        num_processes=4,
    )
    assert shared(config).neftune_noise_alpha == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"per_device_train_batch_size": 8, "num_processes": 3}, "does not divide the 8 rows"),
        ({"packing": True, "num_processes": 2}, "does not divide the 1 packs"),
        ({"accelerate_config": "fsdp2"}, "num_processes is 1"),
    ],
)
def test_what_cannot_be_shared_evenly_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        quick(**changes)


def test_every_epoch_is_filled_up_with_rows_that_teach_nothing() -> None:
    rows = Dataset.from_dict({"input_ids": [[n, n] for n in range(6)], "labels": [[1, 1]] * 6})
    config = two(num_processes=2, num_train_epochs=2)
    steps = count_steps(len(rows), config)
    ordered = in_steps(rows, config, num_steps=steps, seed=3)
    trained = [row["input_ids"][0] for row in ordered if row["labels"] == [1, 1]]
    assert (steps, len(ordered)) == (4, 16)
    assert sorted(trained[:6]) == sorted(trained[6:]) == list(range(6))
    assert trained[:6] != trained[6:]
    assert all(row["labels"] == [IGNORED, IGNORED] for row in [*ordered][6:8])


@pytest.mark.parametrize("name", ["ddp", "fsdp2"])
def test_the_shipped_accelerate_configs_have_only_keys_that_accelerate_knows(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    values = load_config_from_file(str(accelerate_file(name)))  # unknown keys are an error
    known = {action.dest for action in launch_command_parser()._actions}
    assert set(values.fsdp_config) <= known
    assert values.num_machines == 1


def test_fsdp2_on_a_cpu_is_refused_since_it_would_be_ddp() -> None:
    with pytest.raises(ConfigError, match="would silently be DDP"):
        is_sharded(two(num_processes=2, accelerate_config="fsdp2"), ON_CPU)


def test_fsdp2_that_became_something_else_is_noticed_in_each_process(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    task = task_of(engine, two(num_processes=2, accelerate_config="fsdp2"), tmp_path)
    with pytest.raises(ResourceError, match="asks for FSDP2, and accelerate made NO of it"):
        rank.check_is_sharded(replace(task, is_sharded=True), Accelerator())
    rank.check_is_sharded(task, Accelerator())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("distributed_type: DEEPSPEED\n", "asks for DEEPSPEED"),
        ("distributed_type: FSDP\nfsdp_config: {fsdp_version: 1}\n", "FSDP version 1"),
        ("distributed_type: MULTI_GPU\nnum_machines: 2\n", "several machines"),
        ("distributed_type: MULTI_GPU\nfsdp_versoin: 2\n", "is no file of `accelerate config`"),
    ],
)
def test_accelerate_configs_that_are_not_covered_are_refused(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"compute_environment: LOCAL_MACHINE\nuse_cpu: false\ndebug: false\n{text}")
    with pytest.raises(ConfigError, match=sentence):
        is_sharded(two(num_processes=2, accelerate_config=str(path)), ON_CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_base_put_aside_frees_the_device_and_comes_back_as_it_was(
    engine: TransformersEngine,
) -> None:
    on_gpu = load_engine(engine.config.model_copy(update={"device": "cuda"}))
    with on_gpu.lend_base() as base:
        before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
        with processes.aside(base):
            assert base.device.type == "cpu"
        assert base.device.type == "cuda"
        after = base.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_run_that_is_itself_launched_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ConfigError, match="start it without a launcher"):
        check_launch(two(), ON_CPU)
