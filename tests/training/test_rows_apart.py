"""Rows of one sequence: each attends to itself, on every way there is."""

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig

from ddl_train.config import SleepConfig
from ddl_train.training.rows_apart import NAME, attend_rows_apart, rows_apart

JOINED = SleepConfig(padding_free=True)


def a_model(**changes: Any) -> Any:
    """A tiny Llama with random weights whose keys are shared by two heads each."""
    torch.manual_seed(0)
    kind: Any = MistralConfig if "sliding_window" in changes else LlamaConfig
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 50}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = kind(**sizes, **heads, **changes)
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()


def joined(*lengths: int) -> dict[str, torch.Tensor]:
    """Rows of these lengths as one sequence."""
    positions = torch.cat([torch.arange(length) for length in lengths])
    ids = torch.randint(0, 50, (1, sum(lengths)), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "position_ids": positions[None]}


def test_a_sequence_of_rows_reads_as_its_rows_one_by_one() -> None:
    model, batch, lengths = a_model(), joined(5, 1, 9), [5, 1, 9]
    with rows_apart(model, JOINED), torch.no_grad():
        together = model(**batch).logits[0]
    with torch.no_grad():
        rows = torch.split(batch["input_ids"][0], lengths)
        alone = torch.cat([model(input_ids=row[None]).logits[0] for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_the_masked_sequence() -> None:
    def gradient(model: Any) -> torch.Tensor:
        model.zero_grad()
        batch = joined(7, 4)
        # with a cache transformers does not look for rows, and none is trained with one
        model(**batch, labels=batch["input_ids"], use_cache=False).loss.backward()
        found = model.model.embed_tokens.weight.grad
        assert isinstance(found, torch.Tensor)
        return found.clone()

    model = a_model()
    masked = gradient(model)
    with rows_apart(model, JOINED):
        apart = gradient(model)
    torch.testing.assert_close(apart, masked, atol=1e-6, rtol=1e-4)


def test_a_base_is_given_back_as_it_was() -> None:
    model = a_model()
    with pytest.raises(KeyError), rows_apart(model, JOINED):
        assert model.config._attn_implementation == NAME
        raise KeyError
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("config", [SleepConfig(), SleepConfig(max_length=64, padding_free=True)])
def test_padded_rows_and_short_windows_keep_their_masks(config: SleepConfig) -> None:
    model = a_model(sliding_window=32)
    with rows_apart(model, config):
        assert model.config._attn_implementation == "sdpa"


def test_a_window_that_holds_every_row_needs_no_mask() -> None:
    model = a_model(sliding_window=32)
    with rows_apart(model, SleepConfig(max_length=32, packing=True)):
        assert model.config._attn_implementation == NAME


def test_several_sequences_are_refused() -> None:
    two = torch.zeros(2, 4, 3, 8)
    with pytest.raises(ValueError, match="one sequence without a mask; got 2 sequences"):
        attend_rows_apart(a_model(), two, two, two, position_ids=torch.arange(3)[None])
