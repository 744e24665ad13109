"""Models with the shapes of real ones and random weights, made where they run: no download.

How fast a model is does not depend on what it says. The tokenizer is that of a config's base; ids
beyond it are written all the same and read as nothing.
"""

from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    PretrainedConfig,
    Qwen3Config,
)

from ddl_train.config import ModelConfig
from ddl_train.engines.loading import LoadedBase, choose_device, choose_dtype
from ddl_train.engines.transformers_engine import TransformersEngine

_MAX_POSITIONS = 40_960


def shape(name: str) -> PretrainedConfig:
    """The architecture of SmolLM2-135M, Qwen3-0.6B or Qwen3-8B, or a `small` one for a short look."""
    if name == "small":
        return _llama(hidden=128, layers=2, heads=4, kv_heads=2, vocab=4096)
    if name == "SmolLM2-135M":
        return _llama(hidden=576, layers=30, heads=9, kv_heads=3, vocab=49_152)
    if name == "Qwen3-0.6B":
        return _qwen3(hidden=1024, layers=28, heads=16, is_tied=True)
    assert name == "Qwen3-8B"
    return _qwen3(hidden=4096, layers=36, heads=32, is_tied=False)


def random_engine(name: str, config: ModelConfig) -> TransformersEngine:
    """An engine on a model of that shape, on the config's device and in its dtype."""
    device = choose_device(config)
    options: dict[str, Any] = {"dtype": choose_dtype(config, device), "attn_implementation": "sdpa"}
    with torch.random.fork_rng(), device:
        torch.manual_seed(0)
        model: Any = AutoModelForCausalLM.from_config(shape(name), **options)
    model.requires_grad_(False).eval()
    base = LoadedBase(
        model=model,
        tokenizer=AutoTokenizer.from_pretrained(config.base, trust_remote_code=False),
        device=device,
        sha256=name,
        revision=None,
    )
    return TransformersEngine(base, config.model_copy(update={"max_length": _MAX_POSITIONS}))


def _llama(*, hidden: int, layers: int, heads: int, kv_heads: int, vocab: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=_MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )


def _qwen3(*, hidden: int, layers: int, heads: int, is_tied: bool) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=151_936,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=_MAX_POSITIONS,
        tie_word_embeddings=is_tied,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
