"""General rows from JSONL and from text in any script."""

from pathlib import Path

import pytest

from ddl_train.errors import SourceError
from ddl_train.training.general import read_general, split_text


def test_jsonl_lines_are_rows_and_text_becomes_bare_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "hi", "completion": "hello\\u2028there"}\n\n')
    (tmp_path / "b.txt").write_text("One. Two.\n\nThree.")
    rows = read_general([tmp_path / "a.jsonl", tmp_path / "b.txt"], max_characters=100)
    assert [(row.prompt, row.completion, row.origin) for row in rows] == [
        ("hi", "hello\u2028there", "general"),
        ("", "One. Two.", "general"),
        ("", "Three.", "general"),
    ]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("One two. Three four! Five", ["One two.", "Three four!", "Five"]),
        ("蜜蜂采蜜。蜂巢是六边形的。", ["蜜蜂采蜜。", "蜂巢是六边形的。"]),
        ("abcdefghijklmnop", ["abcdefghijkl", "mnop"]),
        ("A. B.\n\n\n  \nC\nD", ["A. B.", "C D"]),
        ("", []),
    ],
)
def test_text_is_split_at_paragraphs_and_sentences(text: str, pieces: list[str]) -> None:
    assert split_text(text, 12) == pieces


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"prompt": "x", "completion": "y"}\nnonsense', "a.jsonl:2: not JSON"),
        ("a.jsonl", b'{"prompt": "x"}', "a.jsonl:1: expected an object"),
        ("a.jsonl", b'["x"]', "a.jsonl:1: expected an object"),
        ("a.txt", b"\xff\xfe\x00", "UTF-8"),
        ("a.txt", b" \n ", "holds no text"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read_general([tmp_path / name], max_characters=100)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read_general([tmp_path / "none.txt"], max_characters=100)
