"""Sleep: study items and replay -> LoRA -> a candidate adapter.

Rows are mixed from what `study.py` had written and the caller stored, and one adapter is trained. It
can be called again after a crash: a night goes on from its newest checkpoint. Nothing is stored here;
the caller keeps what comes back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ddl_train.config import SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Concept, Insight, StudyItem, TrainingRow, Usage
from ddl_train.roles.prompts import PromptPack
from ddl_train.training.lora import train_lora
from ddl_train.training.rows import build_night
from ddl_train.training.running import TrainedAdapter


class TrainerArguments(TypedDict):
    """What every way of training is told alike."""

    out_dir: Path
    seed: int
    start_from: Path | None
    progress: Callable[..., None] | None
    should_stop: Callable[[], bool] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What the rows of a night are made of."""

    tonight: Sequence[Insight]
    """Insights that the current adapter has not been trained on."""
    earlier: Sequence[Insight]
    """Insights that it has."""
    items: Sequence[StudyItem]
    """Study items of both."""
    rejected: Sequence[tuple[Concept, Concept]]
    """Pairs answered NONE or refused, for `no_link_share`."""
    general: Sequence[TrainingRow]
    """Rows of `training.general.read_general(config.general)`."""
    num_over: int = 0
    """Insights that `max_insights` left out of both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """What one night brought."""

    rows: tuple[TrainingRow, ...]
    """What was trained on: all epochs, one after another."""
    insight_ids: tuple[int, ...]
    """Insights that have at least one row."""
    concept_ids: tuple[int, ...]
    """Concepts that `no_link` rows quote."""
    adapter_dir: Path | None
    """The candidate, to be installed; None when there was nothing to train or training failed."""
    failed_because: str | None
    usage: Usage
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    """What was left out, in sentences."""


def sleep(
    engine: TransformersEngine,
    pack: PromptPack,
    material: Material,
    *,
    config: SleepConfig,
    seed: int,
    night_dir: Path,
    again: Collection[int] = (),
    start_from: Path | None = None,
    progress: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Night:
    """Mix the rows of one night and train its adapter.

    Args:
        engine: lends its base to the trainer.
        pack: the run's prompt pack.
        material: what the rows are made of.
        config: shares, method, LoRA.
        seed: of this night.
        night_dir: folder of this night and of no other; kept until the adapter is installed.
        again: ids of insights that are studied again, as `training/rows.py` says.
        start_from: folder of the current adapter, for methods `continue` and `merge`; None when
            the current is the base.
        progress: told "n more optimizer steps done" and the `total` of the night.
        should_stop: asked after every step.

    Raises:
        Interrupted: `should_stop` said so, and a checkpoint is saved.
    """
    rows = _mix(pack, material, config, seed, again)
    if rows:
        given: TrainerArguments = {
            "out_dir": night_dir,
            "seed": seed,
            "start_from": None if config.method == "from_base" else start_from,
            "progress": progress,
            "should_stop": should_stop,
        }
        trained = _train(engine, pack, material, rows, config, given)
    else:
        reason = "no insight has a usable study item, so there is nothing to train on"
        trained = TrainedAdapter(dir=None, failed_because=reason, usage=Usage(), metrics={})
    return _night(pack, material, rows, trained, config)


def _train(
    engine: TransformersEngine,
    pack: PromptPack,
    material: Material,
    rows: Sequence[TrainingRow],
    config: SleepConfig,
    given: TrainerArguments,
) -> TrainedAdapter:
    """Train by the configured objective."""
    if config.objective == "sft":
        config = config.model_copy(update={"num_train_epochs": 1.0})  # rows hold all epochs
        return train_lora(engine, rows, config, **given)
    # only where it is asked for: TRL warns of what is experimental when it is imported
    from ddl_train.training.self_distill import prompts_in_context, train_self_distill

    in_context = prompts_in_context(
        [*material.tonight, *material.earlier],
        material.items,
        pack,
        shows_concepts=config.sdft.shows_concepts,
    )
    general = [row for row in material.general if row.prompt]
    return train_self_distill(engine, rows, in_context, general, config, **given)


def _mix(
    pack: PromptPack,
    material: Material,
    config: SleepConfig,
    seed: int,
    again: Collection[int],
) -> list[TrainingRow]:
    return build_night(
        material.tonight,
        material.earlier,
        material.items,
        general=material.general,
        rejected=material.rejected,
        prompts=pack,
        config=config,
        seed=seed,
        again=again,
    )


def _night(
    pack: PromptPack,
    material: Material,
    rows: Sequence[TrainingRow],
    trained: TrainedAdapter,
    config: SleepConfig,
) -> Night:
    """What a training has brought, with all that it saw and all that it did not."""
    taught = {row.insight_id for row in rows if row.insight_id is not None}
    quoted = {row.prompt for row in rows if row.origin == "no_link"}
    shown = {
        concept.concept_id
        for a, b in material.rejected
        if pack.render("propose", a=a.text, b=b.text) in quoted
        for concept in (a, b)
    }
    notes = _left_out(material, taught, config)
    if num_too_long := int(trained.metrics.get("num_too_long", 0)):
        notes.append(f"{num_too_long} rows are longer than max_length {config.max_length} tokens")
    return Night(
        rows=tuple(rows),
        insight_ids=tuple(sorted(taught)),
        concept_ids=tuple(sorted(shown)),
        adapter_dir=trained.dir,
        failed_because=trained.failed_because,
        usage=trained.usage,
        metrics=trained.metrics,
        notes=tuple(notes),
    )


def _left_out(material: Material, taught: set[int], config: SleepConfig) -> list[str]:
    notes = []
    if material.num_over:
        notes.append(f"{material.num_over} insights exceed max_insights {config.max_insights}")
    if silent := len({insight.insight_id for insight in material.tonight} - taught):
        why = "" if config.max_steps is None else f", or no room in max_steps {config.max_steps}"
        notes.append(f"{silent} of tonight's insights have no usable study item{why}")
    if config.general_share and not material.general:
        notes.append(f"general_share {config.general_share:g} is unused: sleep.general is empty")
    if config.no_link_share and not material.rejected:
        notes.append(f"no_link_share {config.no_link_share:g} is unused: no pair was rejected")
    return notes
