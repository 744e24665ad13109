"""Continuous batching: what static batches say, with adapters, and nothing left behind."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ddl_train.config import ModelConfig, parse_config
from ddl_train.engines.batching import Kind, choose_batching
from ddl_train.engines.continuous import check_knobs
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ConfigError, ModelError
from ddl_train.records import BASE, Sampling, Stopping
from tests.engines.test_adapters import make_adapter

PROMPTS = [f"note {'long ' * (number % 4)}{number}" for number in range(6)]
GREEDY = Sampling(max_new_tokens=6)
CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module")
def paged(tiny_dir: Path) -> TransformersEngine:
    config = ModelConfig(base=str(tiny_dir), device="cpu", batch_size=4, batching="continuous")
    engine = load_engine(config)
    engine.settle_batching(PROMPTS, sampling=GREEDY, adapter=BASE)
    return engine


def texts(engine: TransformersEngine, sampling: Sampling, adapter: str = BASE) -> list[str]:
    found, _ = engine.generate(PROMPTS, sampling=sampling, adapter=adapter, seed=0)
    return [completion.text for completion in found]


def test_greedy_answers_are_those_of_static_batches_with_and_without_an_adapter(
    paged: TransformersEngine, engine: TransformersEngine, tiny_dir: Path, tmp_path: Path
) -> None:
    folder = make_adapter(tiny_dir, tmp_path / "adapter", seed=3)
    for one in (paged, engine):
        one.load_adapter("continuous", folder)
    for adapter in ("continuous", BASE):
        assert texts(paged, GREEDY, adapter) == texts(engine, GREEDY, adapter)
    assert texts(paged, GREEDY, "continuous") != texts(paged, GREEDY)


def test_nothing_is_left_behind(paged: TransformersEngine) -> None:
    before = threading.active_count()
    texts(paged, GREEDY)
    assert paged._base.config._attn_implementation == "sdpa"
    assert threading.active_count() == before
    assert not hasattr(paged._base, "_cached_continuous_batching_manager")


def test_min_p_is_applied(paged: TransformersEngine) -> None:
    hot = Sampling(max_new_tokens=6, temperature=5.0)
    assert texts(paged, replace(hot, min_p=1.0)) == texts(paged, GREEDY)
    assert texts(paged, hot) != texts(paged, GREEDY)


def test_a_word_and_a_loop_end_an_answer_there_too(
    paged: TransformersEngine, engine: TransformersEngine
) -> None:
    word = texts(engine, GREEDY)[0][:2]
    never = Stopping(max_repeats=2, patience=3)
    sampling = Sampling(max_new_tokens=24, stop_after=word, stopping=never)
    static, _ = engine.generate(PROMPTS, sampling=sampling, adapter=BASE, seed=0)
    found, _ = paged.generate(PROMPTS, sampling=sampling, adapter=BASE, seed=0)
    assert found == static
    assert any(one.is_finished and one.num_completion_tokens < 24 for one in found)


def test_an_end_by_likelihood_is_refused(paged: TransformersEngine) -> None:
    hopeless = replace(GREEDY, stopping=Stopping(min_mean_logprob=-2.0))
    with pytest.raises(ModelError, match=r"min_mean_logprob .* set `model\.batching: static`"):
        texts(paged, hopeless)


def test_a_knob_that_would_be_dropped_is_an_error() -> None:
    class Processors:
        logits_processor = ()

    class Manager:
        logit_processor = Processors()

    check_knobs(Manager(), Sampling(max_new_tokens=1))
    with pytest.raises(ModelError, match=r"min_p 0\.1 is not supported by the continuous"):
        check_knobs(Manager(), Sampling(max_new_tokens=1, temperature=1.0, min_p=0.1))


def test_memory_that_runs_out_in_its_thread_halves_the_batch(tiny_dir: Path) -> None:
    config = ModelConfig(base=str(tiny_dir), device="cpu", batch_size=8, batching="continuous")
    engine = load_engine(config)
    engine.settle_batching(PROMPTS, sampling=GREEDY, adapter=BASE)
    expected = texts(engine, GREEDY)
    inner = engine._base.base_model
    forward = inner.forward

    def limited(*args: Any, **kwargs: Any) -> Any:
        if engine.room.batch_size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return forward(*args, **kwargs)

    inner.forward = limited
    assert texts(engine, GREEDY) == expected
    assert engine.room.batch_size == len(PROMPTS) // 2


def speeds(**of: float) -> Any:
    def tokens_per_second(kind: Kind) -> float:
        if kind not in of:
            raise ValueError("no such attention")
        return of[kind]

    return tokens_per_second


@pytest.mark.parametrize(
    ("asked", "device", "of", "kind", "because"),
    [
        ("auto", CPU, {}, "static", "on a CPU static batches are faster"),
        ("auto", GPU, {"static": 10.0, "continuous": 30.0}, "continuous", "30 tokens a second"),
        ("auto", GPU, {"static": 30.0, "continuous": 10.0}, "static", "static batches 30"),
        ("auto", GPU, {"static": 30.0}, "static", "not possible: no such attention"),
        ("continuous", CPU, {}, "continuous", "model.batching says so"),
    ],
)
def test_what_is_faster_is_chosen_and_said(
    asked: Any, device: torch.device, of: dict[str, float], kind: str, because: str
) -> None:
    config = ModelConfig(base="x", batching=asked)
    chosen = choose_batching(config, device, GREEDY, speeds(**of))
    assert (chosen.kind, because in chosen.because) == (kind, True)


def test_a_trial_of_both_writes_and_counts(paged: TransformersEngine) -> None:
    tried: list[float] = []

    def choose(config: Any, device: Any, sampling: Any, tokens_per_second: Any) -> Any:
        tried.extend(tokens_per_second(kind) for kind in ("static", "continuous"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ddl_train.engines.writing.choose_batching", choose)
        patch.setattr(paged.writing, "batching", None)
        paged.settle_batching(PROMPTS, sampling=GREEDY, adapter=BASE)
    assert len(tried) == 2
    assert min(tried) > 0


def test_workers_do_not_write_so() -> None:
    values = {
        "model": {"base": "a", "batching": "continuous"},
        "memory": {"sources": ["b"]},
        "name": "c",
        "wake": {"workers": "ray"},
    }
    with pytest.raises(ConfigError, match=r"^test: wake\.workers write in static batches"):
        parse_config(values, where="test")
