"""Daydreaming: how pairs are drawn, guarded and judged."""

from pydantic import Field, model_validator

from ddl_train.config.cascade import CascadeConfig
from ddl_train.config.guards import GuardConfig
from ddl_train.config.sampler import SamplerConfig
from ddl_train.config.server import CriticServerConfig, GeneratorServerConfig
from ddl_train.config.stage import Share, StageConfig
from ddl_train.config.stopping import StoppingConfig


class WakeConfig(StageConfig):
    """Daydreaming: pairs in, verdicts out."""

    num_pairs: int = Field(256, gt=0)
    """Pairs dreamt on each cycle."""
    batch_size: int = Field(64, gt=0)
    """Pairs between two writes: what a crash repeats at most, and how soon an insight can be
    dreamt upon."""
    revisit_share: Share = 0.1
    """Share of each batch that re-draws pairs an earlier adapter rejected, once there are any."""
    sampler: SamplerConfig = SamplerConfig()
    guards: GuardConfig = GuardConfig()
    stopping: StoppingConfig = StoppingConfig()
    cascade: CascadeConfig = CascadeConfig()
    generator: GeneratorServerConfig | None = None
    """A server that dreams. None: the local base with the current adapter."""
    critic: CriticServerConfig | None = None
    """A server that judges. None: the local base without an adapter."""
    prompts: str = "default"
    """Prompt pack: `default`, `terse`, or a folder of your own."""
    max_new_tokens: int = Field(160, gt=0)
    temperature: float = Field(0.8, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    min_p: float = Field(0.05, ge=0, le=1)
    min_novelty: float | None = Field(5.0, ge=1, le=10)
    min_coherence: float | None = Field(6.0, ge=1, le=10)
    min_utility: float | None = Field(4.0, ge=1, le=10)
    min_support: Share | None = None
    """Smallest geometric mean probability of the conclusion under the frozen base, given the
    concepts and the reasoning. None does not ask; 0.5 serves the seedling."""
    max_disagreement: float | None = Field(2.0, ge=0, le=9)
    """Largest change of an axis, in points, under another order of the criteria. None does not
    ask, and saves half of the critic's work."""
    quota: int | None = Field(None, gt=0)
    """Admit the best so many of each cycle by the sum of the axes instead of by thresholds."""
    explain: bool = True
    """Generate a rationale for what is admitted."""

    @model_validator(mode="after")
    def _who_can_stop(self) -> "WakeConfig":
        if self.generator is not None and self.stopping.is_on:
            raise ValueError(
                "stopping is for the local generator, and wake.generator names a server; leave "
                "stopping.min_mean_logprob and stopping.max_repeats out"
            )
        return self
