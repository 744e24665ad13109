"""How vLLM is called, with a stand-in for the library: the tiny model answers in vLLM's shapes.

This does not test vLLM, which cannot run here.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ddl_train.config import ModelConfig, VllmConfig, WakeConfig
from ddl_train.engines import vllm_engine
from ddl_train.engines.scoring import Query
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.engines.vllm_engine import VllmEngine
from ddl_train.engines.vllm_start import check_vllm
from ddl_train.errors import AdapterError, ModelError, ResourceError
from ddl_train.records import BASE, Continuation, Sampling
from tests.training.nights import tiny_engine


class StandIn:
    """`vllm.LLM` as far as it is called: greedy answers and log-probabilities of the tiny model."""

    local: TransformersEngine
    is_spoilt = False
    """After waking up it answers something else."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.told: list[str] = []
        self.loras: list[Any] = []
        self.is_asleep = False

    def sleep(self, level: int) -> None:
        self.told.append(f"sleep {level}")
        self.is_asleep = True

    def wake_up(self) -> None:
        self.told.append("wake_up")
        self.is_asleep = False

    def generate(
        self, prompts: Sequence[Any], params: Sequence[Any], *, use_tqdm: bool, lora_request: Any
    ) -> list[Any]:
        assert not self.is_asleep
        self.told.append("generate")
        self.loras.append(lora_request)
        return [
            self._answer(p["prompt_token_ids"], q) for p, q in zip(prompts, params, strict=True)
        ]

    def _answer(self, ids: list[int], params: Any) -> Any:
        wanted = getattr(params, "logprob_token_ids", None)
        sampled = {} if wanted is None else self._logprobs(ids, wanted)
        given = None
        if getattr(params, "prompt_logprobs", None) is not None:
            places = [self._logprobs(ids[:n], [ids[n]]) for n in range(1, len(ids))]
            given = [None, *places]
        token = 7 + len(ids) % 5 + (self.is_spoilt and "wake_up" in self.told)
        output = SimpleNamespace(token_ids=[token], logprobs=[sampled], finish_reason="stop")
        return SimpleNamespace(outputs=[output], prompt_logprobs=given)

    def _logprobs(self, ids: list[int], wanted: list[int]) -> dict[int, Any]:
        ((row,),) = self.local.ask([Query(ids, [wanted])], BASE)[0]
        return {
            token: SimpleNamespace(logprob=value) for token, value in zip(wanted, row, strict=True)
        }


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def engine(local: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> VllmEngine:
    library, requests = ModuleType("vllm"), ModuleType("vllm.lora.request")
    library.LLM = StandIn  # type: ignore[attr-defined]
    library.SamplingParams = SimpleNamespace  # type: ignore[attr-defined]
    requests.LoRARequest = lambda *parts: parts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", library)
    monkeypatch.setitem(sys.modules, "vllm.lora.request", requests)
    monkeypatch.setattr(vllm_engine, "check_vllm", lambda model: None)
    monkeypatch.setattr(StandIn, "local", local, raising=False)
    return VllmEngine(local, VllmConfig(max_lora_rank=8), room=33)


def adapter(folder: Path, rank: int) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return folder


def ask(engine: VllmEngine, version: str) -> None:
    engine.generate(["why?"], sampling=Sampling(max_new_tokens=4), adapter=version, seed=1)


def test_it_starts_with_sleep_mode_and_adapters(engine: VllmEngine) -> None:
    ask(engine, BASE)
    settings = engine._llm.settings
    assert settings["enable_sleep_mode"] and settings["enable_lora"]
    assert (settings["max_lora_rank"], settings["trust_remote_code"]) == (8, False)
    assert settings["max_model_len"] == 1024 + 33


def test_it_sleeps_at_level_1_and_wakes_up_when_it_is_asked_again(engine: VllmEngine) -> None:
    ask(engine, BASE)
    engine.rest()
    engine.rest()
    ask(engine, BASE)
    canary, asked = "generate", "generate"
    assert engine._llm.told == [canary, asked, "sleep 1", "wake_up", canary, asked]


def test_a_model_that_wakes_up_as_another_is_an_error_and_asked_nothing(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(engine, BASE)
    monkeypatch.setattr(StandIn, "is_spoilt", True)
    engine.rest()
    for _ in range(2):
        with pytest.raises(ModelError, match="its weights are not what they were"):
            ask(engine, BASE)
    assert engine._llm.told[-1] == "generate"  # the canary


def test_an_adapter_has_a_new_name_and_id_after_each_waking(
    engine: VllmEngine, tmp_path: Path
) -> None:
    path = adapter(tmp_path / "night", 8)
    engine.load_adapter("night", path)
    for _ in range(2):
        ask(engine, "night")
        ask(engine, "night")
        engine.rest()
    used = [lora for lora in engine._llm.loras if lora is not None]
    first, second = ("night-1", 1, str(path)), ("night-2", 2, str(path))
    assert used == [first, first, second, second]


def test_an_adapter_of_a_larger_rank_is_refused(engine: VllmEngine, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="carries 8; raise"):
        engine.load_adapter("night", adapter(tmp_path / "night", 16))


def test_scores_are_those_of_the_local_base(engine: VllmEngine, local: TransformersEngine) -> None:
    prompts = ["how new is it?", "zorol lowers vakase: how coherent is that?"]
    here, _ = local.integer_distribution(prompts, low=1, high=10, adapter=BASE)
    there, _ = engine.integer_distribution(prompts, low=1, high=10, adapter=BASE)
    assert np.allclose(here, there, atol=1e-6)


def test_likelihoods_are_those_of_the_local_base(
    engine: VllmEngine, local: TransformersEngine
) -> None:
    items = [
        Continuation(prompt="why?", continuation="zorol may relieve miritis"),
        Continuation(prompt="why?", given="since high vakase causes it, ", continuation="zorol"),
    ]
    here, _ = local.loglikelihood(items, adapter=BASE)
    there, _ = engine.loglikelihood(items, adapter=BASE)
    assert [one.num_tokens for one in here] == [one.num_tokens for one in there]
    assert [one.total for one in there] == pytest.approx([one.total for one in here], abs=1e-4)


def test_without_the_package_or_a_gpu_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = ModelConfig(base="some/model", device="cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ResourceError, match="install `ddl-train\\[vllm\\]`"):
        check_vllm(on_cpu)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(ResourceError, match="needs a CUDA GPU"):
        check_vllm(on_cpu)


def test_a_server_and_vllm_for_one_role_are_refused() -> None:
    server = {"url": "http://127.0.0.1:1/v1", "model": "some"}
    with pytest.raises(ValueError, match="both stand in for the critic"):
        WakeConfig.model_validate({"vllm": {}, "critic": server})
    assert WakeConfig.model_validate({"vllm": {"roles": ["generator"]}, "critic": server}).vllm
