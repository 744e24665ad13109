"""How much device memory wake and sleep need, estimated before any weight is loaded.

    weights      parameters x bytes each; in 4 bits 0.52 bytes for linear layers, 2 for the rest
    wake         weights + adapter + batch_size x (max_length + max_answer_tokens) x KV bytes a token
                 + logits: the larger of batch_size x vocabulary x 8 bytes (generating) and the
                 scorer's budget (`engines.room.LOGITS_BUDGET`)
    sleep        weights + adapter x 16 bytes (weight, gradient, two Adam moments)
                 + activations + tokens x vocabulary x (2 x bytes + 8) (logits, their float32 copy,
                 both gradients), tokens = per_device_train_batch_size x max_length
    activations  tokens x layers x bytes x (6 hidden + 2 query + 2 key-value + 5 intermediate);
                 with gradient_checkpointing: tokens x layers x hidden x bytes, plus one layer whole

One gigabyte is added on a GPU for its context and fragmentation, half of one on a CPU for Python.
"""

import re
from dataclasses import dataclass
from typing import Any

from ddl_train.config import Config, ModelConfig, SleepConfig
from ddl_train.errors import ModelError

NF4_BYTES = 0.52
"""Four bits and the doubly quantised scale."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelShape:
    """What the formulas need of an architecture."""

    architecture: str
    num_parameters: int
    num_linear_parameters: int
    """In the layers that 4-bit loading quantises."""
    num_layers: int
    hidden: int
    query: int
    key_value: int
    """Width of all keys (or all values) of one layer."""
    intermediate: int
    vocabulary: int
    linear: tuple[tuple[str, int, int], ...]
    """Name, inputs and outputs of each linear layer but the output head."""

    def num_adapter_parameters(self, config: SleepConfig) -> int:
        """Of a LoRA adapter on the configured targets."""
        chosen = [
            inputs + outputs
            for name, inputs, outputs in self.linear
            if _is_target(name, config.target_modules)
        ]
        if not chosen:
            raise ModelError(
                f"sleep.target_modules {config.target_modules!r} names no linear layer of "
                f"{self.architecture}; expected 'all-linear' or names such as "
                f"{sorted({name.rpartition('.')[2] for name, _, _ in self.linear})}"
            )
        return config.r * sum(chosen)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Bytes of device memory, estimated."""

    weights: float
    wake: float
    sleep: float
    adapter_on_disk: float

    @property
    def peak(self) -> float:
        return max(self.wake, self.sleep)


def read_shape(config: ModelConfig) -> ModelShape:
    """Build the architecture without its weights and measure it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from ddl_train.engines.reaching import loading_options

    builder: Any = AutoModelForCausalLM
    options = loading_options(config)
    try:
        found = AutoConfig.from_pretrained(config.base, trust_remote_code=False, **options)
        with torch.device("meta"):
            model = builder.from_config(found, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(
            f"model.base {config.base!r}: no causal language model can be built from its config "
            f"({reason}); expected a local folder with config.json, or a Hub id and a network"
        ) from None
    text = found.get_text_config()
    head = model.get_output_embeddings()
    linear = tuple(
        (name, module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    num_heads = text.num_attention_heads
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // num_heads
    return ModelShape(
        architecture=type(model).__name__,
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        num_linear_parameters=sum(inputs * outputs for _, inputs, outputs in linear),
        num_layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        query=num_heads * head_dim,
        key_value=(getattr(text, "num_key_value_heads", None) or num_heads) * head_dim,
        intermediate=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        vocabulary=text.vocab_size,
        linear=linear,
    )


def estimate(
    shape: ModelShape, config: Config, *, is_gpu: bool, second: ModelShape | None = None
) -> Footprint:
    """Apply the formulas of the module's docstring; `second` is of a larger critic beside the base.

    It stays loaded while the base sleeps.
    """
    from ddl_train.engines.room import LOGITS_BUDGET

    width = _bytes_each(config.model, is_gpu=is_gpu)
    extra = 1e9 if is_gpu else 5e8
    weights = _weights(shape, config.model, is_gpu=is_gpu)
    local = config.wake.cascade.second.local if config.wake.cascade.second else None
    if second is not None and local is not None:
        weights += _weights(second, local, is_gpu=is_gpu)
    adapter = shape.num_adapter_parameters(config.sleep)
    wake, sleep = config.wake, config.sleep

    kept = config.model.max_length + wake.max_answer_tokens
    cache = config.model.batch_size * kept * shape.num_layers * 2 * shape.key_value * width
    budget = LOGITS_BUDGET["cuda" if is_gpu else "cpu"] * width
    logits = max(config.model.batch_size * shape.vocabulary * 8, budget)

    tokens = sleep.per_device_train_batch_size * sleep.max_length
    layer = (
        tokens
        * width
        * (6 * shape.hidden + 2 * shape.query + 2 * shape.key_value + 5 * shape.intermediate)
    )
    if sleep.gradient_checkpointing:
        activations = tokens * width * shape.hidden * shape.num_layers + layer
    else:
        activations = layer * shape.num_layers
    loss = tokens * shape.vocabulary * (2 * width + 8)
    return Footprint(
        weights=weights,
        wake=weights + adapter * 4 + cache + logits + extra,
        sleep=weights + adapter * 16 + activations + loss + extra,
        adapter_on_disk=adapter * 4,
    )


def _weights(shape: ModelShape, config: ModelConfig, *, is_gpu: bool) -> float:
    width = _bytes_each(config, is_gpu=is_gpu)
    if not config.load_in_4bit:
        return float(shape.num_parameters * width)
    rest = shape.num_parameters - shape.num_linear_parameters
    return shape.num_linear_parameters * NF4_BYTES + rest * width


def _bytes_each(config: ModelConfig, *, is_gpu: bool) -> int:
    if config.dtype == "auto":
        return 2 if is_gpu else 4
    return 2 if config.dtype == "bfloat16" else 4


def _is_target(name: str, targets: str | list[str]) -> bool:
    if targets == "all-linear":
        return True
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None  # as in PEFT
    return any(name == target or name.endswith(f".{target}") for target in targets)
