"""Dreams that lead nowhere are given up, and only those."""

import pytest

from ddl_train.config import WakeConfig, parse_config
from ddl_train.engines.stopping import repeated_end, why_stop
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import ConfigError
from ddl_train.records import BASE, Completion, Sampling, Stopping
from ddl_train.roles.generator import read_proposal
from ddl_train.roles.guards import check
from ddl_train.roles.prompts import load_pack
from tests.fakes import a_pair

PROMPTS = [f"note {number}" for number in range(8)]


@pytest.mark.parametrize(
    ("ids", "size", "times"),
    [
        ([1, 2, 3], 1, 1),
        ([1, 2, 2, 2], 1, 3),
        ([9, 1, 2, 1, 2, 1, 2], 2, 3),
        ([1, 2, 1, 2, 3], 1, 1),  # it has gone on
        ([7], 1, 1),
    ],
)
def test_the_run_that_is_said_again_is_found(ids: list[int], size: int, times: int) -> None:
    assert repeated_end(ids) == (size, times)


@pytest.mark.parametrize(
    ("ids", "log_prob", "reason"),
    [
        ([1, 2, 3, 4], -4.0, None),  # as likely as asked
        ([1, 2, 3, 4], -8.4, "hopeless"),
        ([1, 2, 3], -30.0, None),  # too early to say
        ([1, 2, 2, 2, 2], 0.0, "looping"),
        ([1, 2, 2, 2], 0.0, None),
    ],
)
def test_an_answer_is_given_up_for_one_of_two_reasons(
    ids: list[int], log_prob: float, reason: str | None
) -> None:
    stopping = Stopping(min_mean_logprob=-2.0, max_repeats=3, patience=4)
    found = why_stop(ids, log_prob, stopping)
    assert (found and found.partition(":")[0]) == reason


def test_the_running_likelihood_is_that_of_the_model(engine: TransformersEngine) -> None:
    sampling = Sampling(max_new_tokens=12, temperature=1.5)
    whole, _ = engine.generate(PROMPTS, sampling=sampling, adapter=BASE, seed=2)
    never = Stopping(min_mean_logprob=0.0, patience=6)
    cut, usage = engine.generate(
        PROMPTS,
        sampling=Sampling(max_new_tokens=12, temperature=1.5, stopping=never),
        adapter=BASE,
        seed=2,
    )
    for before, now in zip(whole, cut, strict=True):
        if now.given_up is None:
            assert now == before
            continue
        assert now.given_up.startswith("hopeless: given up after 6 tokens")
        assert (now.num_completion_tokens, now.is_finished) == (6, False)
        assert before.text.startswith(now.text.rstrip("�"))
    assert usage.num_completion_tokens == sum(one.num_completion_tokens for one in cut)
    assert any(one.given_up for one in cut)


def test_what_is_given_up_is_refused_with_its_own_reason() -> None:
    pack = load_pack("terse")
    completion = Completion(
        text="zorol lowers vakase, so zorol lowers",
        num_prompt_tokens=5,
        num_completion_tokens=9,
        is_finished=False,
        given_up="looping: given up",
    )
    proposal = read_proposal(a_pair(), completion, pack, BASE)
    for is_enabled in (True, False):
        guards = WakeConfig().guards.model_copy(update={"is_enabled": is_enabled})
        assert check(proposal, guards, special_tokens=()) == "looping: given up"


def test_a_server_cannot_be_stopped() -> None:
    values = {
        "model": {"base": "a"},
        "memory": {"sources": ["b"]},
        "name": "c",
        "wake": {
            "generator": {"url": "http://127.0.0.1:1/v1", "model": "m"},
            "stopping": {"max_repeats": 4},
        },
    }
    with pytest.raises(ConfigError, match="stopping is for the local generator"):
        parse_config(values, where="test")


def test_continuous_batching_does_not_know_the_likelihood() -> None:
    values = {
        "model": {"base": "a", "batching": "continuous"},
        "memory": {"sources": ["b"]},
        "name": "c",
        "wake": {"stopping": {"min_mean_logprob": -2}},
    }
    with pytest.raises(ConfigError, match=r"set model\.batching to static or auto"):
        parse_config(values, where="test")
