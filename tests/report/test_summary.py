"""What the end of a run shows is what the stored reports hold."""

import io
from pathlib import Path

from rich.console import Console

from ddl_train.records import BASE, Promotion
from ddl_train.report.summary import Example, print_summary, summarize
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import made_run


def page(run_dir: Path) -> str:
    stream = io.StringIO()
    with Run.read(run_dir) as run:
        print_summary(summarize(run), Console(file=stream, width=80, markup=False))
    return stream.getvalue()


def test_before_and_after_of_what_the_base_got_wrong(tmp_path: Path) -> None:
    with Run.read(made_run(tmp_path)) as run:
        summary = summarize(run)
    assert summary.learned == (
        Example(question="what may relieve ague?", right="zorin", before="x", after="zorin"),
    )
    assert (summary.num_learned, summary.num_forgotten) == (1, 1)


def test_the_page_says_what_was_dreamt_learned_and_forgotten(tmp_path: Path) -> None:
    text = page(made_run(tmp_path))
    assert "2 days and nights, 1 promoted" in text
    assert "dreamt on 10 pairs: 6 ideas, 4 admitted, 2 of them resting on earlier ideas" in text
    assert "before: x" in text
    assert "after:  zorin" in text
    assert "it forgot (1 question)" in text
    assert "ddl-train insights" in text


def test_a_refused_night_is_shown_as_refused(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        back = Promotion(candidate=BASE, promoted=True, reasons=("ok: no",), decided_by="person")
        run.record_promotion(1, back)
        refused = run.adapters()[1].version
        again = Promotion(candidate=refused, promoted=False, reasons=("refused: it forgot",))
        run.start_cycle(2)
        for stage in ("wake", "sleep", "evaluate"):
            run.finish_stage(2, stage)
        run.record_promotion(2, again)
    text = page(run_dir)
    assert "still the untouched base" in text
    assert f"the last night, {refused}, is not in use:" in text
    assert "refused: it forgot" in text
    assert "it had learned (1 question)" in text
    assert "it had forgotten (1 question)" in text


def test_a_run_whose_nights_were_never_measured_says_so(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("DELETE FROM reports")
    text = page(run_dir)
    assert "dreamt on 10 pairs" in text
    assert "after" not in text


def test_text_of_a_model_cannot_steer_the_terminal(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    probe = tmp_path / "truth.jsonl"
    probe.write_text(probe.read_text().replace("ague?", "ague\\u001b[2J[bold]?"))
    text = page(run_dir)
    assert "\x1b" not in text
    assert "ague[2J[bold]?" in text


def test_a_skipped_night_is_said_with_its_reason(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        run.start_cycle(2)
        run.finish_stage(2, "wake")
        run.finish_stage(2, "sleep", skipped="nothing was admitted")
        run.finish_stage(2, "evaluate")
        run.finish_stage(2, "promote")
    assert "night 3 was skipped: nothing was admitted" in page(run_dir)
