"""What many prompts begin with is read once, and nothing that is said or scored changes."""

import pytest

from ddl_train.engines.prefix import ALONE, MIN_SAVED, find_sharing
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import BASE, Continuation, Sampling

HEAD = "Look for a link between them that few would notice, then answer in one sentence: " * 2
OTHER = "Question: what may relieve it? Answer with reasoning, hypothesis and utility, for " * 2
GREEDY = Sampling(max_new_tokens=8)
HOT = Sampling(max_new_tokens=8, temperature=1.0, min_p=0.02)
PROMPTS = [f"{HEAD}note {'long ' * (number % 4)}{number}" for number in range(40)]
MIXED = PROMPTS[:30] + [f"{OTHER}{number}" for number in range(30)] + ["something else", "short"]


def one_by_one(engine: TransformersEngine, prompts: list[str]) -> list[str]:
    return [
        engine.generate([prompt], sampling=GREEDY, adapter=BASE, seed=0)[0][0].text
        for prompt in prompts
    ]


def num_shared(engine: TransformersEngine, prompts: list[str]) -> int:
    """Tokens that sharing saves, as the engine should find them."""
    found = find_sharing([engine.prompt_ids(prompt)[:-1] for prompt in prompts], most=4)
    return sum(found.length(owner) for owner in found.owners) - found.num_tokens


def test_instructions_of_two_kinds_are_each_read_once(engine: TransformersEngine) -> None:
    found = find_sharing([engine.prompt_ids(prompt)[:-1] for prompt in MIXED], most=4)
    starts = [engine.tokenizer.decode(ids) for ids in found.beginnings]
    assert [HEAD.strip() in starts[0], OTHER.strip() in starts[1], len(starts)] == [True, True, 2]
    assert found.owners == [0] * 30 + [1] * 30 + [ALONE] * 2


@pytest.mark.parametrize("prompts", [PROMPTS, MIXED])
def test_sharing_changes_no_text(engine: TransformersEngine, prompts: list[str]) -> None:
    found, usage = engine.generate(prompts, sampling=GREEDY, adapter=BASE, seed=0)
    assert [completion.text for completion in found] == one_by_one(engine, prompts)
    total = sum(completion.num_prompt_tokens for completion in found)
    assert usage.num_prompt_tokens == total - num_shared(engine, prompts) < 0.5 * total


def test_sharing_changes_nothing_that_is_sampled(engine: TransformersEngine) -> None:
    together, _ = engine.generate(PROMPTS, sampling=HOT, adapter=BASE, seed=1)
    few = PROMPTS[:5]  # too few to share
    assert num_shared(engine, few) == 0
    alone, _ = engine.generate(few, sampling=HOT, adapter=BASE, seed=1)
    assert [one.text for one in together[:5]] == [one.text for one in alone]


def test_scores_are_the_same_and_read_less(engine: TransformersEngine) -> None:
    table, usage = engine.integer_distribution(MIXED, low=1, high=10, adapter=BASE)
    total = 0
    for row, prompt in zip(table, MIXED, strict=True):
        alone, cost = engine.integer_distribution([prompt], low=1, high=10, adapter=BASE)
        total += cost.num_prompt_tokens
        assert row == pytest.approx(alone[0], abs=1e-5)
    assert usage.num_prompt_tokens < 0.5 * total


def test_families_share_what_all_of_them_begin_with(engine: TransformersEngine) -> None:
    prompts = [f"{HEAD}zorol lowers vakase and high vakase {number}" for number in range(30)]
    items = [
        Continuation(prompt=prompt, continuation=answer)
        for prompt in prompts
        for answer in ("miritis", "vakase and more", "10")
    ]
    found, usage = engine.loglikelihood(items, adapter=BASE)
    total = 0
    for start in range(0, len(items), 3):
        alone, cost = engine.loglikelihood(items[start : start + 3], adapter=BASE)
        total += cost.num_prompt_tokens
        got = [one.total for one in found[start : start + 3]]
        assert got == pytest.approx([one.total for one in alone], abs=1e-4)
    assert usage.num_prompt_tokens == total - num_shared(engine, prompts) < 0.6 * total


def test_a_beginning_that_saves_too_little_is_not_shared() -> None:
    head = list(range(100))
    enough = 2 + MIN_SAVED // 100
    assert find_sharing([[*head, n] for n in range(enough - 1)], most=4).beginnings == []
    assert find_sharing([[*head, n] for n in range(enough)], most=4).beginnings == [head]


def test_what_saves_most_is_shared() -> None:
    head, middle = list(range(20)), list(range(100, 200))
    long = [[*head, *middle, n] for n in range(20)]
    short = [[*head, 300 + n] for n in range(300)]
    assert find_sharing(long + short[:20], most=4).beginnings == [[*head, *middle]]
    assert find_sharing(long + short, most=4).beginnings == [head]
