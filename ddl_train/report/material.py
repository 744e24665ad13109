"""Everything a report shows, read once from a run that is open for reading. No model is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddl_train.errors import ProbeError
from ddl_train.memory.reading import all_concepts, read_insights, read_verdicts
from ddl_train.records import AXES, LIKELIHOODS, Concept, Insight, JsonObject, Scores, Verdict
from ddl_train.report.curves import (
    Curve,
    Diversity,
    divergence_curves,
    diversity,
    figure_curves,
    loss_curves,
    suite_curves,
)
from ddl_train.report.landscape import Landscape, parent_cosines, read_landscape
from ddl_train.report.status import read_status
from ddl_train.report.summary import Summary, summarize
from ddl_train.storage.run import Run

NUM_EXAMPLES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What a page is made from."""

    status: JsonObject
    suites: tuple[Curve, ...]
    losses: tuple[Curve, ...]
    divergences: tuple[Curve, ...]
    figures: tuple[Curve, ...]
    """Figures of whole suites, such as a Vendi score."""
    diversity: tuple[Diversity, ...]
    admitted_scores: tuple[Scores, ...]
    refused_scores: tuple[Scores, ...]
    num_unscored: int
    """Ideas that a guard refused before the critic was asked, or whose reply could not be read."""
    thresholds: Mapping[str, float]
    """Field of `Scores` -> least that is admitted; empty with a quota, which has no line."""
    quota: int | None
    insights: tuple[Insight, ...]
    concepts: Mapping[int, Concept]
    cosines: Mapping[int, float]
    """Insight id -> cosine of its parents."""
    landscape: Landscape | None
    summary: Summary | None
    why_no_summary: str
    """Why questions and answers cannot be shown, where they cannot."""

    @property
    def cycles(self) -> list[int]:
        return [cycle["cycle"] for cycle in self.status["cycles"]]

    @property
    def promoted(self) -> list[int]:
        """Cycles whose candidate the gate promoted."""
        return [cycle["cycle"] for cycle in self.status["cycles"] if cycle["promoted"]]


def read_material(run: Run, *, most_places: int) -> Material:
    """Read it.

    Args:
        run: open for reading.
        most_places: concepts on the map, at most.
    """
    status = read_status(run)
    verdicts = {
        cycle["cycle"]: read_verdicts(
            run.database, cycle=cycle["cycle"], is_admitted=None, limit=None
        )
        for cycle in status["cycles"]
    }
    given = [one for some in verdicts.values() for one in some]
    insights = read_insights(run.database, cycle=None, ids=None)
    concepts = all_concepts(run.database)
    summary, why = _summary(run)
    return Material(
        status=status,
        suites=tuple(suite_curves(run, status["cycles"])),
        losses=tuple(loss_curves(run, status["cycles"])),
        divergences=tuple(divergence_curves(run, status["cycles"])),
        figures=tuple(figure_curves(run, status["cycles"])),
        diversity=tuple(diversity(verdicts)),
        admitted_scores=_scores(given, is_admitted=True),
        refused_scores=_scores(given, is_admitted=False),
        num_unscored=sum(one.scores is None and not one.proposal.is_none for one in given),
        thresholds=_thresholds(run),
        quota=run.config.wake.quota,
        insights=tuple(insights),
        concepts={one.concept_id: one for one in concepts},
        cosines=parent_cosines(run, insights),
        landscape=read_landscape(run, concepts, insights, most=most_places),
        summary=summary,
        why_no_summary=why,
    )


def _scores(verdicts: Sequence[Verdict], *, is_admitted: bool) -> tuple[Scores, ...]:
    return tuple(one.scores for one in verdicts if one.scores and one.admitted == is_admitted)


def _thresholds(run: Run) -> dict[str, float]:
    wake = run.config.wake
    if wake.quota is not None:
        return {}
    limits = {name: getattr(wake, f"min_{name}") for name in (*AXES, *LIKELIHOODS)}
    return {name: value for name, value in limits.items() if value is not None}


def _summary(run: Run) -> tuple[Summary | None, str]:
    """Answers before and after; the questions stand in the user's files, which may be gone."""
    try:
        return summarize(run, num_examples=NUM_EXAMPLES), ""
    except ProbeError as error:
        return None, str(error)
