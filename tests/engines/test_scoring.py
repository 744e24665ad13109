"""Scoring: what the engine reads from batches is what a plain forward pass gives."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from ddl_train.engines.integers import IntegerTree
from ddl_train.engines.passes import can_share
from ddl_train.engines.scoring import Family, Query, find_families
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import BASE, Continuation

STEM = "rate the idea that zorol may relieve miritis, by what it would change:"
ANSWERS = ["miritis", "vakase and more", "10", "a much longer answer of several words"]
SMALL: dict[str, Any] = {
    "vocab_size": 8,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def log_prob(engine: TransformersEngine, before: list[int], scored: list[int]) -> float:
    """Straight from the model, one sequence, no padding, no cache."""
    with engine.lend_base() as model, torch.no_grad():
        logits = model(input_ids=torch.tensor([before + scored])).logits[0]
    table = logits.log_softmax(-1)
    return sum(float(table[len(before) + i - 1, token]) for i, token in enumerate(scored))


def test_likelihood_is_that_of_a_plain_forward_pass(engine: TransformersEngine) -> None:
    items = [
        Continuation(prompt=prompt, continuation=answer)
        for prompt in ("short", STEM, STEM + " again")
        for answer in ANSWERS
    ]
    found, _ = engine.loglikelihood(items, adapter=BASE)
    for item, likelihood in zip(items, found, strict=True):
        scored = engine.chat.completion_ids(item.continuation, eos=False)
        expected = log_prob(engine, engine.chat.prompt_ids(item.prompt), scored)
        assert likelihood.num_tokens == len(scored)
        assert likelihood.total == pytest.approx(expected, abs=1e-3)


def test_what_is_given_is_not_scored(engine: TransformersEngine) -> None:
    item = Continuation(prompt=STEM, given="zorol lowers vakase, so ", continuation="it relieves")
    found, _ = engine.loglikelihood([item], adapter=BASE)
    given = engine.chat.completion_ids("zorol lowers vakase, so", eos=False)
    whole = engine.chat.completion_ids("zorol lowers vakase, so it relieves", eos=False)
    expected = log_prob(engine, engine.chat.prompt_ids(STEM) + given, whole[len(given) :])
    assert found[0].num_tokens == len(whole) - len(given)
    assert found[0].total == pytest.approx(expected, abs=1e-3)


def test_answers_to_one_question_read_the_question_once(engine: TransformersEngine) -> None:
    items = [Continuation(prompt=STEM, continuation=answer) for answer in ANSWERS]
    _, usage = engine.loglikelihood(items, adapter=BASE)
    alone = sum(engine.loglikelihood([item], adapter=BASE)[1].num_prompt_tokens for item in items)
    assert usage.num_prompt_tokens < 0.6 * alone


def test_an_empty_continuation_has_no_tokens(engine: TransformersEngine) -> None:
    found, _ = engine.loglikelihood([Continuation(prompt=STEM, continuation="")], adapter=BASE)
    assert found[0].num_tokens == 0


def test_ten_may_be_two_tokens(engine: TransformersEngine) -> None:
    table, _ = engine.integer_distribution([STEM, "x"], low=1, high=10, adapter=BASE)
    for row, prompt in zip(table, (STEM, "x"), strict=True):
        assert row == pytest.approx(by_hand(engine, prompt), abs=1e-5)


def test_a_tokenizer_of_another_kind_gives_the_right_distribution(
    stories: TransformersEngine,
) -> None:
    table, _ = stories.integer_distribution(["I am"], low=1, high=10, adapter=BASE)
    assert table[0] == pytest.approx(by_hand(stories, "I am"), abs=1e-5)


def by_hand(engine: TransformersEngine, prompt: str) -> list[float]:
    """P(1..9) and P(10), where what flows on from 1 to 10 is taken off 1."""
    before = engine.chat.prompt_ids(prompt)
    spelt = [engine.chat.completion_ids(str(n), eos=False) for n in range(1, 11)]
    mass = [np.exp(log_prob(engine, before, ids)) for ids in spelt]
    if spelt[9][: len(spelt[0])] == spelt[0]:
        mass[0] -= mass[9]
    return list(np.asarray(mass) / np.sum(mass))


def test_integers_of_any_range_sum_to_one(engine: TransformersEngine) -> None:
    table, _ = engine.integer_distribution([STEM], low=0, high=120, adapter=BASE)
    assert table.shape == (1, 121)
    assert float(table.sum()) == pytest.approx(1, abs=1e-5)


def test_a_tree_takes_off_what_flows_on_to_longer_integers() -> None:
    tree = IntegerTree([[1], [2], [1, 0]])
    queries = tree.queries([7])
    assert queries == [Query([7, 1], [[1, 2], [0]])]
    steps = [[np.log(0.5), np.log(0.25)], [np.log(0.4)]]
    found = tree.distribution([steps])
    assert found == pytest.approx([0.3 / 0.75, 0.25 / 0.75, 0.2 / 0.75])


def test_numbers_that_are_not_finite_give_a_row_of_nan() -> None:
    tree = IntegerTree([[1], [2]])
    assert np.isnan(tree.distribution([[[float("nan"), 0.0]]])).all()


def query(*ids: int) -> Query:
    return Query(list(ids), [[0]])


def test_neighbours_that_begin_alike_form_a_family() -> None:
    stem = tuple(range(40))
    queries = [query(*stem, 50), query(*stem, 51, 52), query(*range(60, 90))]
    assert find_families(queries, 8) == [Family(40, [0, 1]), Family(0, [2])]


def test_a_family_is_not_spoilt_by_one_that_shares_less() -> None:
    stem, other = list(range(40)), [*range(25), *range(70, 85)]
    queries = [query(*stem, 50), query(*stem, 51), query(*other, 52), query(*other, 53)]
    assert find_families(queries, 8) == [Family(40, [0, 1]), Family(40, [2, 3])]


def test_a_family_never_outgrows_a_batch() -> None:
    queries = [query(*range(40), number) for number in range(50, 60)]
    assert [len(family.members) for family in find_families(queries, 4)] == [4, 4, 2]


@pytest.mark.parametrize(
    ("options", "is_shared"),
    [
        ({"sliding_window": None}, True),
        ({"sliding_window": 16}, False),
    ],
)
def test_a_sliding_window_shares_nothing(options: dict[str, Any], is_shared: bool) -> None:
    config = MistralConfig(**SMALL, **options)
    assert can_share(MistralForCausalLM(config)) is is_shared


def test_long_texts_are_scored_in_windows(engine: TransformersEngine) -> None:
    text = "zorol lowers vakase. " * 300
    found, _ = engine.text_loss([text, "short"], adapter=BASE)
    assert found[0].num_tokens == len(engine.chat.text_ids(text))


def test_text_loss_is_that_of_a_plain_forward_pass(engine: TransformersEngine) -> None:
    found, _ = engine.text_loss(["zorol lowers vakase"], adapter=BASE)
    bos = engine.chat.bos_token_id
    assert bos is not None
    expected = log_prob(engine, [bos], engine.chat.text_ids("zorol lowers vakase"))
    assert found[0].loss * found[0].num_tokens == pytest.approx(-expected, abs=1e-3)


def test_hidden_states_do_not_depend_on_the_batch(engine: TransformersEngine) -> None:
    texts = ["a", "zorol lowers vakase", "蜜蜂的蜂巢是六边形的。", "long " * 50]
    together, _ = engine.hidden_states(texts)
    alone = np.concatenate([engine.hidden_states([text])[0] for text in texts])
    assert together == pytest.approx(alone, abs=1e-4)


def test_hidden_states_of_no_text_are_zero(engine: TransformersEngine) -> None:
    states, _ = engine.hidden_states(["", "x"])
    assert not states[0].any()
    assert states[1].any()
