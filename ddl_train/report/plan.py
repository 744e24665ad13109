"""What a run would do, before it does it: `ddl-train run CONFIG --dry-run`.

Nothing is written and no weight is loaded. Memory follows the formulas of `footprint.py`. Tokens are
counted with the base's own tokenizer on the run's own prompts. How many dreams become ideas nobody
knows beforehand, so wake is a range: from every pair answered NONE to every pair giving an idea that
the critic reads. Sleep assumes `IDEAS_PER_PAIR`, or the quota. Time assumes that a share
(`machine.SHARE_OF_PEAK`) of the matrix speed measured on the spot is reached, and adds for each call
of the model what a call costs at least (`passes.py`); `status` says afterwards what it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from ddl_train.config import Config, ModelConfig, WakeConfig
from ddl_train.errors import ModelError, ResourceError
from ddl_train.memory.kinds import Kind, kinds_for, limits_of
from ddl_train.memory.sources import num_held_out
from ddl_train.records import AXES, Chunk, Prompts
from ddl_train.report.footprint import Footprint, ModelShape, estimate
from ddl_train.report.machine import SHARE_OF_PEAK, Machine, free_disk
from ddl_train.report.passes import ADAPTERS, Range, count_passes, rows_of_last_night
from ddl_train.report.words import amount, duration, operations, size
from ddl_train.report.words import count as count_words
from ddl_train.roles.generator import dream_prompt

IDEAS_PER_PAIR = 0.05
"""Admitted insights a pair, assumed."""
NUM_SAMPLED = 64
"""Pieces that token counts are taken from, evenly spread."""
TRAIN_FACTOR = 2
"""FLOPs of training a token over those of reading it: LoRA needs no gradient of the weights."""

_DREAM = "dream with "

Count = Callable[[str], int]
"""Tokens of a user message, chat template included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """What the sources hold, as ingest would read them now."""

    chunks: Sequence[Chunk]
    held_out_share: float

    @property
    def num_documents(self) -> int:
        """Copies count once."""
        return len({chunk.source_sha256 for chunk in self.chunks})

    @property
    def num_held_out(self) -> int:
        return num_held_out(self.num_documents, self.held_out_share)

    @property
    def num_concepts(self) -> int:
        """Pieces that wake may see, equal texts once."""
        share = 1 - self.num_held_out / max(self.num_documents, 1)
        return round(len({chunk.text for chunk in self.chunks}) * share)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One cycle of a run, and what it needs."""

    config: Config
    shape: ModelShape
    machine: Machine
    footprint: Footprint
    corpus: Corpus
    num_insights: int
    """Admitted a cycle, assumed."""
    wake_tokens: Range
    sleep_tokens: float
    """Read and written to make and check study items."""
    trained_tokens: float
    """Of the last night, the longest, times its epochs."""
    evaluate_tokens: float
    passes: Range
    """Calls of the model, in bare passes; see `passes.py`."""
    disk_bytes: float
    """Of the whole run, while it trains."""
    index: Kind
    """Of the nearest-neighbour index over the concepts of the sources."""
    free_disk_bytes: int

    @property
    def seconds(self) -> Range:
        """Of the longest cycle."""
        read = 2.0 * self.shape.num_parameters / self.machine.usable_flops
        fixed = self.sleep_tokens + self.evaluate_tokens + TRAIN_FACTOR * self.trained_tokens
        return Range(
            low=(self.wake_tokens.low + fixed) * read + self.passes.low * self.pass_seconds,
            high=(self.wake_tokens.high + fixed) * read + self.passes.high * self.pass_seconds,
        )

    @property
    def pass_seconds(self) -> float:
        """Of a pass that computes next to nothing."""
        return self.machine.layer_seconds * self.shape.num_layers

    def check(self) -> None:
        """Refuse what cannot fit.

        Raises:
            ResourceError: device memory or disk is too small.
        """
        need, have = self.footprint.peak, self.machine.num_bytes
        if need > have:
            raise ResourceError(
                f"about {need / 1e9:.1f} GB of memory are needed and {self.machine.name} has "
                f"{have / 1e9:.1f} GB free; {self._mend()}"
            )
        if self.disk_bytes > self.free_disk_bytes:
            raise ResourceError(
                f"about {self.disk_bytes / 1e9:.1f} GB of disk are needed and "
                f"{self.free_disk_bytes / 1e9:.1f} GB are free; make room or set checkpoints_dir"
            )

    def _mend(self) -> str:
        if self.footprint.weights > 0.9 * self.machine.num_bytes:
            return "its weights alone do not fit: take a smaller base or a larger device"
        if self.footprint.wake >= self.footprint.sleep:
            return "wake needs the most: lower model.batch_size or model.max_length"
        return (
            "sleep needs the most: lower sleep.per_device_train_batch_size or sleep.max_length, "
            "or set sleep.gradient_checkpointing=true"
        )


def make_plan(
    config: Config,
    *,
    shape: ModelShape,
    machine: Machine,
    corpus: Corpus,
    prompts: Prompts,
    count: Count,
    num_probes: int,
    second: ModelShape | None = None,
) -> Plan:
    """Work out what one cycle would take.

    Args:
        config: of the run.
        shape: of its base.
        machine: that it would run on.
        corpus: its sources, read.
        prompts: its prompt pack.
        count: the base's tokenizer with its chat format.
        num_probes: questions in the configured probe files.
        second: of a larger critic that runs beside the base.
    """
    wake, sleep = config.wake, config.sleep
    tokens = _count_prompts(corpus.chunks, prompts, count, wake)
    per_cycle = wake.quota or max(1, round(IDEAS_PER_PAIR * wake.num_pairs))
    num_items = min(num_probes, config.evaluate.max_items)
    uptake = 2 * min(per_cycle, config.evaluate.max_uptake_insights)
    answers = 1 + config.evaluate.num_distractors
    items = per_cycle * (sleep.max_items + 2) * (tokens["study"] + 3 * tokens["idea"])
    rows = rows_of_last_night(sleep, per_cycle, config.num_cycles)
    asked = answers * (num_items + uptake)
    footprint = estimate(shape, config, is_gpu=machine.is_gpu, second=second)
    embeddings = corpus.num_concepts * shape.hidden * 4.0
    limits = limits_of(config.memory)
    return Plan(
        config=config,
        shape=shape,
        machine=machine,
        footprint=footprint,
        corpus=corpus,
        num_insights=per_cycle,
        wake_tokens=_dreaming(wake, tokens),
        sleep_tokens=items,
        trained_tokens=rows * (tokens["answer"] + tokens["idea"]),
        evaluate_tokens=ADAPTERS * asked * tokens["answer"],
        passes=count_passes(
            config,
            num_insights=per_cycle,
            num_asked=asked,
            num_rows=rows,
        ),
        # every night's adapter, one optimizer checkpoint beside it, vectors twice (and the index)
        disk_bytes=footprint.adapter_on_disk * (config.num_cycles + 4) + 2 * embeddings + 1e7,
        free_disk_bytes=free_disk(config.run_dir),
        index=kinds_for(corpus.num_concepts, shape.hidden, limits)[0],
    )


def _dreaming(wake: WakeConfig, tokens: Mapping[str, float]) -> Range:
    """Tokens of a wake: every pair answered NONE, or every pair an idea that is judged in full."""
    idea = tokens["dream"] + wake.max_answer_tokens + _judging(wake, tokens)
    return Range(low=wake.num_pairs * (tokens["dream"] + 2), high=wake.num_pairs * idea)


def _judging(wake: WakeConfig, tokens: Mapping[str, float]) -> float:
    """Tokens that the critics read of one idea that no stage refuses."""
    orders = 1 if wake.max_disagreement is None else 2
    asks_support = wake.min_support is not None
    num_questions: float = len(AXES) * orders
    if screen := wake.cascade.screen:
        asks_support |= screen.ask == "support"
        num_questions += screen.ask != "support"
    if wake.cascade.second:
        num_questions += wake.cascade.second.top_share * len(AXES) * orders
    num_likelihoods = asks_support + 2 * (wake.min_rederived is not None)
    likelihoods = num_likelihoods * (tokens["propose"] + wake.max_new_tokens)
    return num_questions * tokens["score"] + likelihoods


def _count_prompts(
    chunks: Sequence[Chunk], prompts: Prompts, count: Count, wake: WakeConfig
) -> dict[str, float]:
    """Mean tokens of each kind of prompt; an idea is taken to be as long as its two concepts."""
    texts = [chunk.text for chunk in chunks[:: max(1, len(chunks) // NUM_SAMPLED)]][:NUM_SAMPLED]
    pairs = list(zip(texts, texts[1:] + texts[:1], strict=True))
    axes = list(AXES)
    rendered = {
        "idea": [f"{a} {b}" for a, b in pairs],
        "propose": [prompts.render("propose", a=a, b=b) for a, b in pairs],
        "score": [
            prompts.render("score", a=a, b=b, idea=f"{a} {b}", axes=axes, axis=axes[0])
            for a, b in pairs
        ],
        "study": [prompts.render("study_forward", idea=f"{a} {b}") for a, b in pairs],
        "answer": [prompts.render("answer", question=text, context=[]) for text in texts],
    }
    for name in wake.operators:
        rendered[_DREAM + name] = [
            dream_prompt(prompts, name, a, b, verbalised=wake.verbalised) for a, b in pairs
        ]
    tokens = {name: sum(map(count, texts)) / len(texts) for name, texts in rendered.items()}
    shares = wake.operators
    dreams = sum(share * tokens[_DREAM + name] for name, share in shares.items())
    return tokens | {"dream": dreams / sum(shares.values())}


def load_counter(config: ModelConfig) -> Count:
    """The base's tokenizer with its chat format.

    Raises:
        ModelError: there is no tokenizer, or its chat template cannot be used.
    """
    from transformers import AutoTokenizer

    from ddl_train.engines.chat import ChatFormat
    from ddl_train.engines.reaching import loading_options

    options = loading_options(config)
    try:
        tokenizer = AutoTokenizer.from_pretrained(config.base, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{config.base}: its tokenizer cannot be loaded ({reason})") from None
    chat = ChatFormat(tokenizer, config.format, config.chat_template_kwargs)
    return lambda message: len(chat.prompt_ids(message))


def plan_table(plan: Plan) -> Table:
    """The plan in words."""
    config, shape, machine, need = plan.config, plan.shape, plan.machine, plan.footprint
    corpus, seconds = plan.corpus, plan.seconds
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    rows = {
        "run": f"{config.run_dir}, {count_words(config.num_cycles, 'cycle')}, seed {config.seed}",
        "base": f"{config.model.base}: {shape.architecture}, {amount(shape.num_parameters)} "
        f"parameters, {size(need.weights)} of weights",
        "adapter": f"LoRA r {config.sleep.r}: "
        f"{amount(shape.num_adapter_parameters(config.sleep))} parameters, "
        f"{size(need.adapter_on_disk)} a night",
        "sources": f"{count_words(corpus.num_documents, 'document')} "
        f"({corpus.num_held_out} held out), about {count_words(corpus.num_concepts, 'concept')}, "
        f"{amount(corpus.num_concepts * (corpus.num_concepts - 1) / 2)} pairs",
        "wake": f"{amount(config.wake.num_pairs)} pairs a cycle, "
        f"{amount(plan.wake_tokens.low)} to {amount(plan.wake_tokens.high)} tokens",
        "sleep": f"{amount(plan.sleep_tokens)} tokens to write study items, "
        f"{amount(plan.trained_tokens)} trained on in the longest night "
        f"(assumes {count_words(plan.num_insights, 'insight')} a cycle)",
        "evaluate": f"{amount(plan.evaluate_tokens)} tokens for candidate, current and base",
        "time": f"{duration(seconds.low)} to {duration(seconds.high)} for the longest cycle "
        f"(assumes {SHARE_OF_PEAK:.0%} of the {operations(machine.flops)}/s, and "
        f"{1000 * plan.pass_seconds:.1f} ms for each call of the model, both measured here now)",
        "memory": f"wake {size(need.wake)}, sleep {size(need.sleep)}; "
        f"{machine.name}: {size(machine.num_bytes)} free",
        "index": f"{plan.index.factory} of FAISS: {size(plan.index.num_bytes)} of host memory, "
        f"up to {size(2 * plan.index.num_bytes)} while it grows "
        f"(memory.max_index_gb {config.memory.max_index_gb:g})",
        "disk": f"{size(plan.disk_bytes)}; {size(plan.free_disk_bytes)} free",
    }
    for name, words in rows.items():
        table.add_row(name, words)
    return table
