"""A probe file is read as written, or refused by file and line."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl_train.errors import ProbeError
from ddl_train.probes.files import is_probe_file, parse_probe, read_probes
from ddl_train.probes.text import normalise
from ddl_train.records import Probe

GOOD: dict[str, Any] = {"id": "q1", "prompt": "what raises it?", "answers": ["salt"]}


def write(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "probes.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def test_a_line_is_a_probe(tmp_path: Path) -> None:
    full = GOOD | {
        "id": "q2",
        "choices": ["water", "sleep", "water"],
        "about": "salt raises it",
        "kind": "forward",
        "context": ["salt was given"],
    }
    short, long = read_probes(write(tmp_path, GOOD, "", full))
    assert short == Probe(probe_id="q1", prompt="what raises it?", answers=("salt",))
    assert long.choices == ("water", "sleep")
    assert (long.about, long.kind, long.context) == (
        "salt raises it",
        "forward",
        ("salt was given",),
    )


def test_messages_are_a_raw_prompt(tmp_path: Path) -> None:
    line = {"id": "m", "messages": [{"role": "user", "content": "say a"}], "answers": ["a"]}
    (probe,) = read_probes(write(tmp_path, line))
    assert probe.is_raw
    assert probe.prompt == "say a"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"not JSON \(Expecting .*: column 2\)$"),
        ("[1]", "expected a JSON object"),
        (GOOD | {"promt": "x"}, "unknown key 'promt'"),
        ({"id": "x", "answers": ["a"]}, "prompt is None"),
        (GOOD | {"prompt": "  "}, "prompt is"),
        (GOOD | {"id": 3}, "id is 3"),
        (GOOD | {"answers": []}, "answers is empty"),
        (GOOD | {"answers": "salt"}, "expected a list"),
        (GOOD | {"answers": [1]}, "answers is 1"),
        (GOOD | {"choices": ["water", " SALT."]}, "also an answer"),
        (GOOD | {"raw": "yes"}, "raw is 'yes'"),
        (GOOD | {"raw": True, "context": ["x"]}, "holds its context already"),
        (GOOD | {"messages": []}, "both prompt and messages"),
        ({"id": "x", "messages": [{"role": "system"}], "answers": ["a"]}, "one message"),
        ('{"id": "x", "prompt": "\\ud800", "answers": ["a"]}', "surrogate"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path: Path, line: Any, message: str) -> None:
    path = write(tmp_path, GOOD | {"id": "first"}, "", line)
    with pytest.raises(ProbeError, match=message) as error:
        read_probes(path)
    assert f"{path}:3" in str(error.value)


def test_an_id_stands_once(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=r":2: id 'q1' stands at .*:1 already"):
        read_probes(write(tmp_path, GOOD, GOOD))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_a_file_without_probes_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.jsonl").write_bytes(content)
    with pytest.raises(ProbeError, match=r"p\.jsonl"):
        read_probes(tmp_path / "p.jsonl")
    with pytest.raises(ProbeError, match="no such file"):
        read_probes(tmp_path / "none.jsonl")


TEXT = st.text(min_size=1).filter(lambda text: bool(text.strip()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(prompt=TEXT, answers=st.lists(TEXT, min_size=1, max_size=3), choices=st.lists(TEXT))
def test_any_text_survives(prompt: str, answers: list[str], choices: list[str]) -> None:
    right = {normalise(answer) for answer in answers}
    choices = [choice for choice in choices if normalise(choice) not in right]
    line = {"id": "x", "prompt": prompt, "answers": answers, "choices": choices}
    probe = parse_probe(json.loads(json.dumps(line)), where="here")
    assert probe.prompt == prompt
    assert probe.answers == tuple(answers)
    assert set(probe.choices) == set(choices)


@given(
    value=st.dictionaries(
        st.sampled_from(["id", "prompt", "answers", "choices", "messages", "raw", "context"]),
        JSON,
    )
)
def test_no_object_does_anything_but_parse_or_be_refused(value: dict[str, Any]) -> None:
    try:
        probe = parse_probe(value, where="here")
    except ProbeError as error:
        assert str(error).startswith("here: ")
    else:
        assert probe.answers


def columns(tmp_path: Path, lines: list[dict[str, Any]]) -> tuple[Path, Path]:
    """The same rows as a Parquet file and as a folder that `datasets` saved."""
    tmp_path.mkdir(exist_ok=True)
    parquet, folder = tmp_path / "probes.parquet", tmp_path / "saved"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), parquet)
    datasets.Dataset.from_parquet(str(parquet), cache_dir=str(tmp_path / "cache")).save_to_disk(
        str(folder)
    )
    return parquet, folder


def test_a_row_of_parquet_or_of_a_dataset_is_a_line(tmp_path: Path) -> None:
    lines = [
        GOOD | {"choices": None, "kind": None, "context": None, "raw": None},
        GOOD
        | {"id": "q2", "choices": ["water"], "kind": "forward", "context": ["x"], "raw": False},
    ]
    parquet, folder = columns(tmp_path, lines)
    in_lines = read_probes(write(tmp_path, GOOD, lines[1]))
    assert read_probes(parquet) == in_lines
    assert read_probes(folder) == in_lines
    messages = [{"role": "user", "content": "say a"}]
    for path in columns(tmp_path / "raw", [{"id": "m", "messages": messages, "answers": ["a"]}]):
        assert [probe.is_raw for probe in read_probes(path)] == [True]


def test_every_split_of_a_dataset_is_asked(tmp_path: Path) -> None:
    splits = {name: datasets.Dataset.from_list([GOOD | {"id": name}]) for name in ("a", "b")}
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
    assert [probe.probe_id for probe in read_probes(tmp_path / "saved")] == ["a", "b"]
    splits["b"] = datasets.Dataset.from_list([GOOD | {"id": "a"}])
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "twice"))
    with pytest.raises(ProbeError, match=r"twice/b: row 0: id 'a' stands at .*twice/a: row 0"):
        read_probes(tmp_path / "twice")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "x", "prompt": None, "answers": ["a"]}, "prompt is None"),
        ({"id": "x", "prompt": "y?", "answers": []}, "answers is empty"),
        ({"id": "q1", "prompt": "y?", "answers": ["a"]}, "id 'q1' stands"),
    ],
)
def test_a_bad_row_is_named_by_file_and_row(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    for path in columns(tmp_path, [GOOD, row]):
        with pytest.raises(ProbeError, match=message) as error:
            read_probes(path)
        assert str(error.value).startswith(f"{path}: row 1: ")


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    for path in columns(tmp_path, [GOOD | {"promt": "x"}]):
        with pytest.raises(ProbeError, match="row 0: unknown key 'promt'"):
            read_probes(path)


def test_what_only_looks_like_a_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no table")
    (tmp_path / "folder").mkdir()
    for name, message in [
        ("text.parquet", "no readable Parquet file"),
        ("none.parquet", "no such file"),
        ("folder", "no readable dataset"),
    ]:
        with pytest.raises(ProbeError, match=f"{name}: .*{message}"):
            read_probes(tmp_path / name)


def test_of_retention_lines_tables_and_folders_are_questions(tmp_path: Path) -> None:
    names = ("q.jsonl", "q.parquet", "q.PARQUET", "notes.txt", "notes.md", "nowhere")
    assert [is_probe_file(name) for name in names] == [True, True, True, False, False, False]
    assert is_probe_file(tmp_path)
