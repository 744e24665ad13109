"""The open-weights model that dreams, and how it is run."""

from typing import Any, Literal

from pydantic import Field

from ddl_train.config.stage import StageConfig


class ModelConfig(StageConfig):
    """The open-weights model that dreams, and how it is run."""

    base: str
    """Hub id or local folder of a causal language model."""
    revision: str | None = None
    """Commit of the base on the Hub; None takes the default branch and records what it got."""
    license: str | None = None
    """Licence of the base, as the Hub spells it (`apache-2.0`); `publish` needs to know it."""
    format: Literal["chat", "plain"] = "chat"
    """`chat` uses the tokenizer's chat template; `plain` is for base models without one."""
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Passed to the chat template, for example `enable_thinking: false` for Qwen3."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes a GPU when there is one. `cuda` without a GPU is an error."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the base weights. `auto`: bfloat16 on a GPU, float32 on a CPU."""
    load_in_4bit: bool = False
    """QLoRA: NF4 base weights through bitsandbytes; needs a GPU and the `qlora` extra."""
    batch_size: int = Field(64, gt=0)
    """Sequences a forward pass holds when generating and scoring. Halved, and kept so for the run,
    where memory runs out."""
    batching: Literal["auto", "static", "continuous"] = "auto"
    """How texts are written. `static`: rows of like length, each with random numbers of its own.
    `continuous`: that of transformers, where a text also depends on its batch. `auto`: static on a
    CPU; on a GPU what is faster on the first pairs of a run, which is kept for all of it."""
    max_length: int = Field(1024, gt=0)
    """Prompts longer than this many tokens are refused, never cut in silence."""
