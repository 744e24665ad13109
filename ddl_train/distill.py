"""Distil: the promoted adapter -> a smaller one that inherits what it found.

    draw      prompts from study items, from pairs that were dreamt on, from general text
    make      a LoRA of lower rank, cut by SVD and trained, or a LoRA on a smaller base
    measure   student, teacher and base on the same items, all suites
    decide    `gate.distilled`: is the gain kept, and no more forgotten than a night may?
    weigh     parameters, bytes, tokens a second

The student is installed like any adapter and is never put in use: a person does that, or publishes
it. One that is refused stays beside its reasons and is no student.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ddl_train.config import DistillConfig
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.errors import ModelError, RunError
from ddl_train.gate.distilled import decide_student
from ddl_train.measure import evaluate_adapter, suites_of_student
from ddl_train.probes.suites import Suites
from ddl_train.records import (
    BASE,
    AdapterVersion,
    EvalReport,
    JsonObject,
    Progress,
    Promotion,
    TrainingRow,
)
from ddl_train.roles.generator import ModelGenerator
from ddl_train.session import Session
from ddl_train.storage.students import (
    UNFINISHED,
    installed_student,
    number_of_attempt,
    questions_of,
    record_distillation,
)
from ddl_train.training.distill_cross import can_cross
from ddl_train.training.distill_lesson import Lesson, Teacher
from ddl_train.training.distill_onpolicy import same_tokens
from ddl_train.training.distill_prompts import draw_prompts
from ddl_train.training.distill_rank import choose_rank
from ddl_train.training.distill_student import make_student
from ddl_train.training.distill_weights import Weighed, weigh
from ddl_train.training.general import read_general
from ddl_train.training.running import TrainedAdapter

NUM_TIMED = 64
"""Prompts that tokens a second are measured with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What student a person asked for."""

    rank: int | None = None
    """None: 8, and on a smaller base the teacher's."""
    base: str | None = None
    """Smaller base, folder or Hub id; None stays on the teacher's."""
    is_offline: bool = False
    config: DistillConfig | None = None
    """In place of the run's."""

    @property
    def method(self) -> str:
        return "offline" if self.is_offline else "on-policy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Distilled:
    """One attempt, measured and decided."""

    adapter: AdapterVersion
    teacher: AdapterVersion
    decision: Promotion
    """`promoted` means let through; nothing is put in use."""
    reports: tuple[EvalReport, ...]
    """Base, teacher, student; of a smaller base: teacher's base, teacher, student's base, student.
    """
    bought: tuple[Weighed, Weighed]
    """Teacher and student."""
    notes: tuple[str, ...]


def distill(session: Session, wanted: Wanted, *, progress: Progress) -> Distilled:
    """Make one student of the adapter in use, measure it and decide about it.

    Args:
        session: a run in hand, open for writing.
        wanted: rank or base, and method.
        progress: of training and measuring.

    Raises:
        RunError: nothing is promoted, or training failed.
        AdapterError: the rank is not below the teacher's.
        ModelError: the smaller base cannot be loaded, or its tokenizer cannot be aligned.
        ProbeError: a file that is asked cannot be read; found out before any training.
        Interrupted: asked to stop; the same call goes on from there.
    """
    run = session.run
    if run.current == BASE:
        raise RunError(
            f"{run.dir}: no adapter is promoted, so there is nothing to distil; `ddl-train run` "
            "goes on with its nights"
        )
    config = wanted.config or session.config.distill
    teacher = run.adapter(run.current)
    rank = choose_rank(teacher.path, wanted.rank, is_same_base=wanted.base is None)
    rows, concept_ids = _draw(session, teacher.version, config)
    suites = suites_of_student(session, teacher.version, rows, max_items=config.max_items)
    other = _other_session(session, wanted, config)
    out_dir = run.dir / UNFINISHED / _name(rank, wanted)
    lesson = _lesson(session, other, teacher, rows, rank, out_dir)
    lesson = replace(lesson, config=config, progress=progress)
    made, notes = make_student(lesson, rank=rank, is_offline=wanted.is_offline)
    if made.dir is None:
        raise RunError(f"{run.dir}: no student came of it: {made.failed_because}")
    with installed_student(  # STATE
        run,
        made.dir,
        teacher=teacher,
        base=other.engine.name,
        base_sha256=other.engine.base_sha256,
        num_rows=len(rows),
        concept_ids=concept_ids,
    ) as adapter:
        reports = _measure(session, other, teacher, adapter, suites, progress)
        bought = _weigh(session, other, teacher, adapter, config)
    decision = _decide(session, reports, teacher, config)
    found = Distilled(
        adapter=adapter,
        teacher=teacher,
        decision=decision,
        reports=reports,
        bought=bought,
        notes=notes,
    )
    run.save_report(reports[-1])  # STATE
    facts = _facts(found, made, wanted, rank, config)
    record_distillation(run.database, decision, teacher=teacher.version, facts=facts)  # STATE
    for path in (out_dir, made.dir):
        shutil.rmtree(path, ignore_errors=True)
    return found


def _lesson(
    session: Session,
    other: Session,
    teacher: AdapterVersion,
    rows: Sequence[TrainingRow],
    rank: int,
    out_dir: Path,
) -> Lesson:
    """The teacher on its engine, and all that its student is told."""
    session.use(teacher.version)
    return Lesson(
        student=other.engine,
        teacher=Teacher(engine=session.engine, version=teacher.version, dir=teacher.path),
        rows=rows,
        config=session.config.distill,
        sleep=session.config.sleep,
        out_dir=out_dir,
        seed=session.seed("distill", rank),
        should_stop=session.should_stop,
    )


def _decide(
    session: Session, reports: Sequence[EvalReport], teacher: AdapterVersion, config: DistillConfig
) -> Promotion:
    """What the gate says of reports in the order of `Distilled.reports`."""
    base, of_teacher, *own_base, student = reports
    return decide_student(
        student,
        of_teacher,
        own_base[0] if own_base else base,
        base if own_base else None,
        session.config.promote,
        config,
        attempt=number_of_attempt(session.run.database, student, teacher=teacher.version),
    )


def _facts(
    found: Distilled, made: TrainedAdapter, wanted: Wanted, rank: int, config: DistillConfig
) -> JsonObject:
    """How a student was made, what that cost, what it was asked, and what it buys."""
    teacher, student = found.bought
    return {
        "rank": rank,
        "base": found.adapter.base,
        "method": wanted.method if config.num_prompts else "svd",
        "rows": found.adapter.num_rows,
        "config": config.model_dump(mode="json"),
        "usage": asdict(made.usage),
        "metrics": dict(made.metrics),
        "questions": questions_of(found.reports[-1]),
        "bought": {"teacher": asdict(teacher), "student": asdict(student)},
        "notes": list(found.notes),
    }


def _other_session(session: Session, wanted: Wanted, config: DistillConfig) -> Session:
    """The session with the student's base in place of the teacher's; critic and embedder stay."""
    if wanted.base is None:
        return session
    if not config.num_prompts:
        raise RunError("distill.num_prompts is 0; a student on another base must be trained")
    values = {"base": wanted.base, "revision": None}
    engine = load_engine(session.config.model.model_copy(update=values))
    if engine.base_sha256 == session.engine.base_sha256:
        raise ModelError(
            f"{wanted.base} is the teacher's own base; expected a smaller one, or --rank for a "
            "lower rank"
        )
    is_alike = wanted.is_offline or same_tokens(engine, session.engine)
    if not is_alike and not can_cross(engine, session.engine):
        raise ModelError(
            f"{wanted.base} has another tokenizer than {session.engine.name}, and not both are "
            "byte-level BPE, so that the teacher cannot judge its tokens; give --offline, which "
            "goes through text"
        )
    generator = ModelGenerator(engine, session.pack, session.config.wake)
    return replace(session, engine=engine, generator=generator)


def _draw(
    session: Session, teacher: str, config: DistillConfig
) -> tuple[list[TrainingRow], set[int]]:
    """Prompts, and the concepts that they show."""
    taught = sorted(session.run.taught(teacher))
    pairs = [verdict.proposal.pair for verdict in session.memory.verdicts()]
    sleep = session.config.sleep
    rows = draw_prompts(
        session.memory.study_items(taught, family="study"),
        pairs,
        read_general(sleep.general, max_characters=4 * sleep.max_length),
        prompts=session.pack,
        config=config,
        seed=session.seed("distill"),
    )
    shown = {row.prompt for row in rows if row.origin == "wake"}
    concept_ids = {
        concept.concept_id
        for pair in pairs
        if session.pack.render("propose", a=pair.a.text, b=pair.b.text) in shown
        for concept in (pair.a, pair.b)
    }
    return rows, concept_ids


def _measure(
    session: Session,
    other: Session,
    teacher: AdapterVersion,
    student: AdapterVersion,
    suites: Suites,
    progress: Progress,
) -> tuple[EvalReport, ...]:
    """All of them on the same items, in the order of `Distilled.reports`."""
    asked = [(session, BASE), (session, teacher.version)]
    if other is not session:
        asked.append((other, BASE))
    asked.append((other, student.version))
    return tuple(
        evaluate_adapter(whose, adapter, suites, cycle=teacher.cycle, progress=progress)
        for whose, adapter in asked
    )


def _weigh(
    session: Session,
    other: Session,
    teacher: AdapterVersion,
    student: AdapterVersion,
    config: DistillConfig,
) -> tuple[Weighed, Weighed]:
    """Sizes and speed of teacher and student, on the same questions."""
    items = session.memory.study_items(family="study")[:NUM_TIMED]
    whose = ((session, teacher), (other, student))
    first, second = weigh(
        [(one.engine, one.use(adapter.version), adapter.path) for one, adapter in whose],
        [session.pack.render("answer", question=one.question, context=[]) for one in items],
        max_new_tokens=config.max_new_tokens,
    )
    return first, second


def _name(rank: int, wanted: Wanted) -> str:
    """Folder of one student's training."""
    digest = hashlib.sha256(f"{wanted.base}".encode()).hexdigest()[:8]
    return f"rank-{rank}-{wanted.method}" + (f"-{digest}" if wanted.base else "")
