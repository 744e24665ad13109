"""A report is one file that needs nothing else, and says what was not measured."""

import html
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ddl_train.cli.app import app
from ddl_train.errors import RunError
from ddl_train.records import LIKELIHOODS, StudyItem
from ddl_train.report.canvas import PAPER
from ddl_train.report.clouds import SCALE, scores_figure
from ddl_train.report.page import write_report
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import add_vectors, empty_run, made_run

HOSTILE = '<script>alert("1")</script><img src=http://example.org/x.png> {{ 7 * 7 }}'
CHINESE = "茶多酚降低铁的吸收，所以饭后喝茶可能加重缺铁性贫血"


def page_of(run_dir: Path, out: Path, *, is_sample: bool = False) -> str:
    with Run.read(run_dir) as run:
        return write_report(run, out, is_sample=is_sample)[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    run_dir = made_run(folder)
    add_vectors(run_dir)
    return page_of(run_dir, folder / "out")


def test_it_has_every_part(page: str) -> None:
    parts = re.findall(r'<section id="(\w+)">', page)
    assert parts == [
        "knows",
        "answers",
        "nights",
        "dreams",
        "critic",
        "memory",
        "lineage",
        "insights",
        "tax",
        "files",
    ]


def test_every_link_of_the_page_leads_to_a_part_of_it(page: str) -> None:
    links = re.findall(r'href="([^"]*)"', page)
    inside = [link for link in links if not link.startswith("#m")]  # marks of plots
    assert inside
    assert all(f'id="{link[1:]}"' in page for link in links)


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert "default-src 'none'" in page
    for way in ("<script", "<link", "<iframe", "@import", "url(http", " src=", "xmlns:xlink"):
        assert way not in page


def test_plots_take_their_colours_from_the_page(page: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(plots) >= 9
    for plot in plots:
        colours = re.findall(r"(?:fill|stroke): ([^;\"]+)", plot)
        assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none"}
        assert 'role="img"' in plot
        assert re.match(r'<svg[^>]*aria-label="[^"]{20,}"', plot)


def test_the_text_of_plots_is_text(page: str) -> None:
    plot = re.findall(r"<svg.*?</svg>", page, re.S)[0]
    assert "night</text>" in plot
    assert "base</text>" in plot


def test_ids_are_unique(page: str) -> None:
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_card_tells_both_likelihoods_and_the_plots_have_a_scale_for_each(page: str) -> None:
    assert "support 0.90, rederived 0.985" in page
    for likelihood in LIKELIHOODS:
        figure = scores_figure([], [], ("coherence", likelihood), {likelihood: 0.5}, PAPER)
        assert figure.axes[0].get_ylim() == (-0.03, 1.03)
        assert figure.axes[0].get_xlim() == SCALE


def test_answers_before_and_after_stand_side_by_side(page: str) -> None:
    assert "It answers now what it could not: 1 question" in page
    assert "what may relieve ague?" in page
    assert "It forgot: 1 question" in page


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    add_vectors(run_dir)
    for name in ("first", "second"):
        page_of(run_dir, tmp_path / name)
    first, second = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in files}
        for name in ("first", "second")
        for files in [sorted((tmp_path / name).rglob("*.*"))]
    )
    assert first == second
    assert {path.suffix for path in first} == {".html", ".png"}


def test_text_of_models_and_documents_is_only_text(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("UPDATE concepts SET text = ? || concept_id", (HOSTILE,))
        database.execute("UPDATE concepts SET source = ? WHERE kind = 'document'", (HOSTILE,))
        database.execute("UPDATE proposals SET text = ? WHERE NOT is_none", (HOSTILE,))
        database.execute("UPDATE verdicts SET rationale = ?", (HOSTILE,))
    page = page_of(run_dir, tmp_path / "out")
    assert "<script" not in page
    assert "<img" not in page
    assert html.escape(HOSTILE, quote=False).split()[0] in page.replace("&#34;", '"')
    assert "{{ 7 * 7 }}" in page


def test_chinese_stays_as_it_was_written(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("UPDATE proposals SET text = ? WHERE NOT is_none", (CHINESE,))
    assert CHINESE in page_of(run_dir, tmp_path / "out")


def test_what_would_steer_a_reader_is_left_out(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("UPDATE proposals SET text = ? WHERE NOT is_none", ("a\u202eb\x1b[2Jc",))
    page = page_of(run_dir, tmp_path / "out")
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "ab[2Jc" in page


def test_a_run_that_has_begun_nothing_says_so_and_draws_nothing(tmp_path: Path) -> None:
    run_dir = empty_run(tmp_path)
    page = page_of(run_dir, tmp_path / "out")
    assert "No cycle of this run has begun; its memory is empty." in page
    for words in (
        "Not measured: no night has been put to held-out questions.",
        "No night yet.",
        "Nothing was dreamt yet.",
        "Not measured: no idea has been scored.",
        "Not drawn: memory holds fewer than three different vectors.",
        "No insight rests on another yet.",
        "No insight was admitted.",
        "Nothing was spent yet.",
    ):
        assert words in page
    assert "<svg" not in page
    assert list((tmp_path / "out" / "pictures").iterdir()) == []


def test_a_run_that_admitted_nothing_shows_what_was_refused(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("DELETE FROM insights")
        database.execute("UPDATE verdicts SET rejected_because = 'utility: 3.0 is below 4.0'")
        for table in ("reports", "promotions", "night_rows"):
            database.execute(f"DELETE FROM {table}")
        database.execute("DELETE FROM concepts WHERE kind = 'insight' AND concept_id > 7")
        database.execute("UPDATE pairs SET a_id = 1 WHERE a_id > 5")
        database.execute("DELETE FROM concepts WHERE kind = 'insight'")
    page = page_of(run_dir, tmp_path / "out")
    assert "6 ideas came of it, and none was admitted." in page
    assert "No insight was admitted." in page
    assert "refused (6)" in page
    assert "nights promoted" not in page


def test_a_run_whose_nights_were_all_refused_shows_why(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("UPDATE promotions SET promoted = 0, reasons = '[\"refused: it forgot\"]'")
        database.execute("UPDATE state SET value = 'base' WHERE key = 'current'")
    page = page_of(run_dir, tmp_path / "out")
    assert "Of 2 nights the gate refused 2; the untouched base is in use." in page
    assert page.count('<span class="verdict refused">refused</span>') == 2
    assert "it forgot" in page
    assert "is not in use" in page


def test_questions_that_are_gone_are_not_shown_and_it_says_why(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    (tmp_path / "truth.jsonl").unlink()
    page = page_of(run_dir, tmp_path / "out")
    assert "Not shown: " in page
    assert "truth.jsonl: no such file" in page


def test_held_out_questions_are_shown_only_where_they_were_asked(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    secret = StudyItem(insight_id=1, kind="secret", question="sealed?", answer="yes")
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute(
            "INSERT INTO study_items (insight_id, family, kind, question, answer, is_checked) "
            "VALUES (?, 'probe', ?, ?, ?, 1)",
            (secret.insight_id, secret.kind, secret.question, secret.answer),
        )
    assert "sealed?" not in page_of(run_dir, tmp_path / "out")


def test_a_sample_draws_fewer_dots_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = made_run(tmp_path)
    add_vectors(run_dir)
    monkeypatch.setattr("ddl_train.report.page.MOST_DOTS_OF_SAMPLE", 3)
    whole, sample = (
        page_of(run_dir, tmp_path / "a"),
        page_of(run_dir, tmp_path / "b", is_sample=True),
    )
    assert "a fixed sample" not in whole
    assert "at most 3 of each are drawn, a fixed sample" in sample
    assert "Drawn are 3 of 9 concepts." in sample


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    place = tmp_path / "thesis"
    place.write_text("years of work")
    with Run.read(run_dir) as run, pytest.raises(RunError, match="is a file; expected a folder"):
        write_report(run, place)
    assert place.read_text() == "years of work"


def test_the_command_says_where_the_page_is(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    result = CliRunner().invoke(app, ["report", str(run_dir)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{run_dir}/report/report.html, ")
    assert (run_dir / "report" / "report.html").is_file()


def test_what_the_cascade_lost_stands_in_a_table(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute(
            "UPDATE verdicts SET audit = 'screen: support 0.4 is below 0.5' "
            "WHERE rejected_because IS NULL"
        )
    page = page_of(run_dir, tmp_path / "out")
    assert "The cascade before it" in page
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in re.findall(r"<tr>.*?</tr>", page)]
    short = next(row for row in rows if row and row[0] == "short critic")
    assert short[-1].replace("\N{NO-BREAK SPACE}", " ") == "4 (51 to 100 %)"
