"""Nights that are known to be good, bad or null, each trained and measured for real, once.

A day is lived in an invented world; every night studies what that day brought, or what its kind
makes of it, and is asked the same questions. Reports are kept beside the run, so that a bench that
was stopped goes on, and so that its statistics can be drawn again without a model.

    good      the recipe as configured                    null      general rows only, same steps
    fast      30 times the learning rate                  zero      a delta of nothing
    shuffled  answers of other questions                  random    a good night's norm, no direction
    decoys    falsehoods of the world                     nan       weights that are no numbers
    repeated  one sentence again and again
"""

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ddl_train.bench.placebo import shuffle_answers
from ddl_train.errors import AdapterError
from ddl_train.measure import cycle_suites, evaluate_adapter
from ddl_train.probes.files import read_probes
from ddl_train.probes.suites import Suites
from ddl_train.records import BASE, EvalReport, Insight, Progress, StudyItem, TrainingRow
from ddl_train.session import Session
from ddl_train.storage.files import write_text
from ddl_train.storage.history import dump_report, load_report
from ddl_train.study import study
from ddl_train.training.delta import WEIGHTS, scale_adapter
from ddl_train.training.general import read_general
from ddl_train.training.lora import train_lora
from ddl_train.training.rows import build_rows

GOOD, NULL = "good", "null"
TRAINED_BAD = ("fast", "shuffled", "decoys", "repeated")
MADE_BAD = ("zero", "random", "nan")
"""Made from the weights of the good night of the same seed."""
BAD = (*TRAINED_BAD, *MADE_BAD)
RATE_FACTOR = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """One night and what it answered."""

    kind: str
    seed: int
    report: EvalReport | None
    """None when there was no adapter to ask."""
    failed_because: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What all nights share: a run that has woken, and what it is asked."""

    session: Session
    insights: Sequence[Insight]
    items: Sequence[StudyItem]
    general: Sequence[TrainingRow]
    suites: Suites
    out: Path
    """Folder of the reports and adapters."""


def begin_day(session: Session, out: Path, *, progress: Progress) -> Day:
    """Have the study and probe items of a day written, and fix what is asked. Wake is done."""
    memory, config = session.memory, session.config.sleep
    insights = memory.insights()
    ids = [insight.insight_id for insight in insights]
    with progress.stage("study", None) as bar:
        written, _ = study(
            session.engine,
            session.pack,
            tonight=insights,
            earlier=[],
            stored=memory.study_items(ids),
            config=config,
            seed=session.seed("study"),
            progress=bar.advance,
        )
    memory.save_study_items(written)
    out.mkdir(parents=True, exist_ok=True)
    return Day(
        session=session,
        insights=insights,
        items=memory.study_items(ids, family="study"),
        general=read_general(config.general, max_characters=4 * config.max_length),
        suites=cycle_suites(session),
        out=out,
    )


def measure_base(day: Day, *, progress: Progress) -> EvalReport:
    """What the untouched base answers."""
    return _kept(day, "base") or _measure(day, "base", BASE, progress)


def live_night(day: Day, kind: str, seed: int, *, progress: Progress) -> Night:
    """Make one night of a kind and measure it, unless that was done before."""
    name = f"{kind}-{seed}"
    failure = day.out / f"{name}.failed"
    if failure.is_file():
        why = failure.read_text(encoding="utf-8")
        return Night(kind=kind, seed=seed, report=None, failed_because=why)
    report = _kept(day, name)
    if report is None:
        try:
            folder = _adapter(day, kind, seed, progress)
            day.session.engine.load_adapter(name, folder)
        except AdapterError as error:
            write_text(failure, str(error))
            return Night(kind=kind, seed=seed, report=None, failed_because=str(error))
        report = _measure(day, name, name, progress)
        day.session.engine.unload_adapter(name)
    return Night(kind=kind, seed=seed, report=report)


def live_share(day: Day, kind: str, seed: int, factor: float, *, progress: Progress) -> EvalReport:
    """A night that has been lived, with less of its delta."""
    name = f"{kind}-{seed}-{round(1000 * factor)}"  # peft takes no dots
    if (report := _kept(day, name)) is not None:
        return report
    whole = day.out / f"{kind}-{seed}.adapter"
    day.session.engine.load_adapter(name, scale_adapter(whole, day.out / "share", factor))
    report = _measure(day, name, name, progress)
    day.session.engine.unload_adapter(name)
    return report


def _kept(day: Day, name: str) -> EvalReport | None:
    path = day.out / f"{name}.json"
    return load_report(path.read_text(encoding="utf-8")) if path.is_file() else None


def _measure(day: Day, name: str, adapter: str, progress: Progress) -> EvalReport:
    report = evaluate_adapter(day.session, adapter, day.suites, cycle=0, progress=progress)
    write_text(day.out / f"{name}.json", dump_report(report))
    return report


def _adapter(day: Day, kind: str, seed: int, progress: Progress) -> Path:
    """The folder of a night's adapter.

    Raises:
        AdapterError: training failed, so there is none.
    """
    folder = day.out / f"{kind}-{seed}.adapter"
    if folder.is_dir():
        return folder
    if kind in MADE_BAD:
        return _made(kind, seed, day.out / f"{GOOD}-{seed}.adapter", folder)
    config = day.session.config.sleep
    if kind == "fast":
        config = config.model_copy(update={"learning_rate": RATE_FACTOR * config.learning_rate})
    rows = _rows(day, kind, seed)
    night_dir = day.out / f"{kind}-{seed}.night"
    with progress.stage(f"{kind} {seed}", None) as bar:
        trained = train_lora(
            day.session.engine,
            rows,
            config,
            out_dir=night_dir,
            seed=seed,
            progress=bar.advance,
            should_stop=day.session.should_stop,
        )
    if trained.dir is None:
        raise AdapterError(f"{kind} {seed}: {trained.failed_because}")
    trained.dir.rename(folder)
    shutil.rmtree(night_dir)
    return folder


def _rows(day: Day, kind: str, seed: int) -> list[TrainingRow]:
    """As many rows as a good night has, of this kind."""
    session = day.session
    items = shuffle_answers(day.items) if kind == "shuffled" else day.items
    rows = build_rows(
        day.insights,
        [],
        items,
        general=day.general,
        rejected=session.memory.rejected_pairs(0, 1000, seed),
        prompts=session.pack,
        config=session.config.sleep,
        seed=seed,
    )
    if kind == "repeated":
        return [next(row for row in rows if row.origin == "new")] * len(rows)
    if kind == NULL:
        return random.Random(seed).sample(list(day.general), min(len(rows), len(day.general)))
    if kind == "decoys":
        falsehoods = [
            TrainingRow(
                prompt=session.pack.render("answer", question=probe.prompt, context=[]),
                completion=probe.answers[0],
                origin="new",
            )
            for path in session.config.evaluate.false_memory
            for probe in read_probes(path)
        ]
        return random.Random(seed).choices(falsehoods, k=len(rows))
    return rows


def _made(kind: str, seed: int, good: Path, folder: Path) -> Path:
    """Weights that no night made, in the shape of a good one's."""
    tmp = scale_adapter(good, folder.with_suffix(".tmp"), 0.0 if kind == "zero" else 1.0)
    if kind != "zero":
        generator = torch.Generator().manual_seed(seed)
        with safe_open(tmp / WEIGHTS, framework="pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        for key in sorted(tensors):
            if ".lora_B." in key and kind == "random":
                noise = torch.randn(tensors[key].shape, generator=generator)
                tensors[key] = noise * (tensors[key].norm() / noise.norm())
            elif ".lora_B." in key:
                tensors[key] = torch.full_like(tensors[key], torch.nan)
        save_file(tensors, tmp / WEIGHTS, metadata=metadata)
    tmp.rename(folder)
    return folder
