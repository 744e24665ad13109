"""The model card: what an adapter is, what was measured, and how to check it. Text and YAML only.

Through `huggingface_hub.ModelCard`, with every suite as a `model-index` entry whose interval stands
in its name and its arguments: the Hub's format has no field for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ddl_train.hub.evidence import Bounded, Evidence, SuiteResult

TAGS = ("peft", "lora", "trl", "ddl-train", "daydreaming")
KEPT = ("retention", "skill")
"""Suites of what must not be forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a card says beside the evidence."""

    repo_id: str
    base_id: str
    base_revision: str | None
    """Commit of the base; None when it is not known."""
    base_sha256: str
    """Fingerprint of the base's config and weights as `ddl_train` takes it."""
    is_base_local: bool
    """The run used a local folder, which `base_id` is said to be."""
    license: str
    base_license: str
    source_license: str
    dataset_id: str | None
    is_merged: bool
    answer_prompt: str
    """The prompt pack's `answer` template, `{question}` in place of the question."""


def model_card(evidence: Evidence, terms: Terms, plots: Sequence[str]) -> str:
    """The whole README.md.

    Args:
        evidence: figures.
        terms: names and licences.
        plots: paths of pictures in the repository.
    """
    sections = [
        f"# {terms.repo_id.partition('/')[2]}",
        _what(evidence, terms),
        "## How to load it\n\n" + _loading(terms),
        "## How it was made\n\n" + _making(evidence),
        "## What was measured\n\n" + _results(evidence),
        "## What it forgot\n\n" + _forgotten(evidence),
        "## How to reproduce the figures\n\n" + _reproduction(evidence, terms),
        "## What it is not for\n\n" + _limits(terms),
        "## Licence\n\n" + _licence(terms),
    ]
    if plots:
        images = "\n".join(f"![{_alt(path)}]({path})" for path in plots)
        sections.insert(6, f"## Over the cycles\n\n{images}")
    body = "\n\n".join(section.strip() for section in sections)
    return str(ModelCard(f"---\n{_data(evidence, terms).to_yaml()}\n---\n\n{body}\n"))


def _data(evidence: Evidence, terms: Terms) -> ModelCardData:
    tags = [tag for tag in TAGS if not (terms.is_merged and tag in ("peft", "lora"))]
    return ModelCardData(
        base_model=terms.base_id,
        library_name="transformers" if terms.is_merged else "peft",
        pipeline_tag="text-generation",
        license=terms.license,
        tags=tags,
        datasets=[terms.dataset_id] if terms.dataset_id else None,
        model_name=terms.repo_id.partition("/")[2],
        eval_results=[_entry(one, evidence.version) for one in evidence.suites],
    )


def _entry(one: SuiteResult, version: str) -> EvalResult:
    """`dataset_type` must look like a dataset of the Hub; these questions are not on it."""
    less = ", less is better" if one.is_less_better else ""
    suite = one.suite.partition(" ")[0]
    return EvalResult(
        task_type="text-generation",
        task_name=one.title,
        dataset_type=f"held-out/{one.suite.replace(' ', '-').replace('(', '').replace(')', '')}",
        dataset_name=f"held-out questions: {one.suite}",
        metric_type="accuracy",
        metric_name=f"share, 95 % interval {_interval(one.adapter)}, {one.num_items} items{less}",
        metric_value=round(one.adapter.value, 4),
        metric_args={
            "confidence": 0.95,
            "low": round(one.adapter.low, 4),
            "high": round(one.adapter.high, 4),
            "num_items": one.num_items,
            "base": round(one.base.value, 4),
            "difference": round(one.difference.value, 4),
            "difference_low": round(one.difference.low, 4),
            "difference_high": round(one.difference.high, 4),
            "command": f"ddl-train eval RUN --adapter {version} --suite {suite}",
        },
    )


def _what(evidence: Evidence, terms: Terms) -> str:
    kind = "The weights of" if terms.is_merged else "A LoRA adapter for"
    merged = " with a LoRA adapter merged into them" if terms.is_merged else ""
    student = f" {_bought(evidence)}" if evidence.teacher else ""
    revision = f", revision `{terms.base_revision}`" if terms.base_revision else ""
    text = (
        f"{kind} [`{terms.base_id}`](https://huggingface.co/{terms.base_id}){revision}{merged}: "
        "the model was let to daydream over a collection of documents, and was then trained on "
        f"those of its own ideas that a critic admitted.{student} Made with `ddl-train`; version "
        f"`{evidence.version}`."
    )
    if not terms.is_base_local:
        return text
    lacks = "" if terms.base_revision else ", and its revision is not known"
    return (
        f"{text}\n\n**What this card lacks:** the base was a local folder. That it is "
        f"`{terms.base_id}` was said by whoever published this and was not compared{lacks}. The "
        f"folder's fingerprint, as `ddl-train` takes it, is `{terms.base_sha256}`."
    )


def _bought(evidence: Evidence) -> str:
    """Of whom it is a student, and what that buys."""
    text = f"It was distilled from adapter `{evidence.teacher}`"
    one = evidence.bought
    if one is None:
        return f"{text}."
    kept = "" if one.kept is None else f", and keeps {100 * one.kept:.1f} % of its gain"
    return (
        f"{text}: it has {one.parameters[1]:,} parameters to the {one.parameters[0]:,} of its "
        f"teacher, on a base of {one.base_parameters[1]:,} to {one.base_parameters[0]:,}; a file of "
        f"{one.num_bytes[1]:,} bytes to {one.num_bytes[0]:,}; wrote {one.tokens_per_second[1]:,.0f} "
        f"tokens a second to {one.tokens_per_second[0]:,.0f}, in turns on one machine{kept}."
    )


def _loading(terms: Terms) -> str:
    if terms.is_merged:
        lines = [
            "from transformers import AutoModelForCausalLM",
            f'model = AutoModelForCausalLM.from_pretrained("{terms.repo_id}")',
        ]
    else:
        lines = [
            "from peft import AutoPeftModelForCausalLM",
            f'model = AutoPeftModelForCausalLM.from_pretrained("{terms.repo_id}")',
        ]
    prompt = terms.answer_prompt.strip()
    return (
        "```python\n" + "\n".join(lines) + "\n```\n\nIt was asked with this user message:\n\n"
        f"```\n{prompt}\n```"
    )


def _making(evidence: Evidence) -> str:
    pairs = sum(one.num_pairs for one in evidence.nights)
    ideas = sum(one.num_ideas for one in evidence.nights)
    admitted = sum(one.num_admitted for one in evidence.nights)
    each = f", {evidence.wake_tokens / admitted:,.0f} for each admitted" if admitted else ""
    cycles = "1 cycle" if len(evidence.nights) == 1 else f"{len(evidence.nights)} cycles"
    rows = [
        "| cycle | pairs dreamt on | ideas | admitted | night |",
        "|---|---|---|---|---|",
        *(
            f"| {one.cycle + 1} | {one.num_pairs:,} | {one.num_ideas:,} | {one.num_admitted:,} | "
            f"{ {True: 'promoted', False: 'refused', None: 'not decided'}[one.is_promoted] } |"
            for one in evidence.nights
        ),
    ]
    return (
        f"{cycles} of waking and sleeping over {evidence.num_sources:,} "
        f"sources. {pairs:,} pairs of text were dreamt on; {ideas:,} gave an idea, {admitted:,} "
        f"were admitted. Dreaming took {evidence.wake_tokens:,.0f} tokens{each}: the daydreaming "
        f"tax. This adapter was trained on {evidence.num_rows:,} rows from "
        f"{evidence.num_insights:,} insights.\n\n" + "\n".join(rows) + "\n\nThe settings are in "
        "`training_config.yaml`; what rests on what, by numbers and hashes, in `lineage.json`."
    )


def _results(evidence: Evidence) -> str:
    rows = [
        "| held-out suite | items | chance | base | adapter | adapter less base |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.title}{' (less is better)' if one.is_less_better else ''} | {one.num_items:,} "
            f"| {_percent(one.chance)} | {_percent(one.base.value)} {_interval(one.base)} "
            f"| {_percent(one.adapter.value)} {_interval(one.adapter)} "
            f"| {100 * one.difference.value:+.1f} {_interval(one.difference)} |"
            for one in evidence.suites
        ),
    ]
    losses = [
        f"- token loss on {one.num_texts:,} held-out texts ({one.texts}): {one.adapter:.3f} nats, "
        f"base {one.base:.3f}, change {one.rise.value:+.3f} [{one.rise.low:+.3f}, "
        f"{one.rise.high:+.3f}]"
        for one in evidence.losses
    ]
    reasons = [f"- {one}" for one in evidence.reasons]
    decided = "The promotion gate" if evidence.decided_by == "gate" else "A person"
    parts = [
        "Percent, with 95 % intervals (Wilson; differences are paired, BCa bootstrap by "
        "cluster). The questions were kept from the model; they are not in this repository, so "
        "that they stay held out. Every item's outcome is in `evals/`.",
        "\n".join(rows),
        "\n".join(losses),
        f"{decided} decided for this adapter:\n\n" + "\n".join(reasons) if reasons else "",
        "\n".join(f"- not measured: {one}" for one in evidence.missing),
    ]
    return "\n\n".join(part for part in parts if part)


def _forgotten(evidence: Evidence) -> str:
    kept = [one for one in evidence.suites if one.suite in KEPT]
    if not kept and not evidence.losses:
        return "Not measured: the run had no questions about what the base knew before."
    lines = [
        f"- {one.title}: {one.num_lost:,} of {one.num_items:,} questions were answered right by the "
        f"base and are not any more; {one.num_won:,} went the other way"
        for one in kept
    ]
    lines += [
        f"- texts ({one.texts}): the token loss "
        f"{'rose' if one.rise.value > 0 else 'fell'} by {abs(one.rise.value):.3f} nats"
        for one in evidence.losses
    ]
    return "\n".join(lines)


def _reproduction(evidence: Evidence, terms: Terms) -> str:
    """Commands that run as they stand where the questions are at hand."""
    if terms.is_merged:
        command = f"ddl-train eval {terms.repo_id}"
    else:
        command = f"ddl-train eval {terms.repo_id} --base {terms.base_id}"
    return (
        "Whoever has the run measures it again, on the same questions:\n\n```\n"
        f"ddl-train eval RUN --adapter {evidence.version} --out measured\n```\n\nWhoever has not, "
        "on questions of their own, in the form that `ddl-train` documents:\n\n```\n"
        f"{command} --probes retention=YOUR.jsonl --out measured\n```\n\n"
        "The intervals follow from the items in `evals/`: each has its outcome and its cluster, "
        "and those of base and adapter pair up by `item`."
    )


def _limits(terms: Terms) -> str:
    return (
        "- It is not a source of facts: nobody has checked that an idea it was trained on is true. "
        "A critic found it plausible.\n"
        "- It was measured on the suites above and on nothing else: not for safety, not for "
        "fairness, not in other languages.\n"
        "- It is not for decisions about people, their health, money or rights."
    )


def _licence(terms: Terms) -> str:
    return (
        f"Published under `{terms.license}`. Its base, `{terms.base_id}`, is under "
        f"`{terms.base_license}`; the documents that it dreamt about are under "
        f"`{terms.source_license}`."
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _interval(bounded: Bounded) -> str:
    return f"[{100 * bounded.low:.1f}, {100 * bounded.high:.1f}]"


def _alt(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".png").replace("-", " ")
