"""The arms of the world bench: one thing changed at a time.

An arm is a name, what it changes in the config, and who judges. Whatever the config cannot say
stands in a field of its own, and `bench/life.py` acts on it.
"""

from dataclasses import dataclass
from typing import Literal

from ddl_train.errors import ConfigError

NO_THRESHOLDS = (
    "wake.min_novelty=null",
    "wake.min_coherence=null",
    "wake.min_utility=null",
    "wake.min_support=null",
    "wake.min_rederived=null",
    "wake.max_disagreement=null",
    "evaluate.canaries_per_kind=null",
)
CAPPED = "max_insights=32"
"""A third of the true insights that eight cycles find on `standard`, seed 12 (LOG.md)."""
ATTENTION = "[q_proj,k_proj,v_proj,o_proj]"
MLP = "[gate_proj,up_proj,down_proj]"
QUIET = "neftune_noise_alpha=null"


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One variant of the loop."""

    name: str
    why: str
    """What it is to show, in half a line."""
    overrides: tuple[str, ...] = ()
    """Changes of the config, `section.key=value`."""
    critic: Literal["model", "oracle"] = "model"
    can_sleep: bool = True
    """False dreams on and never trains: insights are used in context only."""
    has_feedback: bool = True
    """False keeps insights out of the pairs that are dreamt on."""
    is_within: bool = False
    """True draws every pair from one literature."""
    is_placebo: bool = False
    """True trains on shuffled answers; its nights must be refused."""
    has_gate: bool = True
    """False makes every candidate the current adapter."""


def _lora(name: str, why: str, *overrides: str) -> Arm:
    return Arm(name=name, why=why, overrides=tuple(f"sleep.{text}" for text in overrides))


ARMS: tuple[Arm, ...] = (
    Arm(name="default", why="as configured"),
    _lora("from_base", "trained anew from the base each night", "method=from_base"),
    _lora("merged", "each night merged into the base of the next", "method=merge"),
    _lora("merged_gentle", "merged, at half the rate", "method=merge", "learning_rate=0.00125"),
    _lora("merged_no_decay", "merged, without decay", "method=merge", "weight_decay=0"),
    _lora("bare", "bare statements instead of questions both ways", "kinds=[restate]"),
    _lora(
        "bare_long",
        "bare statements, in about as many steps as the default's",
        "kinds=[restate]",
        "num_train_epochs=120",
    ),
    Arm(name="no_sleep", why="dreams only; insights in context", can_sleep=False),
    Arm(name="placebo", why="trained on shuffled answers", is_placebo=True),
    Arm(
        name="oracle_critic",
        why="the truth as critic",
        critic="oracle",
        overrides=("evaluate.canaries_per_kind=null",),  # it does not look at how one reasons
    ),
    Arm(name="no_critic", why="everything that parses is admitted", overrides=NO_THRESHOLDS),
    Arm(
        name="no_rederivation",
        why="scores only, no likelihood",
        overrides=("wake.min_rederived=null",),
    ),
    Arm(
        name="support",
        why="likelihood of the conclusion only",
        overrides=("wake.min_rederived=null", "wake.min_support=0.5"),
    ),
    Arm(name="no_feedback", why="no insight is dreamt upon", has_feedback=False),
    Arm(name="within", why="pairs of one literature only", is_within=True),
    Arm(name="no_gate", why="every night is kept", has_gate=False),
    Arm(name="uniform", why="all pairs alike", overrides=("wake.sampler={uniform: 1.0}",)),
    Arm(name="not_learned", why="samplers by their shares", overrides=("wake.sampler.learn=null",)),
    _lora(
        "sdft",
        "the base in context as teacher",
        "objective=sdft",
        QUIET,
        "sdft.shows_concepts=false",
        "general_share=0",
    ),
    _lora("sdft_concepts", "and it sees both concepts", "objective=sdft", QUIET, "general_share=0"),
    _lora(
        "sdft_recovery",
        "and brought back on general prompts",
        *("objective=sdft", QUIET, "sdft.shows_concepts=false", "general_share=0"),
        "sdft.recovery_share=0.5",
    ),
    _lora("statements_both", "statements and both directions", "kinds=[restate,forward,reverse]"),
    _lora("no_replay", "no earlier insights, no general rows", "replay_share=0", "general_share=0"),
    _lora("replay_0", "no earlier insights", "replay_share=0"),
    _lora("replay_10", "10 % of the rows from them", "replay_share=0.1"),
    _lora("replay_20", "20 %", "replay_share=0.2"),
    _lora("replay_40", "40 %", "replay_share=0.4"),
    _lora("long", "in as many steps as the epochs take", "max_steps=null"),
    _lora(
        "from_base_long", "anew, in as many steps as it takes", "method=from_base", "max_steps=null"
    ),
    _lora("capped", "a third of the insights in each night", CAPPED),
    _lora("from_base_capped", "anew, on a third of them", "method=from_base", CAPPED),
    _lora("merged_capped", "merged, a third in each night", "method=merge", CAPPED),
    _lora("general_0", "no general rows", "general_share=0"),
    _lora("no_link_0", "no rejected pairs", "no_link_share=0"),
    _lora("all_linear", "LoRA on every linear layer", "target_modules=all-linear"),
    _lora("rank_8", "rank 8", "r=8", "lora_alpha=16"),
    _lora("rank_32", "rank 32", "r=32", "lora_alpha=64"),
    _lora("rank_128", "rank 128", "r=128", "lora_alpha=256"),
    _lora("attention_only", "LoRA on attention only", f"target_modules={ATTENTION}"),
    _lora("mlp_only", "LoRA on the MLPs only", f"target_modules={MLP}"),
    _lora("rate_1e-3", "two fifths of the learning rate", "learning_rate=0.001"),
    _lora("rate_1e-2", "four times the learning rate", "learning_rate=0.01"),
    _lora("rows_32", "32 rows a step", "per_device_train_batch_size=32", "max_steps=290"),
    _lora("no_decay", "no weight decay", "weight_decay=0"),
    _lora("no_noise", "no noise on embeddings", QUIET),
    _lora("one_wording", "one item of a kind", "items_per_kind=1"),
    _lora("epochs_3", "3 epochs", "num_train_epochs=3"),
)
FIRST = ("default", "from_base", "merged", "bare", "no_sleep", "placebo")
"""The arms that get many seeds."""


def find_arms(names: list[str]) -> list[Arm]:
    """Arms by name, in the order asked; `all` and `first` are groups.

    Raises:
        ConfigError: there is no such arm.
    """
    by_name = {arm.name: arm for arm in ARMS}
    wanted: list[str] = []
    for name in names:
        wanted += {"all": list(by_name), "first": list(FIRST)}.get(name, [name])
    for name in wanted:
        if name not in by_name:
            raise ConfigError(f"there is no arm {name!r}; expected some of {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(wanted)]
