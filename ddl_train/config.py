"""What a run is told: one pydantic model per stage, read from YAML, unknown keys fatal.

A stage receives its own part (`config.wake`), never the whole. Nothing here imports torch.
"""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ddl_train.errors import ConfigError

COMMAND_LINE = "command line"
"""Where overrides come from, in errors."""

Share = Annotated[float, Field(ge=0, le=1)]


class StageConfig(BaseModel):
    """Frozen; a key that no field has is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


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
    """Sequences a forward pass holds when generating and scoring."""
    max_length: int = Field(1024, gt=0)
    """Prompts longer than this many tokens are refused, never cut in silence."""


class MemoryConfig(StageConfig):
    """What is known: sources, their pieces, their vectors."""

    sources: list[str] = Field(min_length=1)
    """Files, folders, globs (Markdown, text, JSONL, Parquet; PDF, HTML and Office with the
    `documents` extra) and dataset directories."""
    text_column: str = "text"
    """Column or key that holds the text in JSONL, Parquet and datasets."""
    max_tokens: int = Field(120, gt=0)
    """Longest piece, in words (characters where there are no spaces between words)."""
    unit: Literal["sentence", "chunk"] = "chunk"
    """A concept is one sentence, or a piece of up to `max_tokens` split at natural bounds."""
    embedder: str = "hidden_states"
    """`hidden_states` of the base, `words` (hashed, long ones weigh more; neither downloads
    anything), or `sentence-transformers:NAME_OR_PATH`."""
    license: str | None = None
    """Licence of the sources, as the Hub spells it (`cc-by-4.0`); `publish` needs to know it."""
    held_out_share: Share = 0.1
    """Share of the source documents that wake and sleep never see, for retention: at least one of
    three or more, unless the share is 0."""


class SamplerConfig(StageConfig):
    """Shares of the mixture that draws pairs. They are normalised to sum to 1."""

    uniform: float = Field(1.0, ge=0)
    """Every pair alike, without repetition, through a keyed permutation of the pair space."""
    distance_band: float = Field(0.0, ge=0)
    """Pairs whose cosine lies between `band_low` and `band_high`."""
    near_other_source: float = Field(0.0, ge=0)
    """A concept and one of its nearest neighbours from another source."""
    strength: float = Field(0.0, ge=0)
    """Both concepts drawn by strength: insights that were built upon come up more."""
    insight: float = Field(0.0, ge=0)
    """An insight with a near neighbour of it: finds get built upon."""
    band_low: float = Field(0.1, ge=-1, le=1)
    band_high: float = Field(0.6, ge=-1, le=1)
    num_neighbours: int = Field(20, gt=0)
    """How far down the list of nearest neighbours the neighbour samplers reach."""

    @model_validator(mode="after")
    def _some_share(self) -> "SamplerConfig":
        shares = (
            self.uniform + self.distance_band + self.near_other_source + self.strength
        ) + self.insight
        if shares <= 0:
            raise ValueError("every sampler has share 0; give at least one a positive share")
        if self.band_low >= self.band_high:
            raise ValueError(f"band_low {self.band_low} must be below band_high {self.band_high}")
        return self


class GuardConfig(StageConfig):
    """Cheap refusals before the critic is asked. None is off."""

    is_enabled: bool = True
    """False passes everything but NONE and the empty; what does not parse as an idea is taken as a
    conclusion whole. For tests on random weights."""
    min_characters: int = Field(12, ge=0)
    max_characters: int = Field(1200, gt=0)
    max_repetition: Share | None = 0.4
    """Largest share of repeated 3-grams (characters where there are no spaces)."""
    min_compression: Share | None = 0.25
    """Compressed over raw size below this is repetition."""
    max_overlap: Share | None = 0.8
    """Largest share of the conclusion's n-grams found in one of the two concepts."""
    min_touch: Share | None = 0.0
    """Share of content n-grams of each concept that the idea must exceed touching."""
    max_cosine: float | None = Field(0.98, ge=-1, le=1)
    """A conclusion nearer than this to memory or to this batch is a near-duplicate."""


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


class SleepConfig(StageConfig):
    """Consolidation: study items, replay, LoRA."""

    kinds: list[str] = Field(
        default=["restate", "forward", "reverse", "implication", "application", "propose"],
        min_length=1,
    )
    """Study templates of the pack, each asked once an insight. `propose` asks nothing: it is the
    dream itself, both parents and the idea, and balances the rows answered NONE."""
    min_answer_support: Share | None = 0.2
    """A study item is used only when the base, given the insight, finds its answer at least this
    probable (geometric mean a token)."""
    max_insights: int = Field(400, gt=0)
    """Cap on the insights of one night; tonight's first, then earlier ones by strength."""
    replay_share: Share = 0.2
    """Share of rows from insights of earlier nights, but for `from_base`, which trains on
    every row of every kept insight: nothing else would bring earlier insights back."""
    general_share: Share = 0.1
    """Share of all rows of the night from `general` files; without files it is left out and said
    so."""
    no_link_share: Share = 0.1
    """Share of all rows of the night in which a rejected pair is answered NONE."""
    general: list[str] = Field(default_factory=list)
    """JSONL files of `prompt` and `completion`, or text files."""
    objective: Literal["sft"] = "sft"
    method: Literal["from_base", "continue", "merge"] = "from_base"
    """`from_base` trains one adapter from the frozen base on all kept insights; `continue` goes
    on from the current adapter; `merge` trains a new one on the base with the current one in it,
    so that ranks add up."""
    r: int = Field(16, gt=0)
    lora_alpha: int = Field(32, gt=0)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: str | list[str] = "all-linear"
    learning_rate: float = Field(2e-4, gt=0)
    lr_scheduler_type: Literal["linear", "cosine"] = "cosine"
    warmup_steps: int = Field(5, ge=0)
    """Steps over which the learning rate rises; at most a tenth of the night's, so that a night of
    fewer than 10 steps has none and still learns."""
    num_train_epochs: float = Field(2.0, gt=0)
    """Passes over the study rows; each draws on through general text and decoys."""
    per_device_train_batch_size: int = Field(8, gt=0)
    """Rows a forward pass holds; with `packing` it holds one pack of `max_length` tokens."""
    gradient_accumulation_steps: int = Field(1, gt=0)
    weight_decay: float = Field(0.0, ge=0)
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

    @model_validator(mode="after")
    def _room_for_new_rows(self) -> "SleepConfig":
        shares = self.replay_share + self.general_share + self.no_link_share
        if shares >= 1:
            raise ValueError(
                f"replay_share, general_share and no_link_share add up to {shares:g} and leave "
                "nothing for new insights; expected less than 1"
            )
        return self


class EvaluateConfig(StageConfig):
    """Held-out probes. A probe file is JSONL, Parquet, or a folder that `datasets` saved."""

    truth: list[str] = Field(default_factory=list)
    """Probe files of what ought to become known."""
    retention: list[str] = Field(default_factory=list)
    """Probe files and plain text files of what must not be forgotten."""
    skill: list[str] = Field(default_factory=list)
    """Probe files of what the base can do in context."""
    false_memory: list[str] = Field(default_factory=list)
    """Probe files whose `answers` are falsehoods that must not be believed."""
    num_distractors: int = Field(4, ge=1)
    """Wrong answers an uptake question is ranked against, taken from other insights."""
    max_uptake_insights: int = Field(200, gt=0)
    """Tonight's insights first, then a sample of earlier ones."""
    max_items: int = Field(1000, gt=0)
    """Cap on each suite; a seeded sample beyond."""
    max_new_tokens: int = Field(48, gt=0)
    """Of generated answers; a right answer that is longer gets the room it needs."""
    num_dream_pairs: int | None = Field(32, ge=10)
    """Pairs, never dreamt on, that every adapter dreams on for `diversity` and `wake`. None does
    not ask."""
    num_context: int | None = Field(24, gt=0)
    """Uptake questions asked again with the insight in the prompt, and with what memory holds
    nearest, for `context`. None does not ask."""
    num_retrieved: int = Field(3, gt=0)
    """Concepts of memory that a question of `context` is given."""
    iteration: int | None = Field(None, gt=0)
    """Puzzles of each kind and step of difficulty for `iteration` (word grids, cellular automata,
    Life). None does not ask: they say much about the base and little about a night."""
    lm_eval: list[str] = Field(default_factory=list)
    """Tasks of lm-evaluation-harness, by name or as a YAML file, that `ddl-train eval` asks beside
    the rest (extra `lm-eval`). No cycle asks them."""
    canaries_per_kind: int | None = Field(3, gt=0)
    """Proposals of each kind that the critic must refuse, before every night. None does not
    examine it; nor is it examined with `wake.guards` switched off."""
    num_good_ideas: int = Field(20, gt=0)
    """Admitted insights that the critic must still keep."""
    max_false_accepts: Share | None = 0.05
    """Largest share of canaries let in, guards on; beyond, the night does not start."""
    min_good_kept: Share | None = 0.8
    """Smallest share of good ideas kept; below, the night does not start."""
    min_trials: int = Field(20, gt=0)
    """Canaries, or good ideas, from which on these two bind."""


class Bounds(StageConfig):
    """Of one harm: beyond `warn` it is said, beyond `block` the night is refused.

    Refused is also a suite so small that its confidence bound cannot exclude twice `block`.
    """

    warn: float = Field(ge=0)
    block: float = Field(ge=0)

    @model_validator(mode="after")
    def _warn_first(self) -> "Bounds":
        if self.warn > self.block:
            raise ValueError(f"warn {self.warn:g} must not exceed block {self.block:g}")
        return self


class PromoteConfig(StageConfig):
    """The promotion gate. Harms are against the adapter in use and against the untouched base."""

    mode: Literal["uptake", "strict"] = "uptake"
    """`strict` also needs a gain in truth."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """That none of the planned nights is promoted without a gain; each night gets an even share
    of the rest. For harms, of each bound by itself."""
    min_items: int = Field(10, gt=0)
    """Fewer items than this in a suite that decides are a refusal."""
    min_gain: Share | None = None
    """Noise floor: gain in uptake that null nights bring, as `ddl-train bench gate` measures it. A
    night must have gained more by its lower bound. None: not measured, taken as 0."""
    effect: Share = 0.1
    """Gain beyond the noise floor for which the gate says how many items would show it."""
    retention: Bounds = Bounds(warn=0.025, block=0.05)
    """Loss of accuracy on what must not be forgotten."""
    skill: Bounds = Bounds(warn=0.025, block=0.05)
    """Loss of accuracy in what the base can do in context."""
    false_memory: Bounds = Bounds(warn=0.05, block=0.1)
    """Rise of the share of falsehoods believed. Wider than the others: what the base guesses at
    flips by chance, so that 140 questions tell 0.1 from nothing and 0.05 would take 500."""
    diversity: Bounds = Bounds(warn=0.1, block=0.25)
    """Loss of diversity of proposals, as the suite scores it. Collapse is slow: half of it may
    pass for taste."""
    critic: Bounds = Bounds(warn=0.01, block=0.02)
    """Loss on canaries that the critic must refuse or keep."""
    eos: Bounds = Bounds(warn=0.02, block=0.05)
    """Loss in the share of answers (retention and skill) that come to an end by themselves."""
    length: Bounds = Bounds(warn=0.2, block=0.5)
    """Change of the mean log length of these answers; 0.5 is 40 % shorter or 65 % longer."""
    loss: Bounds = Bounds(warn=0.05, block=0.15)
    """Rise of the mean token loss on retention texts, in nats; 0.15 is 16 % more perplexity."""
    kl: Bounds = Bounds(warn=0.1, block=0.3)
    """Rise of the divergence from the base, in nats a token, where a report has it."""
    scale_factors: list[Annotated[float, Field(gt=0, lt=1)]] = [0.9, 0.75, 0.5]
    """A night refused for forgetting only is tried again with its delta scaled by these, the
    largest first; an empty list throws it away at once."""
    num_resamples: int = Field(2000, gt=0)
    """At least; a small share of alpha takes more."""

    @model_validator(mode="before")
    @classmethod
    def _one_bound_keeps_the_other(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        filled = dict(values)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Bounds) and isinstance(values.get(name), dict):
                filled[name] = field.default.model_dump() | values[name]
        return filled


class DistillConfig(StageConfig):
    """A student of the promoted adapter, and what it must have kept to be of use."""

    num_prompts: int = Field(2048, ge=0)
    """Prompts that a student answers, or is taught the answers of; those that there are come round
    again until there are so many."""
    wake_share: Share = 0.2
    """Share of prompts that show a pair to dream on."""
    general_share: Share = 0.3
    """Share of prompts from `sleep.general`; the rest are study questions."""
    learning_rate: float | None = Field(None, gt=0)
    """None takes a fifth of `sleep.learning_rate` on-policy, half of it offline."""
    warmup_steps: int = Field(5, ge=0)
    per_device_train_batch_size: int = Field(32, gt=0)
    """Prompts of an optimizer step."""
    beta: Share = 1.0
    """On-policy divergence: 1 is the reverse KL, 0 the forward KL, between them the generalised
    Jensen-Shannon divergence."""
    temperature: float = Field(1.0, gt=0)
    """At which a student writes what the teacher judges, and of both in the loss."""
    max_new_tokens: int = Field(48, gt=0)
    """Of an answer in training."""
    save_steps: int = Field(50, gt=0)
    """What a crash repeats at most, in optimizer steps."""
    min_kept: Share = 0.9
    """Share of the teacher's gain that a student of lower rank must have kept."""
    min_kept_smaller: Share = 0.75
    """The same for a student on a smaller base."""
    min_items: int = Field(500, gt=0)
    """Questions of uptake and truth below which no student is let through."""
    max_items: int = Field(2000, gt=0)
    """Cap on each suite, in place of `evaluate.max_items` and `max_uptake_insights`, where these
    are lower."""

    @model_validator(mode="after")
    def _room_for_study(self) -> "DistillConfig":
        if self.wake_share + self.general_share >= 1:
            raise ValueError(
                f"wake_share and general_share add up to {self.wake_share + self.general_share:g} "
                "and leave nothing for study questions; expected less than 1"
            )
        return self


class Config(StageConfig):
    """A whole run."""

    name: str
    """Of the run: its folder under `checkpoints/`. Defaults to the stem of the config file."""
    checkpoints_dir: str = "checkpoints"
    seed: int = 0
    num_cycles: int = Field(3, gt=0)
    price_per_million_tokens: float | None = Field(None, ge=0)
    """For the tax in money. None leaves money out."""
    model: ModelConfig
    memory: MemoryConfig
    wake: WakeConfig = WakeConfig()
    sleep: SleepConfig = SleepConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    promote: PromoteConfig = PromoteConfig()
    distill: DistillConfig = DistillConfig()

    @property
    def run_dir(self) -> Path:
        return Path(self.checkpoints_dir) / self.name


CHANGEABLE = (
    "num_cycles",
    "price_per_million_tokens",
    "memory.sources",
    "memory.license",
    "model.license",
    "wake",
    "sleep",
    "evaluate",
    "promote",
    "distill",
    "model.batch_size",
    "model.device",
    "model.max_length",
)
"""Keys (or their beginnings) that may differ when a run is resumed; all else makes it another
run."""


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML config and apply `section.key=value` overrides.

    Raises:
        ConfigError: the file cannot be read or parsed, a key is unknown, a value is impossible.
    """
    path = Path(path)
    values = _read_yaml(path)
    for override in overrides or []:
        _apply(values, override)
    values.setdefault("name", path.stem)
    given = [override.partition("=")[0].strip() for override in overrides or []]
    return parse_config(values, where=path.name, overridden=given)


def parse_config(values: dict[str, Any], *, where: str, overridden: Sequence[str] = ()) -> Config:
    """Check plain values against the schema.

    Args:
        values: as YAML gives them.
        where: they come from, for errors.
        overridden: dotted keys that come from the command line instead.

    Raises:
        ConfigError: a key is unknown or missing, a value is impossible.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, where, overridden)) from None
    if not config.name or Path(config.name).name != config.name or config.name.startswith("."):
        raise ConfigError(
            f"{COMMAND_LINE if 'name' in overridden else where}: name is {config.name!r}; expected a plain folder name without slashes"
        )
    return config


def changed_keys(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """Dotted keys whose values differ, each with the old and the new value."""
    before, after = _flatten(old.model_dump()), _flatten(new.model_dump())
    keys = sorted(before.keys() | after.keys())
    return [
        (key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    ]


def is_changeable(key: str) -> bool:
    """True when a resumed run may have another value under this dotted key."""
    return any(key == name or key.startswith(name + ".") for name in CHANGEABLE)


def dump_yaml(config: Config) -> str:
    """The resolved config as YAML, every key present."""
    return yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True)


def json_schema() -> str:
    """JSON schema of a config file."""
    return json.dumps(Config.model_json_schema(), indent=2)


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice and keeps `no`, `on`, `off` as text."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} is written twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file; configs/ holds examples") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a UTF-8 text file ({error})") from None
    try:
        values = yaml.load(text, _UniqueKeyLoader)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(f"{path}{line}: {problem}; expected a YAML mapping of stages") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: holds {type(values).__name__}; expected a mapping with model: and memory:"
        )
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {override!r} is not of the form section.key=value")
    *sections, last = key.strip().split(".")
    place = values
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"override {override!r}: {section!r} is a value, not a section")
        place = inner
    try:
        place[last] = yaml.load(text, _UniqueKeyLoader) if text else None
    except yaml.YAMLError:
        raise ConfigError(f"override {override!r}: {text!r} is not a YAML value") from None


def _explain(error: ValidationError, where: str, overridden: Sequence[str]) -> str:
    """All problems of a config in one sentence each, by where they come from."""
    found: dict[str, list[str]] = {}
    for problem in error.errors():
        sentence = _sentence(problem)
        place = [str(part) for part in problem["loc"]]
        is_ours = any(_is_about(key.split("."), place, sentence) for key in overridden)
        found.setdefault(COMMAND_LINE if is_ours else where, []).append(sentence)
    return "; ".join(f"{origin}: {'; '.join(said)}" for origin, said in found.items())


def _is_about(key: list[str], place: list[str], sentence: str) -> bool:
    """Whether a problem at a place comes of a key; one of a section is about the keys it names."""
    if place[: len(key)] == key or key[: len(place)] != place:
        return place[: len(key)] == key
    return key[-1] in re.findall(r"\w+", sentence)


def _sentence(problem: ErrorDetails) -> str:
    place = [str(part) for part in problem["loc"]]
    section = ".".join(place[:-1])
    inside = f"{section} " if section else ""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _keys_of(place[:-1]), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{inside}has unknown key {place[-1]!r}{hint}"
    if problem["type"] == "missing":
        return f"{inside}lacks the key {place[-1]!r}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("model_type", "model_attributes_type"):
        message = "expected a section with keys"
    # a check of a whole section names its keys itself
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return f"{'.'.join(place)}: {message}"
    return f"{'.'.join(place)}: got {problem['input']!r}; {message}"


def _keys_of(sections: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = (
            model.model_fields[section].annotation if section in model.model_fields else None
        )
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and key != "chat_template_kwargs":
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
