"""`ddl-train distill`: a student of the promoted adapter. Exits 1 when the gate refuses it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli.arguments import (
    JsonOption,
    QuietOption,
    RunArgument,
    find_run,
    output,
    print_json,
    side_output,
)
from ddl_train.cli.boundary import say
from ddl_train.cli.working import take_up
from ddl_train.config import override_section
from ddl_train.errors import RunError

if TYPE_CHECKING:
    from ddl_train.distill import Distilled
    from ddl_train.records import EvalReport, JsonObject

_GAINS = ("teacher_gain", "student_gain")


def distill(
    run: RunArgument,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="distill.KEY=VALUE",
            help="For this student, such as distill.num_prompts=4096; the run's config stays.",
        ),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option(min=1, help="Of the student's LoRA: 8, or the teacher's with --student."),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(metavar="BASE", help="A smaller base for the student: folder or Hub id."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Train on the teacher's answers: cheaper, less sure.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for the student, if it is let through.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a smaller adapter that keeps what the promoted one has gained."""
    from ddl_train.cli.preflight import count_probes
    from ddl_train.storage.run import Run

    run_dir = find_run(run)
    with Run.read(run_dir) as kept:
        config = override_section(kept.config, "distill", overrides or [])
    count_probes(config.evaluate)
    if out is not None and out.exists():
        raise RunError(f"{out}: exists already; --out expects a new folder")
    with take_up(run_dir) as session:
        from ddl_train.distill import Wanted
        from ddl_train.distill import distill as make
        from ddl_train.report.progress import make_progress

        found = make(
            session,
            Wanted(rank=rank, base=student, is_offline=offline, config=config.distill),
            progress=make_progress(side_output(), is_quiet=quiet),
        )
    if json:
        print_json(_object(found))
    else:
        _show(found)
    if not found.decision.promoted:
        raise typer.Exit(1)
    if out is not None:
        _write(found, out)


def _object(found: "Distilled") -> "JsonObject":
    from dataclasses import asdict

    from ddl_train.report.evaluation import evaluation_object

    teacher, student = found.bought
    return {
        "adapter": found.adapter.version,
        "teacher": found.teacher.version,
        "base": found.adapter.base,
        "is_let_through": found.decision.promoted,
        "reasons": list(found.decision.reasons),
        "numbers": dict(found.decision.numbers),
        "bought": {"teacher": asdict(teacher), "student": asdict(student)},
        "notes": list(found.notes),
        "evaluation": [evaluation_object(part, None) for part in _tables(found)],
    }


def _tables(found: "Distilled") -> "list[list[EvalReport]]":
    """Reports that stand beside each other: those of one base."""
    if len(found.reports) == 3:
        return [list(found.reports)]
    return [list(found.reports[:2]), list(found.reports[2:])]


def _show(found: "Distilled") -> None:
    from rich.table import Table

    from ddl_train.report.evaluation import print_evaluation
    from ddl_train.report.words import amount, share, size

    console = output()
    for part in _tables(found):
        print_evaluation(part, console)
        console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "teacher", "student", "student / teacher"):
        table.add_column(name, justify="left" if not name else "right")
    teacher, student = found.bought
    for title, key, form in (
        ("parameters of the base", "base_parameters", amount),
        ("parameters of the adapter", "adapter_parameters", amount),
        ("file", "adapter_bytes", size),
        ("tokens a second", "tokens_per_second", amount),
    ):
        before, after = getattr(teacher, key), getattr(student, key)
        ratio = f"{after / before:.2f}" if before else "-"
        table.add_row(title, form(before), form(after), ratio)
    numbers = found.decision.numbers
    cells = [f"{numbers[key]:+.3f}" if key in numbers else "-" for key in _GAINS]
    table.add_row("gain in uptake and truth", *cells, share(numbers.get("kept")))
    console.print(table)
    for sentence in (*found.notes, *found.decision.reasons):
        console.print(sentence, soft_wrap=True)
    verdict = "is a student of" if found.decision.promoted else "was refused as a student of"
    console.print(f"{found.adapter.version} {verdict} {found.teacher.version}")


def _write(found: "Distilled", out: Path) -> None:
    """The adapter's two files, and how it was measured."""
    import shutil

    from ddl_train.report.evaluation import evaluation_object, write_evaluation

    out.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        shutil.copyfile(found.adapter.path / name, out / name)
    for number, part in enumerate(_tables(found)):
        folder = out / ("evaluation" if not number else "evaluation-student")
        write_evaluation(evaluation_object(part, None), folder)
    say(f"wrote {out}")
