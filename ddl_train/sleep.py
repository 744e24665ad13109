"""Sleep: insights and replay -> study items -> LoRA -> a candidate adapter.

Two steps, so that what a model wrote can be stored before hours of training begin:

    study   the frozen base writes questions about each insight that has none yet: study items to
            train on, and probe items, in other wordings, to ask about later and never to train on
    sleep   rows are mixed from what is stored, and one adapter is trained

Both can be called again after a crash: an insight with items is not asked again, and a night goes
on from its newest checkpoint. Nothing is stored here; the caller keeps what comes back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddl_train.config import SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Concept, Engine, Insight, StudyItem, TrainingRow, Usage
from ddl_train.roles.prompts import PromptPack
from ddl_train.roles.student import write_items
from ddl_train.training.lora import TrainedAdapter, train_lora
from ddl_train.training.rows import PROPOSE, build_night, keep_insights


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """What one night brought."""

    rows: tuple[TrainingRow, ...]
    """What was trained on: all epochs, one after another."""
    insight_ids: tuple[int, ...]
    """Insights that have at least one row."""
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
    progress: Callable[..., None] | None = None,
) -> tuple[list[StudyItem], Usage]:
    """Write the items that tonight's night and its evaluation still lack.

    Args:
        engine: the base writes; adapters stay out of it.
        pack: the run's prompt pack.
        tonight: insights that the current adapter has not been trained on.
        earlier: insights that it has.
        stored: items of both families that exist already.
        config: kinds and cap.
        progress: told "n more insights done" and the `total`, once for each family.

    Returns:
        New items only, to be stored, and what they cost.
    """
    new, old = keep_insights(tonight, earlier, config.max_insights)
    kinds = [kind for kind in config.kinds if kind != PROPOSE]
    wanted: list[tuple[Literal["study", "probe"], list[str]]] = [
        ("study", kinds),
        ("probe", list(pack.kinds("probe"))),
    ]
    items: list[StudyItem] = []
    usage = Usage()
    for family, asked_kinds in wanted:
        have = {item.insight_id for item in stored if item.family == family}
        lacking = [insight for insight in [*new, *old] if insight.insight_id not in have]
        if lacking and asked_kinds:
            written, cost = write_items(
                engine,
                pack,
                lacking,
                asked_kinds,
                family,
                min_answer_support=config.min_answer_support,
            )
            items += written
            usage += cost
        if progress:
            progress(len(new) + len(old), total=len(wanted) * (len(new) + len(old)))
    return items, usage


def sleep(
    engine: TransformersEngine,
    pack: PromptPack,
    *,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    items: Sequence[StudyItem],
    rejected: Sequence[tuple[Concept, Concept]],
    general: Sequence[TrainingRow],
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
        tonight: insights that the current adapter has not been trained on.
        earlier: insights that it has.
        items: study items of both, stored and new.
        rejected: pairs answered NONE or refused, for `no_link_share`.
        general: rows of `training.general.read_general(config.general)`.
        config: shares, method, LoRA.
        seed: of this night.
        night_dir: folder of this night and of no other; kept until the adapter is installed.
        again: ids of insights that are studied twice.
        start_from: folder of the current adapter, for methods `continue` and `merge`; None when
            the current is the base.
        progress: told "n more optimizer steps done" and the `total` of the night.
        should_stop: asked after every step.

    Raises:
        Interrupted: `should_stop` said so, and a checkpoint is saved.
    """
    rows = build_night(
        tonight,
        earlier,
        items,
        general=general,
        rejected=rejected,
        prompts=pack,
        config=config,
        seed=seed,
        again=again,
    )
    taught = {row.insight_id for row in rows if row.insight_id is not None}
    notes = _left_out(tonight, earlier, taught, general, rejected, config)
    if rows:
        trained = train_lora(
            engine,
            rows,
            config.model_copy(update={"num_train_epochs": 1.0}),  # rows hold all epochs
            out_dir=night_dir,
            seed=seed,
            start_from=None if config.method == "from_base" else start_from,
            progress=progress,
            should_stop=should_stop,
        )
    else:
        reason = "no insight has a usable study item, so there is nothing to train on"
        trained = TrainedAdapter(dir=None, failed_because=reason, usage=Usage(), metrics={})
    if num_too_long := int(trained.metrics.get("num_too_long", 0)):
        notes.append(f"{num_too_long} rows are longer than max_length {config.max_length} tokens")
    return Night(
        rows=tuple(rows),
        insight_ids=tuple(sorted(taught)),
        adapter_dir=trained.dir,
        failed_because=trained.failed_because,
        usage=trained.usage,
        metrics=trained.metrics,
        notes=tuple(notes),
    )


def _left_out(
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    taught: set[int],
    general: Sequence[TrainingRow],
    rejected: Sequence[tuple[Concept, Concept]],
    config: SleepConfig,
) -> list[str]:
    notes = []
    new, old = keep_insights(tonight, earlier, config.max_insights)
    kept = {insight.insight_id for insight in [*new, *old]}
    everyone = {insight.insight_id for insight in [*tonight, *earlier]}
    if over := len(everyone) - len(kept):
        notes.append(f"{over} insights exceed max_insights {config.max_insights}")
    if silent := len({insight.insight_id for insight in new} - taught):
        notes.append(f"{silent} of tonight's insights have no usable study item")
    if config.general_share and not general:
        notes.append(f"general_share {config.general_share:g} is unused: sleep.general is empty")
    if config.no_link_share and not rejected:
        notes.append(f"no_link_share {config.no_link_share:g} is unused: no pair was rejected")
    return notes
