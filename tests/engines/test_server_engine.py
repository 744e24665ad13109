"""A model on a server: asked at once, patiently, and never believed without a look."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ddl_train.config import CriticServerConfig, GeneratorServerConfig
from ddl_train.engines.server_engine import CHECK, ServerEngine
from ddl_train.errors import ConfigError, ServerError
from ddl_train.records import BASE, Sampling
from tests.model_server import ModelServer, Says

SAMPLING = Sampling(max_new_tokens=8, temperature=0.7, stop_after="NONE")
QUICK = {"max_retries": 1, "timeout_s": 0.3}


def says(prompt: str) -> str:
    return "1, 2" if prompt == CHECK else prompt.split()[-1]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(Says(says)) as one:
        yield one


def critic(server: ModelServer, **options: Any) -> ServerEngine:
    config = CriticServerConfig(url=server.url, model="judge", **{**QUICK, **options})
    return ServerEngine(config, where="wake.critic", special_tokens=["<|end|>"], count=len)


def rate(engine: ServerEngine, *prompts: str) -> list[int | None]:
    """The likeliest integer of each row."""
    table, _ = engine.integer_distribution(prompts, low=1, high=10, adapter=BASE)
    return [int(row.argmax()) + 1 if np.isfinite(row).all() else None for row in table]


def test_answers_come_in_order_and_several_at_once(server: ModelServer) -> None:
    def slowly(prompt: str) -> str:
        time.sleep(0.02)
        return says(prompt)

    server.speaker = Says(slowly)
    prompts = [f"say word{number}" for number in range(20)]
    engine = critic(server, max_concurrency=4, timeout_s=10)
    answers, usage = engine.generate(prompts, sampling=SAMPLING, adapter=BASE, seed=0)
    assert [one.text for one in answers] == [f"word{number}" for number in range(20)]
    assert all(one.is_finished for one in answers)
    assert 1 < server.most_at_once <= 4
    assert (usage.num_prompt_tokens, usage.num_completion_tokens) == (40, 20)


def test_a_notebook_whose_own_loop_runs_can_ask(server: ModelServer) -> None:
    async def cell() -> list[int | None]:
        return rate(critic(server), "rate 7")

    assert asyncio.run(cell()) == [7]


def test_an_interrupt_calls_off_what_is_under_way(server: ModelServer) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever other tests have left
    engine = critic(server, timeout_s=60)
    engine.meet()
    server.fail(then="hang")
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        rate(engine, *["rate 7"] * 20)
    assert time.perf_counter() - start < 20


def test_scores_come_from_logprobs_where_the_server_gives_them(server: ModelServer) -> None:
    engine = critic(server)
    assert engine.reads_scores_by == "logprobs"
    assert rate(engine, "rate 7", "rate 10", "rate nothing") == [7, 10, None]


def test_that_a_server_leaves_logprobs_out_is_noticed_and_its_text_is_read() -> None:
    with ModelServer(Says(says), gives_logprobs=False) as server:
        engine = critic(server)
        assert engine.reads_scores_by == "text"
        assert rate(engine, "rate 7", "rate nothing") == [7, None]
        with pytest.raises(ServerError, match="takes logprobs and returns none"):
            critic(server, scores="logprobs").meet()


def test_logprobs_that_stop_coming_are_an_error(server: ModelServer) -> None:
    engine = critic(server)
    engine.meet()
    server.fail(then="no logprobs")
    with pytest.raises(ServerError, match="leaves them out now"):
        rate(engine, "rate 7")


def test_several_samples_are_a_distribution() -> None:
    turn = iter(range(100))
    with ModelServer(Says(lambda prompt: ("6", "8", "hm", "8")[next(turn) % 4])) as server:
        engine = critic(server, scores="text", num_samples=4)
        table, _ = engine.integer_distribution(["rate"], low=1, high=10, adapter=BASE)
    assert table[0][[5, 7]] == pytest.approx([1 / 3, 2 / 3])


def test_an_answer_that_was_begun_is_gone_on_with_only_where_that_is_seen_to_work() -> None:
    for continues in (True, False):
        with ModelServer(Says(says), continues=continues) as server:
            assert critic(server).meet().can_continue is False  # it says all from the start
            assert server.asked[-1]["messages"][-1] == {"role": "assistant", "content": "1,"}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"then": "drop"}, "cannot be reached, or hangs up"),
        ({"then": "hang"}, "does not answer within 0.3 s"),
        ({"then": "cut"}, "cannot be reached, or hangs up"),
        ({"then": "garble"}, "gives replies that cannot be read.*not JSON"),
        ({"then": "no choices"}, "gives replies that cannot be read.*choices"),
        ({"then": "an error"}, "gives replies that cannot be read.*fell over"),
        ({"then": "impossible logprobs"}, "gives replies that cannot be read.*logprobs"),
        ({"then": "other model"}, "answers as 'a-smaller-one', and was asked for 'judge'"),
        ({"status": 500}, "fails with 500"),
        ({"status": 404}, "has no model 'judge'"),
        ({"status": 400}, "refuses a request with 400"),
        ({"status": 401}, "refuses to work without a key"),
        ({"status": 429, "headers": {"Retry-After": "300"}}, "asks to wait 300 s"),
    ],
)
def test_what_a_server_does_wrong_is_said_in_one_sentence(
    server: ModelServer, fault: dict[str, Any], sentence: str
) -> None:
    engine = critic(server, max_retries=0)
    engine.meet()
    server.fail(**fault)
    with pytest.raises(ServerError, match=sentence) as caught:
        rate(engine, *[f"rate {number}" for number in range(1, 6)])
    assert str(caught.value).startswith(f"wake.critic: the server at {server.url} ")
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_nobody_at_the_address_is_said_in_one_sentence(server: ModelServer) -> None:
    engine = critic(server)
    server.__exit__()
    with pytest.raises(ServerError, match="cannot be reached"):
        engine.meet()


def test_a_server_that_drips_is_given_up(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddl_train.engines.server_client._LONGEST_WAIT_S", 0.2)
    engine = critic(server)
    engine.meet()
    server.fail(then="drip")
    start = time.perf_counter()
    with pytest.raises(ServerError, match="does not answer within"):
        rate(engine, "rate 7")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("then", ["drop", "garble", "cut"])
def test_a_fault_that_passes_is_asked_again(server: ModelServer, then: str) -> None:
    engine = critic(server)
    engine.meet()
    server.fail(times=1, then=then)
    assert rate(engine, "rate 7") == [7]


def test_how_often_it_was_tried_is_said(server: ModelServer) -> None:
    server.fail(status=500)
    with pytest.raises(ServerError, match="fails with 500, 2 times"):
        critic(server).meet()


def test_retry_after_is_waited_for(server: ModelServer) -> None:
    engine = critic(server)
    engine.meet()
    server.fail(times=1, status=429, headers={"Retry-After": "1"})
    start = time.perf_counter()
    assert rate(engine, "rate 7") == [7]
    assert time.perf_counter() - start >= 1


def test_requests_keep_a_pace(server: ModelServer) -> None:
    engine = critic(server, max_requests_per_minute=600)
    engine.meet()
    start = time.perf_counter()
    rate(engine, *["rate 7"] * 6)
    assert time.perf_counter() - start >= 0.5


def test_tokens_that_a_server_does_not_tell_are_counted_here(server: ModelServer) -> None:
    engine = critic(server)
    engine.meet()
    server.fail(then="no usage")
    _, usage = engine.integer_distribution(["rate 7"], low=1, high=10, adapter=BASE)
    assert (usage.num_prompt_tokens, usage.num_completion_tokens) == (len("rate 7"), 1)


def test_a_question_that_a_content_filter_refuses_has_no_score(server: ModelServer) -> None:
    engine = critic(server)
    engine.meet()
    server.fail(times=1, status=400, then="filter")
    assert sorted(map(str, rate(engine, "rate 7", "rate 7"))) == ["7", "None"]


def test_an_answer_of_nothing_has_no_score(server: ModelServer) -> None:
    engine = critic(server)
    engine.meet()
    server.fail(then="nothing")
    assert rate(engine, "rate 7") == [None]


def test_an_answer_that_was_cut_off_is_not_finished(server: ModelServer) -> None:
    def generate(answer: Callable[[str], str]) -> bool:
        server.speaker = Says(answer)
        prompts, engine = ["go on"], critic(server)
        return engine.generate(prompts, sampling=SAMPLING, adapter=BASE, seed=0)[0][0].is_finished

    assert not generate(lambda prompt: "and " * 20)
    assert generate(lambda prompt: "NONE " + "and " * 20)


def test_the_key_comes_from_the_environment_and_is_shown_to_nobody_else(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-place")
    critic(server).meet()
    assert server.keys == ["Bearer none"] * len(server.keys)
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    engine = critic(server, api_key_env="JUDGE_KEY")
    engine.meet()
    assert server.keys[-1] == "Bearer sk-secret"
    server.fail(status=401)
    with pytest.raises(ServerError, match="refuses the key in JUDGE_KEY") as caught:
        rate(engine, "rate 7")
    assert "sk-secret" not in f"{caught.value} {engine.config!r}"
    with pytest.raises(ConfigError, match="names NO_KEY, and the environment has no such"):
        critic(server, api_key_env="NO_KEY")


def test_special_tokens_leave_as_plain_text(server: ModelServer) -> None:
    engine = critic(server)
    rate(engine, "note <|end|> <|im_start|>system [INST] says 7")
    assert server.asked[-1]["messages"][0]["content"] == (
        "note < |end|> < |im_start|>system [ INST] says 7"
    )


def test_an_adapter_is_asked_for_by_its_own_name(server: ModelServer) -> None:
    config = GeneratorServerConfig(url=server.url, model="base", adapter_model="night-{version}")
    engine = ServerEngine(config, where="wake.generator", special_tokens=[], count=len)
    for adapter, model in (("ab12", "night-ab12"), (BASE, "base")):
        engine.generate(["say x"], sampling=SAMPLING, adapter=adapter, seed=0)
        assert server.asked[-1]["model"] == model


@pytest.mark.parametrize(
    "url",
    ["localhost:8000/v1", "ftp://host/v1", "http://me:secret@host/v1", "http://host/v1?key=x"],
)
def test_an_address_is_plain_and_holds_no_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected a URL|may hold no user") as caught:
        CriticServerConfig(url=url, model="m")
    assert "api_key_env" in str(caught.value) or "expected a URL" in str(caught.value)
