"""One arm's life: the stages of `cycle.py` in their order, and what an arm does otherwise.

A run that was stopped goes on from the stage it was in. What no config can say is done here: an arm
may not sleep, may keep its insights from being dreamt upon, may draw its pairs within one literature,
may study shuffled answers, or may take every candidate whatever the gate says.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ddl_train.bench.arms import Arm
from ddl_train.bench.placebo import shuffle_answers
from ddl_train.config import WakeConfig
from ddl_train.cycle import evaluate_stage, promote_stage, sleep_stage, wake_stage
from ddl_train.memory.index import IdArray
from ddl_train.memory.store import Memory
from ddl_train.records import ConceptPair, Probe, Progress, StudyItem
from ddl_train.session import Session
from ddl_train.storage.night import read_rows
from ddl_train.storage.run import Run
from ddl_train.world.leaks import find_leaks
from ddl_train.world.oracle import Oracle


class ForgetfulMemory(Memory):
    """Keeps insights, and draws pairs of documents only."""

    def _active_ids(self) -> IdArray:
        ids = super()._active_ids()
        told = [one.concept_id for one in self.concepts() if one.kind == "document"]
        return ids[np.isin(ids, told)]


class WithinMemory(Memory):
    """Draws each batch from one literature, in turn: a folder of documents, and what they led to."""

    _turn = 0

    def next_batch(
        self, cycle: int, batch_index: int, size: int, config: WakeConfig, adapter: str, seed: int
    ) -> list[ConceptPair]:
        self._turn = cycle + batch_index
        return super().next_batch(cycle, batch_index, size, config, adapter, seed)

    def _active_ids(self) -> IdArray:
        ids = super()._active_ids()
        homes = {
            one.concept_id: {Path(one.source).parent.name}
            for one in self.concepts()
            if one.kind == "document"
        }
        for insight in self.insights():  # parents come before
            a, b = insight.parents
            homes[insight.concept_id] = homes[a] | homes[b]
        in_turn = sorted({home for found in homes.values() for home in found})
        here = {in_turn[self._turn % len(in_turn)]}
        return ids[[homes[one] == here for one in ids.tolist()]]


class PlaceboMemory(Memory):
    """Hands out study items with the answers of other insights."""

    def study_items(
        self, insight_ids: Sequence[int] | None = None, family: str | None = None
    ) -> list[StudyItem]:
        items = super().study_items(insight_ids, family)
        return shuffle_answers(items) if family == "study" else items


def as_arm(session: Session, arm: Arm) -> Session:
    """The session with the memory that an arm is to have."""
    if arm.is_placebo:
        return replace(session, memory=PlaceboMemory(session.run, session.embedder))
    if arm.is_within:
        return replace(session, memory=WithinMemory(session.run, session.embedder))
    if not arm.has_feedback:
        return replace(session, memory=ForgetfulMemory(session.run, session.embedder))
    return session


def live(
    session: Session, arm: Arm, *, oracle: Oracle, probes: Sequence[Probe], progress: Progress
) -> None:
    """Run every cycle that is still owed, and note what leaked into each night.

    Args:
        session: from `as_arm`.
        arm: what to do otherwise.
        oracle: knows what documents state.
        probes: the truth probes, which no night may hold the answers to.
        progress: of the stages.
    """
    run = session.run
    if not arm.has_gate:
        _keep(run)  # stopped between the gate's word and ours
    for cycle in range(run.next_cycle, session.config.num_cycles):
        run.start_cycle(cycle)
        if run.stage(cycle) == "wake":
            wake_stage(session, cycle, progress=progress)
        if run.stage(cycle) == "sleep":
            if arm.can_sleep:
                sleep_stage(session, cycle, progress=progress)
            else:
                run.finish_stage(cycle, "sleep", skipped="this arm does not sleep")
        if run.stage(cycle) == "evaluate":
            admitted = [insight.conclusion for insight in session.memory.insights()]
            rows = read_rows(run.night_dir(cycle))
            leaks = find_leaks(rows, admitted, stated=oracle.stated, probes=probes)
            run.finish_stage(cycle, "sleep", leaks=leaks)
            evaluate_stage(session, cycle, progress=progress)
        if run.stage(cycle) == "promote":
            promote_stage(session, cycle, progress=progress)
            if not arm.has_gate:
                _keep(run)


def _keep(run: Run) -> None:
    """Promote the last night if it was refused."""
    for row in run.promotions()[-1:]:
        if not row.promotion.promoted:
            kept = ("ok: this arm keeps every night", *row.promotion.reasons)
            promotion = replace(row.promotion, promoted=True, reasons=kept, decided_by="person")
            run.record_promotion(row.cycle, promotion)
