"""Daydreaming: how pairs are drawn, guarded and judged."""

from pydantic import Field, model_validator

from ddl_train.config.cascade import CascadeConfig
from ddl_train.config.guards import GuardConfig
from ddl_train.config.operators import CONNECT, OperatorBudgetConfig, Shares, VerbalisedConfig
from ddl_train.config.sampler import SamplerConfig
from ddl_train.config.schedules import MinP, Moment, ScheduleConfig, Temperature, value_at
from ddl_train.config.server import CriticServerConfig, GeneratorServerConfig
from ddl_train.config.stage import Share, StageConfig
from ddl_train.config.stopping import StoppingConfig
from ddl_train.config.vllm import VllmConfig
from ddl_train.config.workers import Workers

HEADING_TOKENS = 20
"""Room for the number and the stated probability before each of several ideas."""


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
    vllm: VllmConfig | None = None
    """vLLM on the base's GPU dreams and judges in place of the local base; not verified."""
    workers: Workers = None
    """A Ray cluster whose workers do in wake what the local base would: its address alone
    (`ray://HOST:10001`, `auto`, `ray`) or a section. None: this process alone."""
    prompts: str = "default"
    """Prompt pack: `default`, `terse`, or a folder of your own."""
    operators: Shares = Field(
        default_factory=lambda: {CONNECT: 1.0}, json_schema_extra={"default": {CONNECT: 1.0}}
    )
    """Operator -> share of the pairs that are dreamt on with it; they are normalised to sum to 1.
    `connect` is the pack's template `propose`, any other NAME its template `operator_NAME`; the
    pack `default` has `analogy`, `mechanism`, `contradiction`, `combination` and `question`.
    Probes are dreamt on with `connect`."""
    operator_budget: OperatorBudgetConfig = OperatorBudgetConfig()
    verbalised: VerbalisedConfig | None = None
    """Several ideas in one answer, by the pack's template `verbalised`. None asks for one."""
    max_new_tokens: int = Field(160, gt=0)
    """Of an idea."""
    temperature: Temperature = 0.8
    """A number, 0 for greedy, or a schedule: `{start: 1.1, end: 0.7, over: cycles}`."""
    top_p: float = Field(1.0, gt=0, le=1)
    min_p: MinP = 0.05
    """Tokens less likely than this share of the likeliest are left out; a number or a schedule."""
    min_novelty: float | None = Field(5.0, ge=1, le=10)
    min_coherence: float | None = Field(6.0, ge=1, le=10)
    min_utility: float | None = Field(4.0, ge=1, le=10)
    min_support: Share | None = None
    """Smallest geometric mean probability of the conclusion under the frozen base, given the
    concepts and the reasoning. None does not ask; 0.5 serves the seedling."""
    min_rederived: Share | None = None
    """Smallest geometric mean probability of the whole idea under the frozen base, given the
    concepts in either order. What was misread in one order is seldom misread alike in the other,
    where a score misreads it too. For packs in which an idea can be worded in one way only, and asked
    with the template `propose` whatever operator brought it. None does not ask; 0.98 serves the
    seedling, and leaves nothing to `min_support`."""
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

    @model_validator(mode="after")
    def _probability(self) -> "WakeConfig":
        if isinstance(self.min_p, ScheduleConfig) and max(self.min_p.start, self.min_p.end) > 1:
            raise ValueError("min_p must start and end at 1 or less")
        return self

    @property
    def max_answer_tokens(self) -> int:
        """Of an answer: an idea, or all that are asked for at once with their headings."""
        if self.verbalised is None:
            return self.max_new_tokens
        return self.verbalised.num_ideas * (self.max_new_tokens + HEADING_TOKENS)

    def temperature_at(self, moment: Moment | None = None) -> float:
        """Of a batch; without one, where a schedule ends."""
        return value_at(self.temperature, moment)

    def min_p_at(self, moment: Moment | None = None) -> float:
        """Of a batch; without one, where a schedule ends."""
        return value_at(self.min_p, moment)

    @property
    def has_schedule(self) -> bool:
        """Whether batches differ in how they are sampled."""
        return any(isinstance(one, ScheduleConfig) for one in (self.temperature, self.min_p))

    @model_validator(mode="after")
    def _one_for_each_role(self) -> "WakeConfig":
        if self.vllm is None:
            return self
        if self.workers is not None:
            raise ValueError(
                "vllm and workers both stand in for the local base; workers run transformers, so "
                "leave one of the two out"
            )
        if "generator" in self.vllm.roles and self.stopping.is_on:
            raise ValueError(
                "stopping is for the local generator, and vllm dreams; leave "
                "stopping.min_mean_logprob and stopping.max_repeats out"
            )
        for role in self.vllm.roles:
            if getattr(self, role) is not None:
                raise ValueError(
                    f"vllm and a server both stand in for the {role}; leave {role} out, or take it "
                    "out of vllm.roles"
                )
        return self
