"""How far an adapter is from its base on plain texts: what the two forward passes give, in batches."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from ddl_train.config import ModelConfig
from ddl_train.engines import divergence, passes
from ddl_train.engines.plain import windows
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.records import BASE
from tests.engines.test_adapters import make_adapter

TEXTS = ["zorol lowers vakase", "", "a", "high vakase causes miritis. " * 60, "zorol again"]


@pytest.fixture(scope="module")
def adapted(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    engine = load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=4))
    folder = tmp_path_factory.mktemp("adapters") / "a"
    engine.load_adapter("a", make_adapter(tiny_dir, folder, seed=1))
    return engine


def logits_of(engine: TransformersEngine, adapter: str, ids: list[int]) -> torch.Tensor:
    with torch.no_grad(), engine.adapters.active(adapter) as model:
        logits: Any = model(input_ids=torch.tensor([ids[:-1]])).logits
    return torch.as_tensor(logits[0])


def expected(engine: TransformersEngine, text: str) -> tuple[float, float]:
    """Mean loss and divergence, one window after another, no padding, by torch.distributions."""
    losses, divergences = [], []
    for bos, ids in windows(engine.chat, text, engine.config.max_length):
        mine, base = (logits_of(engine, one, [*bos, *ids]) for one in ("a", BASE))
        divergences += kl_divergence(Categorical(logits=mine), Categorical(logits=base)).tolist()
        losses += (-mine.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0]).tolist()
    return sum(losses) / len(losses), sum(divergences) / len(divergences)


def test_divergence_and_loss_are_those_of_plain_forward_passes(
    adapted: TransformersEngine,
) -> None:
    found, usage = adapted.text_loss(TEXTS, adapter="a")
    for text, one in zip(TEXTS, found, strict=True):
        if text:
            loss, kl = expected(adapted, text)
            assert one.loss == pytest.approx(loss, abs=1e-4)
            assert one.divergence == pytest.approx(kl, rel=1e-3, abs=1e-5)
    assert found[0].divergence > 0.01
    assert found[1].num_tokens == found[1].divergence == found[1].loss == 0
    alone, half = adapted.text_loss(TEXTS, adapter=BASE)
    assert usage.num_prompt_tokens == 2 * half.num_prompt_tokens
    assert [one.num_tokens for one in alone] == [one.num_tokens for one in found]


def test_the_base_is_no_distance_from_itself(adapted: TransformersEngine) -> None:
    found, _ = adapted.text_loss(TEXTS, adapter=BASE)
    assert [one.divergence for one in found] == [0.0] * len(TEXTS)


def test_texts_weigh_the_same_in_one_batch_and_piece_by_piece(
    adapted: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, _ = adapted.text_loss(TEXTS, adapter="a")
    monkeypatch.setattr(divergence, "PIECE", 1)
    monkeypatch.setattr(adapted.room, "budget", 1)
    for text, one in zip(TEXTS, together, strict=True):
        alone = adapted.text_loss([text], adapter="a")[0][0]
        assert one.loss == pytest.approx(alone.loss, abs=1e-4)
        assert one.divergence == pytest.approx(alone.divergence, rel=1e-3, abs=1e-6)


def test_logits_are_held_for_no_more_rows_than_fit(
    adapted: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    plain = passes.forward

    def counting(model: Any, padded: Any, keep: int) -> Any:
        sizes.append(len(padded.input_ids) * keep)
        return plain(model, padded, keep)

    monkeypatch.setattr(divergence, "forward", counting)
    budget = 40 * adapted.vocab_size
    monkeypatch.setattr(adapted.room, "budget", budget)
    adapted.text_loss(["zorol lowers vakase"] * 9, adapter="a")
    assert max(sizes) * 2 * adapted.vocab_size <= budget
    assert len(sizes) > 2


def test_a_token_that_is_ruled_out_has_no_part_unless_the_base_alone_rules_it_out() -> None:
    never, even = -torch.inf, 0.0
    both = torch.tensor([[even, even, never]])
    mine = torch.tensor([[even, even, even]])
    assert divergence._weigh_row([both, both], [0]).divergence == 0
    assert divergence._weigh_row([mine, both], [0]).divergence == torch.inf


def test_broken_logits_give_no_number() -> None:
    broken = torch.tensor([[torch.nan, 0.0]])
    found = divergence._weigh_row([broken, torch.zeros(1, 2)], [0])
    assert found.divergence != found.divergence
    assert found.log_prob != found.log_prob
