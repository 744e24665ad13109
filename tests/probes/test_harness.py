"""Tasks of lm-evaluation-harness through our engine: as its own model answers them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed (extra lm-eval)")
from lm_eval.models.huggingface import HFLM

from ddl_train.config import ModelConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ProbeError
from ddl_train.probes.harness import EngineLM, ask_tasks, load_tasks
from tests.harness_task import make_task
from tests.tiny import make_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def engine(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    """With an adapter `night`."""
    folder = tmp_path_factory.mktemp("adapters") / "night"
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(tiny)
    lora = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(str(folder))
    found = load_engine(ModelConfig(base=str(tiny), device="cpu", batch_size=4))
    found.load_adapter("night", folder)
    return found


@pytest.fixture(scope="module")
def theirs(tiny: Path) -> Any:
    return HFLM(pretrained=str(tiny), device="cpu", batch_size=4, dtype="float32")


def asked(*arguments: tuple[Any, ...]) -> list[Any]:
    return [SimpleNamespace(args=one) for one in arguments]


def test_likelihoods_are_those_of_the_librarys_own_model(
    engine: TransformersEngine, theirs: Any
) -> None:
    context = "Question: what may relieve it? Answer:"
    requests = asked(
        *[(context, f" {word}") for word in ("zorol", "vakase causes miritis", "0 1 2")],
        ("", "reasoning, hypothesis"),
        ("ends with spaces  ", "and so on"),
        ("long " * 3000, " end"),
    )
    mine, other = EngineLM(engine, "base").loglikelihood(requests), theirs.loglikelihood(requests)
    for (total, is_likeliest), (their_total, their_likeliest) in zip(mine, other, strict=True):
        assert total == pytest.approx(their_total, abs=1e-4)
        assert is_likeliest == their_likeliest
    texts = asked(("zorol lowers vakase",), ("蜜蜂 " * 2000,))
    rolling = EngineLM(engine, "base").loglikelihood_rolling(texts)
    assert rolling == pytest.approx(theirs.loglikelihood_rolling(texts), rel=1e-5, abs=1e-4)


def test_what_greedy_decoding_writes_is_the_likeliest(engine: TransformersEngine) -> None:
    model = EngineLM(engine, "base")
    context = "Question: what may relieve it? Answer:"
    ids = model.tok_encode(context)
    with torch.no_grad(), engine.adapters.active("base") as plain:
        token = int(plain(torch.tensor([ids])).logits[0, -1].argmax())
    other = next(one for one in range(10, 300) if one != token)
    found = model._loglikelihood_tokens([("", ids, [token]), ("", ids, [other])])
    assert [is_likeliest for _, is_likeliest in found] == [True, False]


def test_what_is_written_is_what_the_librarys_own_model_writes(
    engine: TransformersEngine, theirs: Any
) -> None:
    contexts = ["Question: what may relieve it? Answer:", "zorol lowers", "0 1 2 3 4 5"]
    for until in (["<|nowhere|>"], ["a", "e", "o"], [" "]):
        requests = asked(*[(text, {"until": list(until), "max_gen_toks": 20}) for text in contexts])
        mine = EngineLM(engine, "base").generate_until(requests)
        assert mine == theirs.generate_until(requests)
        assert not any(stop in text for text in mine for stop in until)


def test_writing_ends_where_a_stop_stands(engine: TransformersEngine) -> None:
    model = EngineLM(engine, "base")
    ((context, whole),) = [
        (text, model.generate_until(asked((text, {"until": ["<|no|>"], "max_gen_toks": 200})))[0])
        for text in ["Question: what may relieve it? Answer:"]
    ]
    cost = model.usage.num_completion_tokens
    stopped = EngineLM(engine, "base")
    (text,) = stopped.generate_until(asked((context, {"until": [whole[3]], "max_gen_toks": 200})))
    assert text == whole.split(whole[3])[0]
    assert stopped.usage.num_completion_tokens < cost / 4


def test_a_task_of_choices_is_a_suite_of_items(engine: TransformersEngine, tmp_path: Path) -> None:
    tasks = load_tasks([make_task(tmp_path, "choose")])
    base, figures, usage = ask_tasks(engine, "base", tasks, limit=None)
    night, _, _ = ask_tasks(engine, "night", tasks, limit=None)
    assert [item.suite for item in base] == ["lm_eval:choose"] * 6
    assert [item.probe_id for item in base] == [item.probe_id for item in night]
    assert [item.margin for item in base] != [item.margin for item in night]
    assert figures["lm_eval:choose/acc"] == sum(item.is_correct for item in base) / 6
    assert all(item.chance == pytest.approx(1 / 3) for item in base)
    assert all(item.answer in ("zorol", "vakase") or "miritis" in str(item.answer) for item in base)
    assert usage.num_prompt_tokens > 0
    again, _, _ = ask_tasks(engine, "base", tasks, limit=2)
    assert again == base[:2]


def test_a_task_of_written_answers_is_asked(engine: TransformersEngine, tmp_path: Path) -> None:
    tasks = load_tasks([make_task(tmp_path, "write")])
    items, figures, usage = ask_tasks(engine, "night", tasks, limit=3)
    assert [item.margin for item in items] == [0.0] * 3
    assert figures == {"lm_eval:write/exact_match": 0.0}
    assert 3 <= usage.num_completion_tokens <= 36


def test_a_task_of_whole_texts_has_a_figure_and_no_items(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    tasks = load_tasks([make_task(tmp_path, "read")])
    items, figures, _ = ask_tasks(engine, "base", tasks, limit=None)
    assert items == []
    assert figures["lm_eval:read/word_perplexity"] > 1


@pytest.mark.slow
def test_an_unknown_task_is_one_sentence() -> None:
    with pytest.raises(ProbeError, match="no_such_task_here: lm-evaluation-harness has no such"):
        load_tasks(["no_such_task_here"])


def test_data_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    path = make_task(tmp_path, "choose")
    (tmp_path / "data.jsonl").unlink()
    with pytest.raises(ProbeError, match=r"choose\.yaml: its data cannot be read"):
        load_tasks([path])


def test_what_the_engine_cannot_sample_by_is_refused(engine: TransformersEngine) -> None:
    arguments = {"until": [], "do_sample": True, "temperature": 0.7, "top_k": 5}
    with pytest.raises(ProbeError, match="samples by top_k"):
        EngineLM(engine, "base").generate_until(asked(("x", arguments)))
