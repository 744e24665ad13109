"""Whole cycles on random weights: nothing is learned, and every part has done its work."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from ddl_train.config import parse_config
from ddl_train.cycle import run_cycles
from ddl_train.records import BASE, SilentProgress
from ddl_train.roles.prompts import load_pack
from ddl_train.session import open_session
from ddl_train.storage.adapters import verify_adapter
from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from tests.tiny import CHATML

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
SMOLLM2 = ROOT.parent / "shared" / "models" / "smollm2-135m-tokenizer"
NOTES = {
    "bees.md": "# Bees\n\nBees build six-sided cells, which need the least wax for their room.",
    "sleep.md": "# Sleep\n\nAsleep, the brain plays the day again and keeps what was worth it.",
    "蜂巢.md": "# 蜂巢\n\n蜜蜂的蜂巢是六边形的。六边形用最少的蜡围出最大的空间。",
    "睡眠.md": "# 睡眠\n\n睡眠中大脑会整理记忆。白天学到的东西在夜里被重新播放。",
    "trade.md": "# Trade\n\nCoins of one city are found in another when a road joins the two.",
    "fungi.md": "# Fungi\n\nA fungus joins the roots of trees and lends sugar from one to another.",
}
"""Six notes, two of them in Chinese."""


def make_model(folder: Path, architecture: str, tokenizer_dir: Path) -> Path:
    """Random weights of a real architecture under a real tokenizer, with a ChatML template."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = CHATML
        tokenizer.eos_token = "<|im_end|>"
        tokenizer.pad_token = "<|im_end|>"
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(0)
    model: Any
    if architecture == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=8))
    else:
        model = LlamaForCausalLM(LlamaConfig(**sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("architecture", "tokenizer_dir"),
    [("qwen3", ROOT / "checkpoints" / "seedling"), ("llama", SMOLLM2)],
    ids=["qwen3", "smollm2"],
)
def test_two_cycles_on_random_weights_dream_train_save_and_evaluate(
    architecture: str, tokenizer_dir: Path, tmp_path: Path
) -> None:
    if not tokenizer_dir.is_dir():
        pytest.skip(f"needs the tokenizer in {tokenizer_dir.name}")
    notes = tmp_path / "notes"
    notes.mkdir()
    for name, text in NOTES.items():
        (notes / name).write_text(text, encoding="utf-8")
    kept = tmp_path / "kept.txt"
    kept.write_text("What it knew before, and ought to know after.", encoding="utf-8")
    config = parse_config(
        {
            "name": "random",
            "evaluate": {"retention": [str(kept)]},
            "checkpoints_dir": str(tmp_path / "checkpoints"),
            "num_cycles": 2,
            "model": {
                "base": str(make_model(tmp_path / "model", architecture, tokenizer_dir)),
                "device": "cpu",
                "max_length": 2048,
                "batch_size": 8,
            },
            "memory": {"sources": [str(notes)], "unit": "sentence", "held_out_share": 0.0},
            "wake": {
                "num_pairs": 16,
                "batch_size": 8,
                "quota": 8,
                "max_new_tokens": 12,
                "explain": False,
                "guards": {"is_enabled": False},
            },
            "sleep": {
                "kinds": ["propose", "restate"],
                "general_share": 0.0,
                "no_link_share": 0.0,  # random weights say NONE by chance
                "num_train_epochs": 1,
                "max_length": 2048,
            },
        },
        where="test",
    )
    pack_dir = load_pack("default").dir
    with Run.create(config, pack_dir=pack_dir) as run, open_session(run) as session:
        run_cycles(session, progress=SilentProgress())
        assert [len(session.memory.insights(cycle=cycle)) for cycle in (0, 1)] == [8, 8]
        assert any("蜂" in concept.text for concept in session.memory.concepts())
        nights = [one.facts["sleep"] for one in run.cycles()]
        assert [night["rows"] for night in nights] == [8, 16]
        for night in nights:
            verify_adapter(run.adapter(night["candidate"]).path)
        for cycle in (0, 1):
            measured = {report.adapter for report in run.reports(cycle)}
            assert measured == {nights[cycle]["candidate"], BASE}
            assert all(report.losses for report in run.reports(cycle))
        # nobody could write a probe item, so uptake was not measured, and the gate fails closed
        assert [row.promotion.promoted for row in run.promotions()] == [False, False]
        assert run.next_cycle == 2
    assert fsck(config.run_dir, repair=False) == []
