"""vLLM in this process, on the GPU that the base is on: who it stands in for, and how much it takes."""

from typing import Any, Literal

from pydantic import Field

from ddl_train.config.stage import StageConfig

Role = Literal["generator", "critic"]


class VllmConfig(StageConfig):
    """vLLM dreams and judges in wake, and sleeps while the base is trained and measured.

    Not verified: written against the documentation and source of vLLM 0.31, never run here.
    """

    roles: list[Role] = Field(default=["generator", "critic"], min_length=1)
    """Whom it stands in for; the other is the local base, or a server."""
    gpu_memory_utilization: float = Field(0.5, gt=0, lt=1)
    """Share of the GPU's memory for its copy of the weights and its cache; the base stays beside it."""
    max_lora_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = 64
    """Largest rank of an adapter that it can carry; `sleep.method: merge` adds ranks up."""
    llm_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of `vllm.LLM`, for example `enforce_eager: true`."""
