"""Every kind of source is read, and what cannot be read is one clear sentence."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddl_train.config import MemoryConfig
from ddl_train.errors import SourceError
from ddl_train.memory.ingest import Reading, read_sources


def read(*sources: Path | str, known: dict[str, str] | None = None, **values: Any) -> Reading:
    names = [str(source) for source in sources]
    config = MemoryConfig.model_validate({"sources": names} | values)
    return read_sources(names, config, known=known)


def texts(reading: Reading) -> list[str]:
    return [chunk.text for chunk in reading]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\nFirst note.")
    (folder / "b.txt").write_text("\ufeffSecond note.\r\n")
    (folder / "deep" / "c.markdown").write_text("第三条笔记。")
    return folder


def test_a_folder_is_read_through(notes: Path) -> None:
    assert texts(read(notes)) == ["A\n\nFirst note.", "Second note.", "第三条笔记。"]


def test_chunks_know_where_they_come_from(notes: Path) -> None:
    reading = read(notes, max_tokens=1)
    assert [(chunk.source, chunk.position) for chunk in reading][:2] == [
        (str(notes / "a.md"), 0),
        (str(notes / "a.md"), 1),
    ]


def test_globs_and_files_are_read_once(notes: Path) -> None:
    assert len(read(notes / "**" / "*.m*", notes / "a.md", notes / "b.txt")) == 3


def test_hidden_and_unknown_files_are_passed_over(notes: Path) -> None:
    (notes / ".git").mkdir()
    (notes / ".git" / "x.md").write_text("hidden")
    (notes / ".draft.md").write_text("hidden")
    (notes / "photo.jpeg").write_bytes(b"\xff\xd8")
    (notes / "empty.md").write_text(" \n")
    reading = read(notes)
    assert {Path(chunk.source).name for chunk in reading} == {"a.md", "b.txt", "c.markdown"}
    passed_over = {Path(entry.split(" (")[0]).name for entry in reading.skipped}
    assert passed_over == {"photo.jpeg", "empty.md"}


def test_duplicates_are_counted(notes: Path) -> None:
    (notes / "copy.txt").write_text("Second note.")
    (notes / "piece.txt").write_text("first   NOTE.\n\nfirst note.")
    reading = read(notes, unit="sentence")
    assert len(reading.copies) == 1
    assert reading.num_duplicate_chunks == 3


def test_what_was_left_out_is_said_with_three_names_and_why(notes: Path) -> None:
    for name in "vwxyz":
        (notes / f"{name}.jpeg").write_bytes(b"\xff\xd8")
    (notes / "copy.txt").write_text("Second note.")
    words = read(notes).left_out()
    assert f"passed over: {notes}/v.jpeg (files of this kind are not read), " in words
    assert "y.jpeg" not in words
    assert "and 2 more; copies: " in words
    assert f"{notes}/copy.txt (as {notes}/b.txt)" in words
    assert words.endswith("1 piece stands there already, kept once")


def test_a_reading_that_leaves_nothing_out_has_nothing_to_say(notes: Path) -> None:
    assert read(notes).left_out() == ""


def test_a_folder_without_anything_readable_names_its_files(tmp_path: Path) -> None:
    (tmp_path / "photo.jpeg").write_bytes(b"\xff\xd8")
    with pytest.raises(SourceError, match=r"no piece of text.*photo\.jpeg \(files of this kind"):
        read(tmp_path)


def test_two_files_alike_are_said_to_be_copies(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("One sentence in two files.")
    with pytest.raises(SourceError, match=r"copies: .*b\.md \(as .*a\.md\)"):
        read(tmp_path)


def test_copies_beside_two_documents_are_read_on(notes: Path) -> None:
    (notes / "copy.txt").write_text("Second note.")
    (notes / "deep" / "c.markdown").unlink()
    assert len(read(notes).copies) == 1


def test_what_is_known_is_not_cut_again(notes: Path) -> None:
    first = read(notes)
    known = {chunk.source: chunk.source_sha256 for chunk in first}
    (notes / "b.txt").write_text("Changed note.")
    again = read(notes, known=known)
    assert texts(again) == ["Changed note."]


ROWS = [{"text": "row one"}, {"text": "row two"}, {"text": None}]


def write_jsonl(path: Path) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    return path


def write_json(path: Path) -> Path:
    path.write_text(json.dumps(["row one", {"text": "row two"}]))
    return path


def write_parquet(path: Path) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize(
    ("name", "write"),
    [("r.jsonl", write_jsonl), ("r.json", write_json), ("r.parquet", write_parquet)],
)
def test_each_row_is_a_document(tmp_path: Path, name: str, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path / name)
    assert [(chunk.text, chunk.source) for chunk in read(path)] == [
        ("row one", f"{path}#0"),
        ("row two", f"{path}#1"),
    ]


@pytest.mark.slow
def test_a_saved_dataset_is_read_split_by_split(tmp_path: Path) -> None:
    import datasets

    train = datasets.Dataset.from_list(ROWS[:2])
    datasets.DatasetDict({"train": train}).save_to_disk(tmp_path / "data")
    reading = read(tmp_path)
    assert [chunk.source for chunk in reading] == [
        f"{tmp_path / 'data' / 'train'}#0",
        f"{tmp_path / 'data' / 'train'}#1",
    ]


@pytest.mark.slow
def test_html_is_converted(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")
    path = tmp_path / "page.html"
    path.write_text("<h1>Cats</h1><p>Cats sleep.</p><p>Dogs bark.</p>")
    assert texts(read(path, unit="sentence")) == ["Cats sleep.", "Dogs bark."]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper.pdf", "letter.docx", "table.xlsx"])
def test_a_damaged_file_is_not_taken_for_text(tmp_path: Path, name: str) -> None:
    pytest.importorskip("markitdown")
    (tmp_path / name).write_bytes(b"%PDF-1.4 or PK, and then nothing of the kind")
    with pytest.raises(SourceError, match="damaged"):
        read(tmp_path / name)


def test_without_the_converter_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "markitdown", None)
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.4")
    with pytest.raises(SourceError, match=r"ddl-train\[documents\]"):
        read(tmp_path / "paper.pdf")


CUT = r"jsonl:2: is not valid JSON \(Unterminated string starting at: column 10\)$"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("missing.md", lambda path: None, "no such file or folder"),
        ("missing*.md", lambda path: None, "no file matches"),
        ("empty.md", lambda path: path.write_bytes(b""), "holds no text"),
        ("space.md", lambda path: path.write_text(" \n\t\n"), "holds no text"),
        ("bom.md", lambda path: path.write_bytes(b"\xef\xbb\xbf"), "holds no text"),
        ("latin.txt", lambda path: path.write_bytes("Straße".encode("latin-1")), "byte 4 is 0xdf"),
        ("utf16.txt", lambda path: path.write_text("text", "utf-16"), "not UTF-8"),
        ("utf16le.txt", lambda path: path.write_text("text", "utf-16-le"), "binary"),
        ("random.md", lambda path: path.write_bytes(bytes(range(253, 0, -1))), "a binary file"),
        ("photo.txt", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0"), "a binary file"),
        ("nul.txt", lambda path: path.write_bytes(b"a\x00b"), "binary"),
        ("elf.txt", lambda path: path.write_bytes(b"\x7fELF\x02\x01\x01" * 9), "binary"),
        ("pipe.md", make_fifo, "no plain file"),
        ("loop.md", make_loop, "cannot be read"),
        ("broken.md", make_broken_link, "link to nothing"),
        ("photo.jpeg", lambda path: path.write_bytes(b"\xff\xd8"), "files of this kind"),
        (
            "bad.jsonl",
            lambda path: path.write_text('{"text": "a"}\n{"text": '),
            "jsonl:2: is not.*column 10",
        ),
        ("cut.jsonl", lambda path: path.write_text('{"text": "a"}\n{"text": "b'), CUT),
        ("cut.json", lambda path: path.write_text('[\n"a",\n'), "json: is not.*line 3, column 1"),
        ("list.jsonl", lambda path: path.write_text("[1]"), "jsonl:1: holds list"),
        ("key.jsonl", lambda path: path.write_text('{"body": "a"}'), "it has body.*text_column"),
        ("type.jsonl", lambda path: path.write_text('{"text": 3}'), "'text' is int"),
        ("half.jsonl", lambda path: path.write_text('{"text": "\\ud800"}'), "surrogate"),
        ("bad.parquet", lambda path: path.write_bytes(b"PAR1 no"), "no readable Parquet"),
        ("one.md", lambda path: path.write_text("Only this."), "a single piece.*max_tokens"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, make: Callable[[Path], object], sentence: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(SourceError, match=sentence) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [make_fifo, make_loop, make_broken_link])
def test_what_would_be_lost_in_silence_is_an_error_in_a_folder_too(
    notes: Path, make: Callable[[Path], None]
) -> None:
    make(notes / "x.md")
    with pytest.raises(SourceError, match=r"x\.md"):
        read(notes)


def test_a_link_back_to_the_folder_is_not_followed(notes: Path) -> None:
    (notes / "deep" / "up").symlink_to(notes)
    assert len({chunk.source for chunk in read(notes)}) == 3


def test_an_unreadable_file_is_one_sentence(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SourceError, match=r"a\.md: cannot be read \(Permission denied\)"):
        read(notes)


@pytest.mark.parametrize("name", ["a\nb.md", "--help.md", "😀.md", "[x].md"])
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("One thing.\n\nAnother thing.")
    assert len(read(tmp_path / name, unit="sentence")) == 2
