"""What is asked in one cycle and of whom: a session's probes, put together and put to an adapter.

examine_critic     canaries before a night
cycle_suites       the items of all suites, chosen once for candidate, current and base alike
suites_of_night    the same after a night, by the rows it was trained on
suites_of_student  the same for a student and its teacher
decided_reports    what the gate has seen so far
evaluate_adapter   one adapter under them
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ddl_train.config import EvaluateConfig
from ddl_train.evaluate import Dreamer, evaluate
from ddl_train.examine import Judge, examine
from ddl_train.memory.reading import read_dreamt_pairs
from ddl_train.probes.canaries import good_ideas, make_canaries
from ddl_train.probes.context import choose_questions, with_contexts
from ddl_train.probes.dreams import fixed_pairs, pool_of
from ddl_train.probes.examination import Examination
from ddl_train.probes.hashes import changed_files, hash_probe_files
from ddl_train.probes.score import Asked
from ddl_train.probes.suites import Suites, build_suites
from ddl_train.records import BASE, ConceptPair, EvalReport, Insight, Progress, TrainingRow, Usage
from ddl_train.session import Session
from ddl_train.storage.night import read_rows
from ddl_train.storage.run import Run


def examine_critic(
    session: Session, cycle: int, *, progress: Progress, per_kind: int | None = None
) -> tuple[Examination, Usage] | None:
    """Put canaries and good ideas to the critic; None when that is switched off.

    Args:
        session: a run in hand.
        cycle: shown in the progress.
        progress: told of trials.
        per_kind: instead of `evaluate.canaries_per_kind`.
    """
    config = session.config.evaluate
    per_kind = per_kind or config.canaries_per_kind
    if per_kind is None or not session.config.wake.guards.is_enabled:
        return None
    insights, seed = session.memory.insights(), session.seed("critic")
    canaries = make_canaries(insights, per_kind=per_kind, seed=seed)
    canaries += good_ideas(insights, most=config.num_good_ideas, seed=seed)
    judge = Judge(
        critic=session.critic,
        pack=session.pack,
        embedder=session.embedder,
        space=session.memory,
        special_tokens=session.engine.special_tokens,
        config=session.config.wake,
    )
    with progress.stage(f"critic {cycle + 1}", len(canaries)) as bar:
        trials, usage = examine(canaries, judge, progress=bar.advance)
    return Examination(trials=tuple(trials)), usage


def cycle_suites(
    session: Session,
    rows: Sequence[TrainingRow] = (),
    *,
    config: EvaluateConfig | None = None,
    is_sealed: bool = False,
) -> Suites:
    """What is asked of every adapter at this point of the run.

    Args:
        session: a run in hand.
        rows: what a night trained on.
        config: instead of the run's.
        is_sealed: ask the sealed thirds of the probe files.
    """
    tonight, earlier = tonight_and_earlier(session)
    insights = [*tonight, *earlier]
    ids = [insight.insight_id for insight in insights]
    config = config or session.config.evaluate
    suites = build_suites(
        config,
        tonight=tonight,
        earlier=earlier,
        items=session.memory.study_items(ids, family="probe"),
        held_out=session.memory.held_out_texts(),
        statements=[insight.conclusion for insight in insights],
        rows=rows,
        seed=session.config.seed,
        is_sealed=is_sealed,
    )
    if is_sealed:
        return suites
    asked, finding = _in_context(session, suites, config, insights)
    pairs, placing = _pairs(session, config.num_dream_pairs)
    return suites.with_more(asked=asked, pairs=pairs, usage=finding + placing)


def suites_of_night(session: Session, cycle: int) -> tuple[Suites, dict[str, str]]:
    """What is asked after a night, and the hash of each probe file it comes from.

    A file that is not what the run first asked is named as missing.
    """
    run = session.run
    suites = cycle_suites(session, read_rows(run.night_dir(cycle)))
    files = hash_probe_files(session.config.evaluate)
    earlier = [one.facts.get("evaluate", {}).get("probe_files", {}) for one in run.cycles()]
    return replace(suites, missing=(*suites.missing, *changed_files(files, earlier))), files


def suites_of_student(
    session: Session, teacher: str, rows: Sequence[TrainingRow], *, max_items: int
) -> Suites:
    """What a student and its teacher are asked: uptake of nothing that the teacher was not taught.

    Args:
        session: a run in hand.
        teacher: version.
        rows: that the student is trained on.
        max_items: cap on each suite, where those of a night are lower.

    Raises:
        ProbeError: a file cannot be read.
    """
    config = session.config.evaluate
    more = {
        "max_items": max(config.max_items, max_items),
        "max_uptake_insights": max(config.max_uptake_insights, max_items),
    }
    suites = cycle_suites(session, rows, config=config.model_copy(update=more))
    taught = session.run.taught(teacher)
    kept = [one for one in suites.asked if one.suite != "uptake" or one.probe.insight_id in taught]
    return replace(suites, asked=tuple(kept))


def decided_reports(run: Run) -> list[EvalReport]:
    """The report of each night's model that the gate has decided about."""
    reports = {(report.cycle, report.adapter): report for report in run.reports()}
    decided = [row for row in run.promotions() if row.promotion.decided_by == "gate"]
    keys = [(row.cycle, row.promotion.candidate) for row in decided]
    return [reports[key] for key in keys if key in reports]


def evaluate_adapter(
    session: Session,
    adapter: str,
    suites: Suites,
    *,
    cycle: int,
    progress: Progress,
) -> EvalReport:
    """Put every item to one adapter; what it has answered before is not asked again.

    What choosing the items has cost is in the report of the run's own base, once for all adapters.
    """
    is_own_base = adapter == BASE and session.engine.name == session.config.model.base
    reports = [one for one in session.run.reports() if one.adapter == adapter]
    if adapter == BASE and not is_own_base:
        reports = []  # those are of the run's own base
    dreamer = Dreamer(
        generator=session.generator,
        critic=session.critic,
        embedder=session.embedder,
        space=session.memory,
        special_tokens=session.engine.special_tokens,
        config=session.config.wake,
        seed=session.seed("probe dreams"),
    )
    with progress.stage(f"evaluate {Path(adapter).name[:16]}", suites.num_items) as bar:
        report = evaluate(
            session.engine,
            session.use(adapter),
            suites,
            cycle=cycle,
            prompts=session.pack,
            config=session.config.evaluate,
            dreamer=dreamer,
            known=reports[-1] if reports else None,
            progress=bar.advance,
        )
    return replace(report, usage=report.usage + suites.usage) if is_own_base else report


def tonight_and_earlier(session: Session) -> tuple[list[Insight], list[Insight]]:
    """Insights that the current adapter has not been trained on, and those that it has."""
    run = session.run
    taught = set() if run.current == BASE else run.taught(run.current)
    insights = session.memory.insights()
    tonight = [insight for insight in insights if insight.insight_id not in taught]
    return tonight, [insight for insight in insights if insight.insight_id in taught]


def _in_context(
    session: Session, suites: Suites, config: EvaluateConfig, insights: Sequence[Insight]
) -> tuple[Sequence[Asked], Usage]:
    """Uptake questions with the insight, and with what memory holds nearest, before them."""
    if config.num_context is None:
        return (), Usage()
    chosen = choose_questions(suites.asked, most=config.num_context, seed=session.config.seed)
    questions = list(dict.fromkeys(one.probe.prompt for one in chosen))
    if not questions:
        return (), Usage()
    retrieved, usage = retrieve(session, questions, config.num_retrieved)
    return with_contexts(chosen, {one.insight_id: one for one in insights}, retrieved), usage


def retrieve(
    session: Session, questions: Sequence[str], most: int
) -> tuple[dict[str, tuple[str, ...]], Usage]:
    """Question -> texts of the `most` concepts that lie nearest to it, the nearest first."""
    vectors, usage = session.embedder.embed(questions)
    ids, _ = session.memory.nearest(vectors, most)
    texts = {
        concept.concept_id: concept.text
        for concept in session.memory.concepts(sorted({int(one) for row in ids for one in row}))
    }
    return {
        question: tuple(texts[int(one)] for one in row)
        for question, row in zip(questions, ids, strict=True)
    }, usage


def _pairs(session: Session, num_pairs: int | None) -> tuple[Sequence[ConceptPair], Usage]:
    """The pairs that every adapter dreams on."""
    if num_pairs is None:
        return (), Usage()
    pool = pool_of(session.memory.concepts(), num_pairs=num_pairs, seed=session.seed("probe pairs"))
    if not pool:
        return (), Usage()
    vectors, usage = session.embedder.embed([concept.text for concept in pool])
    barred = read_dreamt_pairs(session.run.database)
    centred = session.memory.centre(vectors)
    return fixed_pairs(pool, centred, num_pairs=num_pairs, barred=barred), usage
