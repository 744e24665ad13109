r"""Probe files: questions of the user or of an oracle, one JSON object a line of JSONL.

    {"id": "q1", "prompt": "what raises blood pressure?", "answers": ["salt"],
     "choices": ["water", "sleep"], "about": "salt raises blood pressure", "kind": "forward",
     "context": ["..."], "raw": false}

`id`, `prompt` and `answers` are needed. With `choices` (none of them right) the answer is ranked
by likelihood, without it is generated and compared. `raw` means that `prompt` is the whole user
message and not a question for the pack's `answer` template. A line may hold
`"messages": [{"role": "user", "content": "..."}]` instead of a raw prompt.

A Parquet file, or a folder that `datasets` saved, holds the same: a row is a line, its columns are
the keys, and what is null is left out. Rows are counted from 0, lines from 1.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddl_train.errors import ProbeError
from ddl_train.probes.text import normalise
from ddl_train.records import Probe

KEYS = {"id", "prompt", "messages", "answers", "choices", "about", "kind", "context", "raw"}
PARQUET = ".parquet"


def read_probes(path: str | Path) -> list[Probe]:
    """Read a probe file.

    Raises:
        ProbeError: it is missing, empty or unreadable, or a line or row is not a probe; names file
            and line or row.
    """
    probes: list[Probe] = []
    places: dict[str, str] = {}
    for where, value in read_rows(path):
        probe = parse_probe(value, where=where)
        if probe.probe_id in places:
            raise ProbeError(
                f"{where}: id {probe.probe_id!r} stands at {places[probe.probe_id]} already; "
                "expected one of its own for each probe"
            )
        places[probe.probe_id] = where
        probes.append(probe)
    if not probes:
        raise ProbeError(f"{path}: holds no probes; expected one in each line or row")
    return probes


def is_probe_file(path: str | Path) -> bool:
    """Whether `retention` reads a path as questions, and not as plain text."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in (".jsonl", PARQUET)


def read_rows(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row as it is written, unchecked, after the file and the place where it stands.

    Raises:
        ProbeError: the file is missing or unreadable, or a line is no JSON object.
    """
    path = Path(path)
    if path.is_dir():
        return _dataset_rows(path)
    if path.suffix.lower() == PARQUET:
        return _parquet_rows(path)
    return _json_lines(path)


def parse_probe(value: dict[str, Any], *, where: str) -> Probe:
    """Check one line."""
    if unknown := sorted(set(value) - KEYS):
        raise ProbeError(f"{where}: unknown key {unknown[0]!r}; expected {', '.join(sorted(KEYS))}")
    is_raw = value.get("raw", False)
    if not isinstance(is_raw, bool):
        raise ProbeError(f"{where}: raw is {is_raw!r}; expected true or false")
    if "messages" in value:
        prompt, is_raw = _user_message(value, where), True
    else:
        prompt = _text(value, "prompt", where)
    answers = _texts(value, "answers", where)
    if not answers:
        raise ProbeError(f"{where}: answers is empty; expected at least one right answer")
    choices = _texts(value, "choices", where)
    right = {normalise(answer) for answer in answers}
    if wrong := [choice for choice in choices if normalise(choice) in right]:
        raise ProbeError(
            f"{where}: choice {wrong[0]!r} is also an answer; expected choices that are all wrong"
        )
    context = _texts(value, "context", where)
    if context and is_raw:
        raise ProbeError(f"{where}: a raw prompt holds its context already; expected no `context`")
    return Probe(
        probe_id=_text(value, "id", where),
        prompt=prompt,
        answers=answers,
        choices=tuple(dict.fromkeys(choices)),
        about=_text(value, "about", where) if value.get("about") is not None else None,
        kind=_text(value, "kind", where) if value.get("kind") is not None else "question",
        context=context,
        is_raw=is_raw,
    )


def read_text(path: str | Path) -> str:
    """A whole UTF-8 file of an evaluation.

    Raises:
        ProbeError: missing, unreadable, or not UTF-8.
    """
    path = Path(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ProbeError(
            f"{path}: no such file; the evaluate section, or --probes, names it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProbeError(f"{path}: cannot be read as a UTF-8 text file ({error})") from None


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # not splitlines(): JSON strings may hold U+2028, which is no end of a line here
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            place = f"column {error.colno}"
            raise ProbeError(f"{where}: not JSON ({error.msg}: {place})") from None
        except RecursionError as error:
            raise ProbeError(f"{where}: not JSON ({error})") from None
        if not isinstance(value, dict):
            raise ProbeError(f"{where}: expected a JSON object, got {type(value).__name__}")
        yield where, value


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    if not path.is_file():
        raise ProbeError(f"{path}: no such file; the evaluate section, or --probes, names it")
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ProbeError(f"{path}: is no readable Parquet file ({_first_line(error)})") from None
    for number, row in enumerate(rows):
        yield f"{path}: row {number}", _present(row)


def _dataset_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import datasets
    import pyarrow

    try:
        loaded = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise ProbeError(
            f"{path}: is no readable dataset ({_first_line(error)}); expected a folder that "
            "`save_to_disk` of `datasets` wrote"
        ) from None
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
    for name, rows in splits.items():
        place = path / name if name else path
        for number, row in enumerate(rows):
            yield f"{place}: row {number}", _present(row)


def _present(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its nulls: a column that other rows need is no key of this one."""
    return {key: value for key, value in row.items() if value is not None}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _text(value: dict[str, Any], key: str, where: str) -> str:
    text = value.get(key)
    if not isinstance(text, str) or not text.strip():
        raise ProbeError(f"{where}: {key} is {text!r}; expected text")
    if not _is_unicode(text):
        raise ProbeError(f"{where}: {key} holds half of a surrogate pair; expected valid Unicode")
    return text


def _texts(value: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    texts = value.get(key)
    if texts is None:
        return ()
    if not isinstance(texts, list):
        raise ProbeError(f"{where}: {key} is {texts!r}; expected a list of texts")
    return tuple(_text({key: text}, key, where) for text in texts)


def _user_message(value: dict[str, Any], where: str) -> str:
    messages = value["messages"]
    if "prompt" in value:
        raise ProbeError(f"{where}: has both prompt and messages; expected one of them")
    if not (
        isinstance(messages, list)
        and len(messages) == 1
        and isinstance(messages[0], dict)
        and messages[0].get("role") == "user"
    ):
        raise ProbeError(f"{where}: messages is {messages!r}; expected one message of the user")
    return _text(messages[0], "content", where)


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
