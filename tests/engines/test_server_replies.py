"""Replies of a server: what they must be, and the numbers in them."""

import json
from typing import Any

import numpy as np
import pytest

from ddl_train.engines.server_replies import (
    BadReplyError,
    integer_table,
    is_from,
    parse_integer,
    read_reply,
    split_beginning,
)


def body(**changes: Any) -> str:
    choice = {"message": {"content": " 7\n"}, "finish_reason": "stop", "logprobs": None}
    return json.dumps({"model": "m", "choices": [choice], "usage": None} | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        body()[:-10],
        "[]",
        body(choices=[]),
        body(choices=[{"message": None}]),
        body(model=None),
        body(usage={"prompt_tokens": -1, "completion_tokens": 0}),
        json.dumps({"error": {"message": "out of memory"}}),
    ],
)
def test_what_is_no_reply_is_refused(text: str) -> None:
    with pytest.raises(BadReplyError):
        read_reply(text)


def test_a_reply_without_usage_or_logprobs_says_that_it_has_none() -> None:
    reply = read_reply(body())
    assert (reply.text, reply.tokens, reply.num_prompt_tokens) == ("7", None, None)


def test_logprobs_of_the_chosen_token_alone_are_none() -> None:
    place = {"token": "7", "logprob": -0.1, "top_logprobs": [{"token": "7", "logprob": -0.1}]}
    choice = {"message": {"content": "7"}, "logprobs": {"content": [place]}}
    assert read_reply(body(choices=[choice])).tokens is None


@pytest.mark.parametrize("value", [0.5, float("nan")])
def test_a_probability_above_one_is_a_lie(value: float) -> None:
    top = [{"token": "7", "logprob": value}, {"token": "8", "logprob": -2.0}]
    place = {"token": "7", "logprob": value, "top_logprobs": top}
    choice = {"message": {"content": "7"}, "logprobs": {"content": [place]}}
    with pytest.raises(BadReplyError):
        read_reply(body(choices=[choice]))


@pytest.mark.parametrize(
    ("replied", "asked", "same"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("owner/name@main", "owner/name", True),
        ("name", "/models/name", True),
        ("gpt-4o-mini", "gpt-4o", False),
        ("other", "name", False),
    ],
)
def test_a_snapshot_is_the_same_model_and_a_sibling_is_not(
    replied: str, asked: str, same: bool
) -> None:
    assert is_from(replied, asked) is same


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (" **10** ", 10),
        ("7/10", 7),
        ("Score: 8.", 8),
        ('{"novelty": 3}', 3),
        ("-3", None),
        ("7.5", None),
        ("11", None),
        ("0", None),
        ("7 or 8", None),
        ("I would say it deserves a 9", None),
        ("", None),
    ],
)
def test_a_score_is_an_integer_that_stands_alone(text: str, number: int | None) -> None:
    assert parse_integer(text, low=1, high=10) == number


def test_spellings_of_an_integer_are_added_up() -> None:
    found = integer_table([("7", {"7": 0.4, " 7": 0.2, "8": 0.2, "well": 0.2})], low=1, high=10)
    assert found is not None
    assert found[0] == pytest.approx([0, 0, 0, 0, 0, 0, 0.75, 0.25, 0, 0])


def test_space_before_the_answer_is_passed_over() -> None:
    found = integer_table([(" ", {" ": 0.9, "x": 0.1}), ("7", {"7": 1.0})], low=1, high=10)
    assert found is not None
    assert found[0][6] == 1


def test_an_answer_that_is_no_integer_has_no_distribution() -> None:
    assert integer_table([("I", {"I": 0.97, "7": 0.01})], low=1, high=10) is None


def test_ten_in_two_tokens_takes_its_share_of_one() -> None:
    tokens = [("1", {"1": 0.8, "9": 0.2}), ("0", {"0": 0.75, "": 0.25})]
    found = integer_table(tokens, low=1, high=10)
    assert found is not None
    assert found[0][[0, 8, 9]] == pytest.approx([0.2, 0.2, 0.6])
    assert found[1] == 0


def test_one_that_was_not_gone_on_with_stays_open_until_it_is() -> None:
    found = integer_table([("9", {"9": 0.6, "1": 0.4})], low=1, high=10)
    assert found is not None
    row, unseen = found
    assert unseen == pytest.approx(0.4)
    assert row[0] == pytest.approx(0.4)
    settled = split_beginning(row, {"0": 0.9, "\n": 0.1}, low=1)
    assert settled[[0, 8, 9]] == pytest.approx([0.04, 0.6, 0.36])
    assert np.sum(settled) == pytest.approx(1)


def test_one_is_one_where_ten_is_a_token_of_its_own() -> None:
    found = integer_table([("9", {"9": 0.6, "1": 0.3, "10": 0.1})], low=1, high=10)
    assert found is not None
    assert found[1] == 0
