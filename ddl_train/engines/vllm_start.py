"""Starting vLLM, and whether it can be; not verified, like all of `vllm_engine.py`."""

import importlib
import importlib.util
from typing import Any

import torch

from ddl_train.config import ModelConfig, VllmConfig
from ddl_train.engines.loading import choose_device, choose_dtype
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import ConfigError, ResourceError


def check_vllm(model: ModelConfig) -> None:
    """Look whether vLLM could be started, without starting it.

    Raises:
        ResourceError: it is not installed, or there is no GPU.
        ConfigError: the base is quantised.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ResourceError("wake.vllm needs the package vllm; install `ddl-train[vllm]`")
    if choose_device(model).type != "cuda":
        raise ResourceError("wake.vllm needs a CUDA GPU, and none is used here; leave it out")
    if model.load_in_4bit:
        raise ConfigError("wake.vllm does not go with model.load_in_4bit; leave one of them out")


def start_vllm(local: TransformersEngine, config: VllmConfig, *, room: int) -> Any:
    """A `vllm.LLM` with the local base, sleep mode and adapters.

    Args:
        local: the base.
        config: memory and ranks.
        room: tokens beyond `model.max_length` that a sequence may have.

    Raises:
        ResourceError: it does not start.
    """
    model = local.config
    dtype = choose_dtype(model, torch.device("cuda"))
    longest = model.max_length + room
    try:
        return importlib.import_module("vllm").LLM(
            model=model.base,
            revision=local.revision,
            dtype="bfloat16" if dtype is torch.bfloat16 else "float32",
            trust_remote_code=False,
            max_model_len=min(longest, local.max_positions or longest),
            gpu_memory_utilization=config.gpu_memory_utilization,
            enable_sleep_mode=True,
            enable_lora=True,
            max_lora_rank=config.max_lora_rank,
            **config.llm_kwargs,
        )
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ResourceError(f"wake.vllm: vLLM does not start: {reason}") from error
