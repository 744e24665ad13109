"""Generation: in order, repeatable, and each sequence ends on its own."""

from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from ddl_train.config import ModelConfig
from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.generation import Writer, choose
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ModelError
from ddl_train.records import BASE, Completion, Sampling

GREEDY = Sampling(max_new_tokens=12)
HOT = Sampling(max_new_tokens=12, temperature=1.0, min_p=0.02)
PROMPTS = [f"note {'long ' * (number % 4)}{number}" for number in range(10)]


def texts(
    engine: TransformersEngine, prompts: list[str], sampling: Sampling, seed: int = 0
) -> list[str]:
    found, _ = engine.generate(prompts, sampling=sampling, adapter=BASE, seed=seed)
    return [completion.text for completion in found]


def test_a_batch_says_what_each_prompt_alone_would(engine: TransformersEngine) -> None:
    alone = [texts(engine, [prompt], GREEDY)[0] for prompt in PROMPTS]
    assert texts(engine, PROMPTS, GREEDY) == alone


def test_the_same_seed_gives_the_same_texts(engine: TransformersEngine) -> None:
    assert texts(engine, PROMPTS, HOT, seed=3) == texts(engine, PROMPTS, HOT, seed=3)


def test_another_seed_gives_other_texts(engine: TransformersEngine) -> None:
    assert texts(engine, PROMPTS, HOT, seed=3) != texts(engine, PROMPTS, HOT, seed=4)


def test_what_is_sampled_does_not_depend_on_the_batch(tiny_dir: Path) -> None:
    small, middle, large = (
        load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=size))
        for size in (1, 4, 16)
    )
    alone = texts(small, PROMPTS, HOT)
    assert texts(middle, PROMPTS, HOT) == alone
    assert texts(large, PROMPTS, HOT) == alone


def test_rows_that_are_left_of_several_batches_are_written_together(
    engine: TransformersEngine,
) -> None:
    prompts = [engine.chat.prompt_ids(prompt) for prompt in PROMPTS]
    num_tokens = len(engine.tokenizer)

    def write(*, can_join: bool) -> tuple[list[list[int]], int]:
        with patch.object(engine._base, "forward", wraps=engine._base.forward) as forward:
            writer = Writer(
                engine._base,
                engine.chat,
                sampling=HOT,
                eos=range(0, num_tokens, 4),  # each token ends a sequence in one case of four
                device=engine.device,
                can_join=can_join,
                room=engine.room,
            )
            with torch.no_grad():
                written, _ = writer.write(prompts, seed=0)
        return [answer.ids for answer in written], int(forward.call_count)

    apart, num_passes_apart = write(can_join=False)
    together, num_passes = write(can_join=True)
    assert together == apart
    assert num_passes < num_passes_apart


def test_equal_prompts_are_sampled_apart(engine: TransformersEngine) -> None:
    assert len(set(texts(engine, ["the same"] * 6, HOT))) > 1


def test_sampling_leaves_the_random_state_of_others_alone(engine: TransformersEngine) -> None:
    before = torch.random.get_rng_state()
    texts(engine, PROMPTS, HOT)
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_prompts_cost_nothing(engine: TransformersEngine) -> None:
    found, usage = engine.generate([], sampling=GREEDY, adapter=BASE, seed=0)
    assert (found, usage.num_tokens) == ([], 0)


def test_usage_counts_what_was_read_and_written(engine: TransformersEngine) -> None:
    found, usage = engine.generate(PROMPTS, sampling=GREEDY, adapter=BASE, seed=0)
    assert usage.num_prompt_tokens == sum(c.num_prompt_tokens for c in found)
    assert usage.num_completion_tokens == sum(c.num_completion_tokens for c in found)
    assert usage.flops == 2 * engine.num_parameters * usage.num_tokens


def test_a_sequence_ends_once_it_says_the_word(engine: TransformersEngine) -> None:
    full = texts(engine, PROMPTS, GREEDY)
    word = full[0][:3]
    sampling = Sampling(max_new_tokens=12, stop_after=word)
    found, _ = engine.generate(PROMPTS, sampling=sampling, adapter=BASE, seed=0)
    for completion, text in zip(found, full, strict=True):
        if text.startswith(word):
            assert is_cut_short(completion, word)
        else:
            assert completion.text == text


def is_cut_short(completion: Completion, word: str) -> bool:
    return (
        completion.text.startswith(word)
        and completion.is_finished
        and completion.num_completion_tokens < 12
    )


def test_an_answer_that_reaches_the_limit_is_not_finished(engine: TransformersEngine) -> None:
    found, _ = engine.generate(["x"], sampling=GREEDY, adapter=BASE, seed=0)
    assert found[0].num_completion_tokens == 12
    assert not found[0].is_finished


def test_a_prompt_that_is_too_long_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(ModelError, match=r"longer than model\.max_length"):
        texts(engine, ["word " * 2000], GREEDY)


def test_an_answer_that_does_not_fit_the_positions_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(ModelError, match="positions"):
        texts(engine, ["short"], Sampling(max_new_tokens=4000))


def test_a_real_base_model_goes_on_with_a_story(stories: TransformersEngine) -> None:
    found = texts(stories, ["Once upon a time, there was a little girl"], GREEDY)
    assert len(found[0].split()) > 3


LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()


@pytest.mark.parametrize(
    ("sampling", "uniform", "token"),
    [
        (Sampling(max_new_tokens=1), 0.99, 0),  # greedy
        (Sampling(max_new_tokens=1, temperature=1), 0.49, 0),
        (Sampling(max_new_tokens=1, temperature=1), 0.51, 1),
        (Sampling(max_new_tokens=1, temperature=1), 0.99, 3),
        (Sampling(max_new_tokens=1, temperature=1, min_p=0.2), 0.99, 2),  # 0.05 < 0.2 x 0.5
        (Sampling(max_new_tokens=1, temperature=1, top_p=0.6), 0.99, 1),  # 0.5 + 0.3 reach 0.6
        (Sampling(max_new_tokens=1, temperature=1, top_p=0.5), 0.99, 0),
        (Sampling(max_new_tokens=1, temperature=0.1), 0.95, 0),  # colder is surer
    ],
)
def test_a_uniform_number_falls_on_a_token(sampling: Sampling, uniform: float, token: int) -> None:
    assert choose(LOGITS, sampling, torch.tensor([uniform])).tolist() == [token]


def test_padding_is_on_the_left() -> None:
    padded = pad_left([[1, 2, 3], [4]], 0, torch.device("cpu"))
    assert padded.input_ids.tolist() == [[1, 2, 3], [0, 0, 4]]
    assert padded.attention_mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_batches_hold_what_is_alike_in_length_longest_first() -> None:
    assert by_length([5, 1, 9, 5, 2], 2) == [[2, 0], [3, 4], [1]]
