"""Sleep: insights and replay -> study items -> LoRA -> a candidate adapter.

Two steps, so that what a model wrote can be stored before hours of training begin:

    study   the frozen base writes questions about each insight that has none yet: study items to
            train on, and probe items, in other wordings, to ask about later and never to train on
    sleep   rows are mixed from what is stored, and one adapter is trained

Both can be called again after a crash: an insight with items is not asked again, nor is a question
that brought none, and a night goes
on from its newest checkpoint. Nothing is stored here; the caller keeps what comes back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, get_args

from ddl_train.config import SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.memory.study import Asked
from ddl_train.probes.text import normalise
from ddl_train.records import Concept, Engine, Insight, StudyItem, TrainingRow, Usage
from ddl_train.roles.prompts import PromptPack
from ddl_train.roles.student import write_items
from ddl_train.training.lora import train_lora
from ddl_train.training.rows import PROPOSE, build_night
from ddl_train.training.running import TrainedAdapter

Family = Literal["study", "probe"]
FAMILIES: tuple[Family, ...] = get_args(Family)


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


def study(
    engine: Engine,
    pack: PromptPack,
    *,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    stored: Sequence[StudyItem],
    config: SleepConfig,
    asked: Collection[Asked] = (),
    seed: int = 0,
    progress: Callable[..., None] | None = None,
) -> tuple[list[StudyItem], Usage]:
    """Write the items that tonight's night and its evaluation still lack.

    Args:
        engine: the base writes; adapters stay out of it.
        pack: the run's prompt pack.
        tonight: insights that the current adapter has not been trained on.
        earlier: insights that it has.
        stored: items of both families that exist already.
        config: kinds, and how many items of each to study; probes are asked for once.
        asked: questions that were put before, whatever came of them.
        seed: of the items after the first of a kind.
        progress: told "n more insights done" and the `total`, once for each family.

    Returns:
        New items only, to be stored with `questions_due`, and what they cost. What a probe asks of an
        insight is not studied.
    """
    insights = {one.insight_id: one for one in [*tonight, *earlier]}
    due = questions_due(pack, tonight, earlier, stored, asked, config)
    items: list[StudyItem] = []
    usage = Usage()
    for family in FAMILIES:
        kinds_of: dict[int, list[str]] = {}
        for insight_id, _, kind in [one for one in due if one[1] == family]:
            kinds_of.setdefault(insight_id, []).append(kind)
        for kinds in dict.fromkeys(map(tuple, kinds_of.values())):
            lacking = [insights[one] for one, some in kinds_of.items() if tuple(some) == kinds]
            written, cost = write_items(
                engine,
                pack,
                lacking,
                kinds,
                family,
                num_items=config.items_per_kind if family == "study" else 1,
                min_answer_support=config.min_answer_support,
                seed=seed,
            )
            items += written
            usage += cost
        if progress:
            progress(len(insights), total=len(FAMILIES) * len(insights))
    return _apart([*stored, *items], items), usage


def _apart(known: Sequence[StudyItem], items: Sequence[StudyItem]) -> list[StudyItem]:
    """New items without those to study that ask an insight what a probe asks it."""
    probes = {(one.insight_id, normalise(one.question)) for one in known if one.family == "probe"}
    return [
        one
        for one in items
        if one.family == "probe" or (one.insight_id, normalise(one.question)) not in probes
    ]


def questions_due(
    pack: PromptPack,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    stored: Sequence[StudyItem],
    asked: Collection[Asked],
    config: SleepConfig,
) -> list[Asked]:
    """Insight, family and kind of each question that `study` puts, for the caller to remember.

    An insight with no item of a family is asked for them, and each kind in one night only: what the
    base could not say it will hardly say the next night either.
    """
    kinds: dict[Family, list[str]] = {
        "study": [kind for kind in config.kinds if kind != PROPOSE],
        "probe": list(pack.kinds("probe")),
    }
    have = {(item.insight_id, item.family) for item in stored}
    known = set(asked)
    return [
        (insight.insight_id, family, kind)
        for family in FAMILIES
        for insight in [*tonight, *earlier]
        if (insight.insight_id, family) not in have
        for kind in kinds[family]
        if (insight.insight_id, family, kind) not in known
    ]


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
