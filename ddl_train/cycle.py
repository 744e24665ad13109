"""The sleep/wake loop. Every stage is called here, and only here.

    wake  ->  sleep  ->  evaluate  ->  promote
    memory gains insights; the current adapter changes only when promote says so

Stages return records. Run state changes only on the lines marked STATE, here, where sources are
read (`ingest.py`), and where a smaller delta of a refused night is tried (`scaling.py`). A stopped
run goes on from the stage it was in, and wake from the batch that memory still owes: calling a stage
again repeats at most that batch, or the trainer's steps since its last checkpoint.
"""

from collections.abc import Sequence

from ddl_train.config import SleepConfig
from ddl_train.errors import Interrupted
from ddl_train.gate.consequences import next_night
from ddl_train.ingest import ingest
from ddl_train.measure import (
    decided_reports,
    evaluate_adapter,
    examine_critic,
    suites_of_night,
    tonight_and_earlier,
)
from ddl_train.probes.suites import Suites
from ddl_train.promote import check_night, failed_only_by_forgetting, promote
from ddl_train.records import BASE, Insight, JsonObject, Progress, Promotion, SilentProgress
from ddl_train.roles.admission import room_now
from ddl_train.roles.texts import common_content
from ddl_train.scaling import try_smaller
from ddl_train.session import Session
from ddl_train.sleep import Material, Night, sleep
from ddl_train.storage.night import write_rows
from ddl_train.study import questions_due, study
from ddl_train.training.general import read_general
from ddl_train.training.processes import check_launch
from ddl_train.training.rows import keep_insights
from ddl_train.wake import wake

MAX_NO_LINK = 1000
"""Pairs without a link that a night may choose its `no_link` rows from."""


def run_cycles(session: Session, *, progress: Progress | None = None) -> None:
    """Run every cycle that is still owed.

    Args:
        session: a run in hand, from `open_run`.
        progress: told how far it is; None tells nobody.

    Raises:
        Interrupted: the session was asked to stop; everything done so far is saved.
    """
    run = session.run
    progress = progress or SilentProgress()
    check_launch(session.config.sleep, session.config.model)
    for cycle in range(run.next_cycle, session.config.num_cycles):
        run.start_cycle(cycle)  # STATE

        # wake: a batch of pairs in, verdicts out; what is admitted is a concept for the next batch
        if run.stage(cycle) == "wake":
            wake_stage(session, cycle, progress=progress)

        # sleep: one adapter, trained from the frozen base on all that was kept so far
        if run.stage(cycle) == "sleep":
            sleep_stage(session, cycle, progress=progress)

        # evaluate: the same items in the same order for candidate, current and base
        if run.stage(cycle) == "evaluate":
            evaluate_stage(session, cycle, progress=progress)

        # promote: keep what was learned, or leave the current adapter as it was
        if run.stage(cycle) == "promote":
            promote_stage(session, cycle, progress=progress)


def wake_stage(
    session: Session, cycle: int, *, progress: Progress, num_pairs: int | None = None
) -> None:
    """Dream on the pairs that this cycle still owes, batch by batch, and end the stage.

    Args:
        session: a run in hand.
        cycle: under way.
        progress: told of pairs and admissions.
        num_pairs: instead of `wake.num_pairs`.
    """
    run, memory, config = session.run, session.memory, session.config.wake
    ingest(session, session.config.memory.sources, cycle=cycle, progress=progress)
    adapter = session.dreaming_adapter
    servers = session.meet_servers()
    common = common_content(memory.sample_texts())
    total = num_pairs or config.num_pairs
    with progress.stage(f"wake {cycle + 1}", total) as bar:
        done = memory.num_dreamt(cycle)
        admitted = len(memory.insights(cycle=cycle))
        bar.advance(done, admitted=admitted)
        while done < total:
            if session.should_stop():
                raise Interrupted
            size = min(config.batch_size, total - done)
            index, pairs = memory.pending_batch(cycle) or (memory.num_batches(cycle), None)
            if pairs is None:
                seed = session.seed("draw")
                pairs = memory.next_batch(cycle, index, size, config, adapter, seed)  # STATE
            if not pairs:
                break  # nothing is left that this adapter has not dreamt on
            done += len(pairs)
            moment = session.moment(cycle, index, total)
            session.settle_batching(moment, pairs, adapter)  # STATE
            woken = wake(
                pairs,
                generator=session.dreamer(moment),
                critic=session.judge,
                second=session.second,
                embedder=session.embedder,
                space=memory,
                special_tokens=session.engine.special_tokens,
                config=config,
                adapter=adapter,
                seed=session.seed("wake", cycle, index),
                common=common,
                room=room_now(config.quota, done if len(pairs) == size else total, total, admitted),
            )
            for role, usage in woken.usages.items():
                calls = woken.num_asked.get(role, len(pairs))
                run.record_usage(cycle, role, usage, calls, item=f"batch {index}")  # STATE
            admitted += len(memory.log_verdicts(cycle, index, woken.verdicts))  # STATE
            session.note_batch(moment, pairs)
            session.keep_engine()  # STATE
            lost = session.workers.losses if session.workers is not None else {}
            bar.advance(len(pairs), admitted=admitted, rate=f"{admitted / done:.1%}", **lost)
    facts: JsonObject = {"pairs": done, "admitted": admitted, "concepts": memory.num_concepts}
    facts |= session.machine_facts | ({"servers": servers} if servers else {})
    run.metrics({"cycle": cycle, "stage": "wake", **facts})
    run.finish_stage(cycle, "wake", **facts)  # STATE


def sleep_stage(session: Session, cycle: int, *, progress: Progress) -> None:
    """Write study items, train one adapter, install it, and end the stage.

    A cycle that admitted nothing new skips the night and says so; so does one whose critic lets
    canaries in, or whose training failed. Its insights stay for the next night.
    """
    run, memory = session.run, session.memory
    tonight, earlier = tonight_and_earlier(session)
    if not tonight:
        reason = "nothing was admitted that the current adapter has not been trained on"
        run.finish_stage(cycle, "sleep", skipped=reason)  # STATE
        return
    critic: JsonObject = {}
    if examined := examine_critic(session, cycle, progress=progress):
        examination, usage = examined
        run.record_usage(cycle, "probes", usage, len(examination.trials), item="critic")  # STATE
        critic = {"critic": examination.as_json()}
        if failure := examination.failure_under(session.config.evaluate):
            run.finish_stage(cycle, "sleep", skipped=failure, **critic)  # STATE
            return
    session.rest()
    history = [row.promotion for row in run.promotions()]
    recipe = next_night(decided_reports(run), history, session.config.sleep)
    config, seed = recipe.config, session.seed("sleep", cycle)
    num_known = len(tonight) + len(earlier)
    tonight, earlier = keep_insights(tonight, earlier, config, seed=seed, again=recipe.again)
    _study_stage(session, cycle, tonight, earlier, config, progress=progress)
    material = Material(
        tonight=tonight,
        earlier=earlier,
        items=memory.study_items([one.insight_id for one in [*tonight, *earlier]], "study"),
        rejected=memory.rejected_pairs(cycle, MAX_NO_LINK, session.seed("no_link", cycle)),
        general=read_general(config.general, max_characters=4 * config.max_length),
        num_over=num_known - len(tonight) - len(earlier),
    )
    with progress.stage(f"sleep {cycle + 1}", None) as bar:
        night = sleep(
            session.engine,
            session.pack,
            material,
            config=config,
            seed=seed,
            night_dir=run.night_dir(cycle),
            again=recipe.again,
            start_from=None if run.current == BASE else run.adapter(run.current).path,
            progress=bar.advance,
            should_stop=session.should_stop,
        )
    run.record_usage(cycle, "trainer", night.usage, 1, item="night")  # STATE
    write_rows(run.night_dir(cycle), night.rows)
    facts: JsonObject = {"rows": len(night.rows), "notes": [*recipe.notes, *night.notes]}
    facts |= night.metrics
    if night.adapter_dir is None:
        facts["skipped"] = night.failed_because
    else:
        facts["candidate"] = _install(session, cycle, night, config)
    run.metrics({"cycle": cycle, "stage": "sleep", **facts})
    run.finish_stage(cycle, "sleep", **facts, **critic)  # STATE


def _study_stage(
    session: Session,
    cycle: int,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    config: SleepConfig,
    *,
    progress: Progress,
) -> None:
    """Have the items written and stored that the night and its evaluation lack."""
    memory = session.memory
    asked = memory.asked()
    stored = memory.study_items([one.insight_id for one in [*tonight, *earlier]])
    due = questions_due(session.pack, tonight, earlier, stored, asked, config)
    with progress.stage(f"study {cycle + 1}", None) as bar:
        written, usage = study(
            session.engine,
            session.pack,
            tonight=tonight,
            earlier=earlier,
            stored=stored,
            config=config,
            asked=asked,
            seed=session.seed("study", cycle),
            progress=bar.advance,
        )
    if usage.num_tokens:  # a resumed night has them, and what they cost, already
        session.run.record_usage(cycle, "student", usage, len(written), item="study")  # STATE
        memory.save_study_items(written, asked=due)  # STATE


def _install(session: Session, cycle: int, night: Night, config: SleepConfig) -> str:
    """Move the night's adapter into the run, with what it saw; its version."""
    run = session.run
    assert night.adapter_dir is not None
    return run.add_adapter(  # STATE
        night.adapter_dir,
        cycle=cycle,
        base=session.engine.name,
        base_sha256=session.engine.base_sha256,
        parent=None if config.method == "from_base" or run.current == BASE else run.current,
        num_rows=len(night.rows),
        num_insights=len(night.insight_ids),
        insight_ids=night.insight_ids,
        concept_ids=night.concept_ids,
    ).version


def evaluate_stage(session: Session, cycle: int, *, progress: Progress) -> None:
    """Put the same items to candidate, current and base, keep the reports, and end the stage."""
    run = session.run
    candidate = run.candidate(cycle)
    if candidate is not None:
        suites, files = suites_of_night(session, cycle)
        _measure(session, cycle, [candidate, run.current, BASE], suites, progress=progress)
        run.finish_stage(cycle, "evaluate", notes=suites.notes, probe_files=files)  # STATE
    else:
        run.finish_stage(cycle, "evaluate")  # STATE


def _measure(
    session: Session, cycle: int, adapters: Sequence[str], suites: Suites, *, progress: Progress
) -> None:
    """Put the items to those of these adapters that have no report of this cycle yet."""
    run = session.run
    for adapter in dict.fromkeys(adapters):
        if session.should_stop():
            raise Interrupted
        if adapter in {report.adapter for report in run.reports(cycle)}:
            continue  # a resumed stage has it, and what it cost, already
        report = evaluate_adapter(session, adapter, suites, cycle=cycle, progress=progress)
        run.record_usage(  # STATE
            cycle, "probes", report.usage, len(report.items), item=f"probes {adapter}"
        )
        run.save_report(report)  # STATE


def promote_stage(session: Session, cycle: int, *, progress: Progress) -> Promotion | None:
    """Let the gate decide, move the current pointer if it says so, and end the cycle.

    A night that is refused only for what it forgot is tried with less of its delta before that.
    """
    run, config = session.run, session.config
    candidate = run.candidate(cycle)
    if candidate is None:
        run.finish_stage(cycle, "promote")  # STATE
        return None
    adapters = (candidate, run.current, BASE)
    if {*adapters} - {report.adapter for report in run.reports(cycle)}:
        # a person has put another adapter to use since the night was measured
        suites, _ = suites_of_night(session, cycle)
        run.record_usage(cycle, "probes", suites.usage, 0, item="suites again")  # STATE
        _measure(session, cycle, adapters, suites, progress=progress)
    reports = {report.adapter: report for report in run.reports(cycle)}
    history = [row.promotion for row in run.promotions()]
    given = (reports[candidate], reports[run.current], reports[BASE], history, config.promote)
    promotion = promote(*given, num_nights=config.num_cycles)
    if failed_only_by_forgetting(check_night(*given, num_nights=config.num_cycles)):
        promotion = try_smaller(session, cycle, promotion, reports, progress=progress)
    run.metrics({"cycle": cycle, "stage": "promote", "promoted": promotion.promoted})
    run.record_promotion(cycle, promotion)  # STATE
    return promotion
