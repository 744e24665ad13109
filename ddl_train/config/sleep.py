"""Consolidation: study items, replay, LoRA."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ddl_train.config.self_distill import SelfDistillConfig
from ddl_train.config.stage import Share, StageConfig


class SleepConfig(StageConfig):
    """Consolidation: study items, replay, LoRA."""

    kinds: list[str] = Field(
        default=["restate", "forward", "reverse", "implication", "application", "propose"],
        min_length=1,
    )
    """Study templates of the pack. `propose` asks nothing: it is the dream itself, both parents and
    the idea, and balances the rows answered NONE."""
    items_per_kind: int = Field(1, gt=0)
    """Items asked for each insight and template, the first greedily, the others drawn at random; a
    kind asks the same once. What is studied in one wording only may be known in no other."""
    min_answer_support: Share | None = 0.2
    """A study item is used only when the base, given the insight, finds its answer at least this
    probable (geometric mean a token)."""
    max_insights: int = Field(400, gt=0)
    """Cap on the insights of one night: tonight's first, then earlier ones. `from_base` keeps the
    strongest of these; `continue` and `merge` others every night, those first that the last night
    did not answer."""
    replay_share: Share = 0.2
    """Largest share of rows from insights of earlier nights, which come half as often as tonight's;
    of no effect with `from_base`, which trains on every row of every kept insight: nothing else
    would bring earlier insights back."""
    general_share: Share = 0.1
    """Share of all rows of the night from `general` files; without files it is left out and said
    so."""
    no_link_share: Share = 0.1
    """Share of all rows of the night in which a rejected pair is answered NONE."""
    general: list[str] = Field(default_factory=list)
    """JSONL files of `prompt` and `completion`, or text files. A prompt with several right answers
    wants a row for each: one alone teaches that the others are wrong. What is replayed becomes
    likelier than what is not, unless the base's own answers to questions that nobody can answer are
    among the rows (pseudo-rehearsal, Robins 1995)."""
    objective: Literal["sft", "sdft"] = "sft"
    """`sft` trains on the answers of the study items; `sdft` has no answers: the base, with concepts
    and insight in view, judges what the model says without (context self-distillation)."""
    sdft: SelfDistillConfig = SelfDistillConfig()
    method: Literal["from_base", "continue", "merge"] = "from_base"
    """`from_base` trains one adapter from the frozen base on all kept insights; `continue` goes
    on from the current adapter; `merge` trains a new one on the base with the current one in it,
    so that ranks add up."""
    r: int = Field(16, gt=0)
    lora_alpha: int = Field(32, gt=0)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: str | list[str] = "all-linear"
    """As in PEFT: names of modules, or one regular expression of whole names."""
    learning_rate: float = Field(2e-4, gt=0)
    lr_scheduler_type: Literal["linear", "cosine"] = "cosine"
    warmup_steps: int = Field(5, ge=0)
    """Steps over which the learning rate rises; at most a tenth of the night's, so that a night of
    fewer than 10 steps has none and still learns."""
    num_train_epochs: float = Field(2.0, gt=0)
    """Passes over the study rows; each draws on through general text and decoys."""
    max_steps: int | None = Field(None, gt=0)
    """Cap on the optimizer steps of a night: a longer one has fewer epochs, so that every night
    costs the same however much is known. None is no cap."""
    per_device_train_batch_size: int = Field(8, gt=0)
    """Rows a forward pass holds; with `packing` it holds one pack of `max_length` tokens."""
    gradient_accumulation_steps: int = Field(1, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled, as in AdamW. No delta is the base, so it is the base that this pulls towards: what
    drifted and no row of the night holds comes back (L2-SP, Li et al. 2018, arXiv:1802.01483)."""
    neftune_noise_alpha: float | None = Field(None, gt=0)
    """Noise on the embeddings of what is studied, so that it is known in other words too: uniform, up to
    this over the root of tokens times width (NEFTune, Jain et al. 2023, arXiv:2310.05914, who take 5 to
    15). With `padding_free` or `packing` the tokens of a batch or a pack count as one sequence, and the same
    noise is a larger number. None is none."""
    max_grad_norm: float = Field(1.0, gt=0)
    max_length: int = Field(512, gt=0)
    """Rows longer than this many tokens are left out and counted, never cut."""
    padding_free: bool = False
    """The rows of a batch in one sequence, apart from each other: the same loss and the same
    batches without padding, for short rows twice as fast. Attention grows with the whole batch."""
    packing: bool = False
    """As many rows as fit `max_length` in one sequence, chosen by length: fewest tokens, but rows
    alike in length are alike in kind, which taught the seedling less."""
    gradient_checkpointing: bool = False
    save_steps: int = Field(100, gt=0)
    """What a crash repeats at most, in optimizer steps."""
    report_to: list[str] = Field(default_factory=list)
    """Trainer integrations: tensorboard, trackio, wandb."""
    num_processes: int = Field(1, gt=0)
    """Processes that train together, one GPU each. They share the rows of a step, so it must divide
    `per_device_train_batch_size` x `gradient_accumulation_steps`: any number trains the same."""
    accelerate_config: str = "ddp"
    """How several processes share the base: `ddp`, each holding all of it, `fsdp2`, each holding a
    share (GPUs only), or a file that `accelerate config` has written."""

    @property
    def rows_per_step(self) -> int:
        """Rows (with `packing`, packs) of an optimizer step, over all processes."""
        rows = 1 if self.packing else self.per_device_train_batch_size
        return rows * self.gradient_accumulation_steps

    @property
    def max_items(self) -> int:
        """Rows of an insight, where no question comes twice."""
        num_dreams = self.kinds.count("propose")
        return (len(self.kinds) - num_dreams) * self.items_per_kind + num_dreams

    @model_validator(mode="after")
    def _shared_evenly(self) -> "SleepConfig":
        if self.rows_per_step % self.num_processes:
            what = "packs" if self.packing else "rows"
            raise ValueError(
                f"num_processes {self.num_processes} does not divide the {self.rows_per_step} "
                f"{what} of a step; set per_device_train_batch_size or gradient_accumulation_steps "
                "to a multiple of it"
            )
        if self.num_processes > 1 and self.objective != "sft":
            raise ValueError(
                f"num_processes is {self.num_processes} and objective {self.objective!r}; only sft "
                "trains in several processes"
            )
        if self.num_processes == 1 and self.accelerate_config != "ddp":
            raise ValueError(
                f"accelerate_config is {self.accelerate_config!r} and num_processes is 1; set "
                "num_processes to the number of GPUs"
            )
        return self

    @model_validator(mode="after")
    def _steps_of_rows(self) -> "SleepConfig":
        if self.packing and self.max_steps is not None:
            raise ValueError(
                f"max_steps is {self.max_steps} and packing true; how many rows a pack holds is not "
                "known before, so set packing to false or leave max_steps out"
            )
        return self

    @model_validator(mode="after")
    def _sdft_makes_its_own_batches(self) -> "SleepConfig":
        if self.objective == "sdft" and (self.packing or self.method == "merge"):
            raise ValueError(
                "objective sdft takes neither packing nor method merge; set packing to false and "
                "method to from_base or continue"
            )
        return self

    @model_validator(mode="after")
    def _noise_is_on_rows(self) -> "SleepConfig":
        if self.objective == "sdft" and self.neftune_noise_alpha is not None:
            raise ValueError(
                f"neftune_noise_alpha is {self.neftune_noise_alpha:g} and objective 'sdft'; noise is for "
                "sft, so set it to null"
            )
        return self

    @field_validator("target_modules")
    @classmethod
    def _is_an_expression(cls, value: str | list[str]) -> str | list[str]:
        if isinstance(value, str):
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _room_for_new_rows(self) -> "SleepConfig":
        shares = self.replay_share + self.general_share + self.no_link_share
        if shares >= 1:
            raise ValueError(
                f"replay_share, general_share and no_link_share add up to {shares:g} and leave "
                "nothing for new insights; expected less than 1"
            )
        return self
