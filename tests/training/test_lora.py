"""A night trains what it should, the same to the byte, and leaves the base as it was."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ddl_train.config import ModelConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ConfigError, Interrupted
from ddl_train.records import BASE, Continuation, TrainingRow
from ddl_train.training.lora import train_lora
from ddl_train.training.rows_apart import attend_rows_apart
from ddl_train.training.running import TrainedAdapter
from ddl_train.training.trainer import warmup_steps
from tests.tiny import make_tiny
from tests.training.nights import quick, some_rows, tiny_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def night(engine: TransformersEngine, tmp_path_factory: pytest.TempPathFactory) -> TrainedAdapter:
    """One uninterrupted night, to compare others with."""
    return train_lora(
        engine, some_rows(), quick(), out_dir=tmp_path_factory.mktemp("nights") / "one", seed=7
    )


def weights(trained: TrainedAdapter) -> bytes:
    assert trained.dir is not None, trained.failed_because
    return (trained.dir / "adapter_model.safetensors").read_bytes()


def figures(trained: TrainedAdapter) -> dict[str, float]:
    """Metrics but for those that are times."""
    return {key: value for key, value in trained.metrics.items() if not key.endswith("_seconds")}


def test_a_night_leaves_two_files_that_name_their_base(
    engine: TransformersEngine, night: TrainedAdapter
) -> None:
    assert night.dir is not None
    assert sorted(path.name for path in night.dir.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((night.dir / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == engine.name
    assert config["revision"] == engine.revision
    assert list((night.dir.parent / "trainer").iterdir()) == []


def test_the_same_rows_and_seed_give_the_same_bytes(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path
) -> None:
    torch.rand(3)  # the state of the global generator has no say
    again = train_lora(engine, some_rows(), quick(), out_dir=tmp_path, seed=7)
    other = train_lora(engine, some_rows(), quick(), out_dir=tmp_path / "other", seed=8)
    assert weights(again) == weights(night)
    assert weights(other) != weights(night)


def test_nights_leave_the_base_bitwise_unchanged_and_unpatched(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    question = [Continuation(prompt="what may zorol 3 relieve?", continuation="miritis 9")]
    with engine.lend_base() as base:
        before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    said, _ = engine.loglikelihood(question, adapter=BASE)
    for number in range(2):
        train_lora(engine, some_rows(4), quick(), out_dir=tmp_path / str(number), seed=number)
    with engine.lend_base() as base:
        after = base.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert "forward" not in base.__dict__
        assert not any(parameter.requires_grad for parameter in base.parameters())
    assert engine.loglikelihood(question, adapter=BASE)[0] == said


def test_what_was_trained_has_become_likelier(engine: TransformersEngine, tmp_path: Path) -> None:
    trained = train_lora(engine, some_rows(), quick(num_train_epochs=4), out_dir=tmp_path, seed=1)
    assert trained.dir is not None
    engine.load_adapter("night", trained.dir)
    questions = [
        Continuation(prompt=row.prompt, continuation=row.completion) for row in some_rows()
    ]
    before, _ = engine.loglikelihood(questions, adapter=BASE)
    after, _ = engine.loglikelihood(questions, adapter="night")
    engine.unload_adapter("night")
    assert sum(one.mean for one in after) > sum(one.mean for one in before)
    assert trained.metrics["loss_last"] < trained.metrics["loss_first"]


def test_a_night_of_one_step_changes_the_weights(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    one_step = quick(num_train_epochs=1, per_device_train_batch_size=2, warmup_steps=5)
    trained = train_lora(engine, some_rows(2), one_step, out_dir=tmp_path, seed=7)
    assert trained.metrics["num_steps"] == 1
    assert trained.dir is not None
    tensors = load_file(trained.dir / "adapter_model.safetensors")
    assert all(tensor.any() for name, tensor in tensors.items() if "lora_B" in name)


@pytest.mark.parametrize(
    ("num_steps", "expected"), [(1, 0), (9, 0), (10, 1), (49, 4), (50, 5), (80, 5), (9000, 5)]
)
def test_warmup_takes_at_most_a_tenth_of_a_night(num_steps: int, expected: int) -> None:
    assert warmup_steps(num_steps, quick(warmup_steps=5)) == expected


@pytest.mark.parametrize("stop_at", [1, 3, 7])
def test_a_stopped_night_goes_on_as_if_nothing_had_happened(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path, stop_at: int
) -> None:
    told: list[int] = []
    with pytest.raises(Interrupted):
        train_lora(
            engine,
            some_rows(),
            quick(),
            out_dir=tmp_path,
            seed=7,
            progress=lambda n, total: told.append(n),
            should_stop=lambda: sum(told) >= stop_at,
        )
    assert sum(told) == stop_at
    told.clear()
    resumed = train_lora(
        engine,
        some_rows(),
        quick(),
        out_dir=tmp_path,
        seed=7,
        progress=lambda n, total: told.append(n),
    )
    assert told[0] == stop_at + 1
    assert sum(told) == 10
    assert weights(resumed) == weights(night)
    assert figures(resumed) == figures(night)


def test_seconds_are_of_the_whole_night_however_often_it_was_stopped(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path
) -> None:
    def stop_slowly() -> bool:
        time.sleep(1)
        return True

    for _ in range(2):
        with pytest.raises(Interrupted):
            train_lora(
                engine, some_rows(), quick(), out_dir=tmp_path, seed=7, should_stop=stop_slowly
            )
    resumed = train_lora(engine, some_rows(), quick(), out_dir=tmp_path, seed=7)
    assert resumed.metrics["earlier_seconds"] > 2
    assert resumed.usage.seconds > 2 + resumed.metrics["train_seconds"]
    assert resumed.usage.num_tokens == night.usage.num_tokens
    assert night.metrics["earlier_seconds"] == 0


def test_a_noisy_night_is_another_one_and_goes_on_as_if_nothing_had_happened(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path
) -> None:
    noisy = quick(neftune_noise_alpha=5)
    whole = train_lora(engine, some_rows(), noisy, out_dir=tmp_path / "whole", seed=7)
    told: list[int] = []
    with pytest.raises(Interrupted):
        train_lora(
            engine,
            some_rows(),
            noisy,
            out_dir=tmp_path / "stopped",
            seed=7,
            progress=lambda n, total: told.append(n),
            should_stop=lambda: sum(told) >= 4,
        )
    resumed = train_lora(engine, some_rows(), noisy, out_dir=tmp_path / "stopped", seed=7)
    assert weights(resumed) == weights(whole) != weights(night)


def test_noise_is_taken_off_the_embeddings_whatever_ends_the_night(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    class Broken(Exception):
        pass

    def break_down() -> bool:
        raise Broken

    with pytest.raises(Broken):
        train_lora(
            engine,
            some_rows(),
            quick(neftune_noise_alpha=5),
            out_dir=tmp_path,
            seed=7,
            should_stop=break_down,
        )
    with engine.lend_base() as base:
        assert not base.get_input_embeddings()._forward_hooks


def test_a_half_written_checkpoint_is_not_resumed(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path
) -> None:
    steps: list[int] = []
    with pytest.raises(Interrupted):
        train_lora(
            engine,
            some_rows(),
            quick(),
            out_dir=tmp_path,
            seed=7,
            progress=lambda n, total: steps.append(n),
            should_stop=lambda: sum(steps) >= 5,
        )
    # without this file the Trainer would go on in silence with a fresh optimizer
    (tmp_path / "trainer" / "checkpoint-5" / "optimizer.pt").unlink()
    resumed = train_lora(engine, some_rows(), quick(), out_dir=tmp_path, seed=7)
    assert weights(resumed) == weights(night)


def test_a_checkpoint_of_another_night_is_never_resumed(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path
) -> None:
    steps: list[int] = []
    with pytest.raises(Interrupted):
        train_lora(
            engine,
            some_rows(8),
            quick(),
            out_dir=tmp_path,
            seed=7,
            progress=lambda n, total: steps.append(n),
            should_stop=lambda: sum(steps) >= 5,
        )
    other = train_lora(engine, some_rows(), quick(), out_dir=tmp_path, seed=7)
    assert weights(other) == weights(night)


@pytest.mark.slow
@pytest.mark.parametrize(("when", "resumes_at"), [("step", 4), ("saving", 4), ("marker", None)])
def test_a_killed_night_equals_an_uninterrupted_one(
    engine: TransformersEngine,
    night: TrainedAdapter,
    tmp_path: Path,
    when: str,
    resumes_at: int | None,
) -> None:
    killed = subprocess.run(
        [sys.executable, "-m", "tests.training.killed_night", engine.name, str(tmp_path), when],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    told: list[int] = []
    resumed = train_lora(
        engine,
        some_rows(),
        quick(),
        out_dir=tmp_path,
        seed=7,
        progress=lambda n, total: told.append(n),
    )
    assert weights(resumed) == weights(night)
    assert figures(resumed) == figures(night)
    assert (told[0] if told else None) == resumes_at


def test_a_finished_night_is_not_trained_again(engine: TransformersEngine, tmp_path: Path) -> None:
    first = train_lora(engine, some_rows(4), quick(), out_dir=tmp_path, seed=1)
    steps: list[int] = []
    again = train_lora(
        engine,
        some_rows(4),
        quick(),
        out_dir=tmp_path,
        seed=1,
        progress=lambda n, total: steps.append(n),
    )
    assert steps == []
    assert again == first


def test_a_night_can_continue_an_adapter(
    engine: TransformersEngine, night: TrainedAdapter, tmp_path: Path
) -> None:
    kept = weights(night)
    more = train_lora(
        engine,
        some_rows(4),
        quick(method="continue", learning_rate=1e-5),
        out_dir=tmp_path,
        seed=1,
        start_from=night.dir,
    )
    fresh = train_lora(
        engine,
        some_rows(4),
        quick(method="continue", learning_rate=1e-5),
        out_dir=tmp_path / "fresh",
        seed=1,
    )
    assert weights(night) == kept
    assert weights(more) != kept
    assert more.metrics["loss_first"] < fresh.metrics["loss_first"]


def test_a_loss_that_is_no_number_fails_the_night_and_says_so(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    wild = quick(learning_rate=1e38, max_grad_norm=1e38, warmup_steps=0)
    trained = train_lora(engine, some_rows(), wild, out_dir=tmp_path, seed=1)
    assert trained.dir is None
    assert trained.failed_because is not None
    assert "at step" in trained.failed_because
    assert not (tmp_path / "adapter").exists()


def test_rows_that_are_too_long_are_left_out_and_counted(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    long = TrainingRow(prompt="why? " * 200, completion="so", origin="new")
    some = train_lora(engine, [*some_rows(4), long], quick(), out_dir=tmp_path, seed=1)
    none = train_lora(engine, [long], quick(), out_dir=tmp_path / "none", seed=1)
    assert some.metrics["num_too_long"] == 1
    assert some.metrics["num_rows"] == 4
    assert none.dir is None
    assert none.failed_because is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_modules": ["nonsense"]}, "sleep.target_modules is .'nonsense'"),
        ({"target_modules": ["lm_head"]}, "sleep.target_modules is .'lm_head'"),
        ({"report_to": ["papyrus"]}, "sleep.report_to is .'papyrus'"),
    ],
)
def test_what_the_config_names_must_exist(
    engine: TransformersEngine, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train_lora(engine, some_rows(4), quick(**change), out_dir=tmp_path, seed=1)
    assert train_lora(engine, some_rows(4), quick(), out_dir=tmp_path, seed=1).dir is not None


def test_a_night_without_rows_is_our_bug(engine: TransformersEngine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        train_lora(engine, [], quick(), out_dir=tmp_path, seed=1)


@pytest.mark.parametrize(
    "change",
    [
        {"packing": True, "max_length": 2048},
        {"padding_free": True, "per_device_train_batch_size": 16},
    ],
)
def test_rows_in_one_sequence_have_the_same_loss(
    engine: TransformersEngine, tmp_path: Path, change: dict[str, Any]
) -> None:
    still = {"learning_rate": 1e-9, "lora_dropout": 0.0, "num_train_epochs": 1}
    padded = train_lora(
        engine,
        some_rows(),
        quick(**still, per_device_train_batch_size=16),
        out_dir=tmp_path / "padded",
        seed=1,
    )
    packed = train_lora(
        engine,
        some_rows(),
        quick(**still, **change),
        out_dir=tmp_path / "packed",
        seed=1,
    )
    assert packed.metrics["num_steps"] == padded.metrics["num_steps"] == 1
    assert math.isclose(packed.metrics["loss_first"], padded.metrics["loss_first"], abs_tol=1e-4)


@pytest.mark.parametrize(("padding_free", "num_layers"), [(True, 2), (False, 0)])
def test_rows_of_a_joined_batch_are_attended_to_apart(
    engine: TransformersEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    padding_free: bool,
    num_layers: int,
) -> None:
    seen = []

    def attend(*args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return attend_rows_apart(*args, **kwargs)

    monkeypatch.setattr("ddl_train.training.rows_apart.attend_rows_apart", attend)
    config = quick(padding_free=padding_free, num_train_epochs=1, per_device_train_batch_size=16)
    train_lora(engine, some_rows(), config, out_dir=tmp_path, seed=1)
    assert len(seen) == num_layers


def test_checkpointing_of_activations_changes_nothing_but_memory(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    plain = train_lora(engine, some_rows(4), quick(), out_dir=tmp_path / "plain", seed=1)
    thrifty = train_lora(
        engine, some_rows(4), quick(gradient_checkpointing=True), out_dir=tmp_path / "gc", seed=1
    )
    assert math.isclose(plain.metrics["loss_last"], thrifty.metrics["loss_last"], rel_tol=1e-4)


def test_a_base_in_bfloat16_can_be_trained(tmp_path: Path) -> None:
    engine = load_engine(
        ModelConfig(base=str(make_tiny(tmp_path / "tiny")), device="cpu", dtype="bfloat16")
    )
    trained = train_lora(engine, some_rows(4), quick(), out_dir=tmp_path / "night", seed=1)
    assert trained.failed_because is None


def test_the_logs_of_an_integration_outlive_the_night(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    config = quick(num_train_epochs=1, report_to=["tensorboard"])
    train_lora(engine, some_rows(4), config, out_dir=tmp_path, seed=1)
    assert list(tmp_path.glob("trainer/runs/*/events.*"))


def test_tokens_and_flops_are_of_the_whole_night(
    engine: TransformersEngine, night: TrainedAdapter
) -> None:
    rows = some_rows()
    read = sum(len(engine.chat.prompt_ids(row.prompt)) for row in rows)
    trained = sum(len(engine.chat.completion_ids(row.completion)) for row in rows)
    assert night.usage.num_prompt_tokens == 2 * read
    assert night.usage.num_completion_tokens == 2 * trained
    assert night.usage.flops == 4 * engine.num_parameters * 2 * (read + trained)
