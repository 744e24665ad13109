"""Files as documents. One function for each form, each strict about what it accepts.

Text is UTF-8, with or without a byte order mark; anything else is refused with the place of the
first bad byte. A row of JSONL, JSON, Parquet or a dataset is a document of its own.
"""

import codecs
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ddl_train.errors import SourceError

Form = Literal["markdown", "plain"]

MARKDOWN = (".md", ".markdown")
PLAIN = (".txt",)
LINES = (".jsonl", ".ndjson")
CONVERTED = (".pdf", ".html", ".htm", ".docx", ".pptx", ".xlsx")
SUFFIXES = (*MARKDOWN, *PLAIN, *LINES, ".json", ".parquet", *CONVERTED)

_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MOST_CONTROL_SHARE = 0.01
_OTHER_UNICODE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""Byte order marks of text that iconv converts; that of UTF-32 LE begins as the first does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One source as it was read."""

    source: str
    text: str
    form: Form

    @property
    def sha256(self) -> str:
        """Of the text without the space around it."""
        return hashlib.sha256(self.text.strip().encode()).hexdigest()


def read_documents(path: Path, *, column: str) -> Iterator[Document]:
    """Documents of one file or dataset directory; documents without text are left out.

    Raises:
        SourceError: it cannot be read, is not what its suffix says, or needs a package that is
            not installed.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        rows = _dataset_rows(path, column)
    elif suffix in (*MARKDOWN, *PLAIN):
        form: Form = "markdown" if suffix in MARKDOWN else "plain"
        rows = iter([Document(source=str(path), text=read_text(path), form=form)])
    elif suffix in LINES:
        rows = _jsonl_rows(path, column)
    elif suffix == ".json":
        rows = _json_rows(path, column)
    elif suffix == ".parquet":
        rows = _parquet_rows(path, column)
    elif suffix in CONVERTED:
        rows = iter([Document(source=str(path), text=_convert(path), form="markdown")])
    else:
        raise SourceError(
            f"{path}: files of this kind are not read; known are {', '.join(SUFFIXES)} "
            "and dataset directories"
        )
    return (document for document in rows if document.text.strip())


def read_text(path: Path) -> str:
    """A UTF-8 text file with its line ends as newlines.

    Raises:
        SourceError: it is missing, no plain file, not readable, or not UTF-8 text.
    """
    content = _read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _is_binary(content.decode("latin-1")) and not content.startswith(_OTHER_UNICODE):
            raise SourceError(f"{path}: is a binary file, not text") from None
        raise SourceError(
            f"{path}: is not UTF-8 text (byte {error.start} is {content[error.start]:#04x}); "
            "convert it, for example with iconv"
        ) from None
    if _is_binary(text):
        raise SourceError(f"{path}: is a binary file, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_dataset(path: Path) -> bool:
    """True for a folder that `datasets` saved."""
    return (path / "dataset_dict.json").is_file() or (
        (path / "dataset_info.json").is_file() and (path / "state.json").is_file()
    )


def check_regular(path: Path) -> None:
    """Refuse what would hang or fail when it is read.

    Raises:
        SourceError: it is missing, a loop of links, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        what = "is a link to nothing" if path.is_symlink() else "no such file or folder"
        raise SourceError(f"{path}: {what}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(mode):
        raise SourceError(f"{path}: is no plain file (a pipe, a socket or a device)")


def _is_binary(text: str) -> bool:
    return "\x00" in text or len(_CONTROL.findall(text)) > _MOST_CONTROL_SHARE * len(text)


def _read_bytes(path: Path) -> bytes:
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from None


def _jsonl_rows(path: Path, column: str) -> Iterator[Document]:
    for number, line in enumerate(read_text(path).split("\n")):
        if line.strip():
            where = f"{path}:{number + 1}"
            yield _row(path, number, _value(_json(line, where), column, where), where)


def _json_rows(path: Path, column: str) -> Iterator[Document]:
    value = _json(read_text(path), str(path))
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows):
        where = f"{path}: row {number}"
        yield _row(path, number, _value(row, column, where), where)


def _parquet_rows(path: Path, column: str) -> Iterator[Document]:
    import pyarrow
    import pyarrow.parquet

    check_regular(path)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if column not in names:
                raise SourceError(_no_column(str(path), column, names))
            number = 0
            for batch in file.iter_batches(columns=[column]):
                for value in batch.column(0).to_pylist():
                    where = f"{path}: row {number}"
                    yield _row(path, number, _text(value, column, where), where)
                    number += 1
    except (pyarrow.ArrowException, OSError) as error:
        raise SourceError(f"{path}: is no readable Parquet file ({_first_line(error)})") from None


def _dataset_rows(path: Path, column: str) -> Iterator[Document]:
    import datasets
    import pyarrow

    try:
        loaded = datasets.load_from_disk(os.fspath(path))
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise SourceError(f"{path}: is no readable dataset ({_first_line(error)})") from None
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
    for name, rows in splits.items():
        place = path / name if name else path
        if column not in rows.column_names:
            raise SourceError(_no_column(str(place), column, rows.column_names))
        for number, value in enumerate(rows.select_columns([column])):
            where = f"{place}: row {number}"
            yield _row(place, number, _text(value[column], column, where), where)


def _convert(path: Path) -> str:
    check_regular(path)
    try:
        from markitdown import MarkItDown, MarkItDownException, converters
    except ImportError:
        raise SourceError(
            f"{path}: reading {path.suffix} files needs the extra `documents`; "
            "pip install 'ddl-train[documents]'"
        ) from None
    # only these: the plain text converter would take a damaged file for text
    converter = MarkItDown(enable_builtins=False, enable_plugins=False)
    for name in ("Html", "Pdf", "Docx", "Pptx", "Xlsx"):
        converter.register_converter(getattr(converters, f"{name}Converter")())
    try:
        return str(converter.convert_local(path).markdown)
    except (MarkItDownException, OSError, ValueError):
        raise SourceError(
            f"{path}: cannot be converted to text; it is damaged, or no {path.suffix} file"
        ) from None


def _row(place: Path, number: int, text: str, where: str) -> Document:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{where}: holds half a surrogate pair, which is no Unicode") from None
    clean = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return Document(source=f"{place}#{number}", text=clean, form="plain")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in error.doc else ""
        place = f"{line}column {error.colno}"
        raise SourceError(f"{where}: is not valid JSON ({error.msg}: {place})") from None
    except RecursionError as error:
        raise SourceError(f"{where}: is not valid JSON ({_first_line(error)})") from None


def _value(row: Any, column: str, where: str) -> str:
    if isinstance(row, str):
        return row
    if not isinstance(row, dict):
        raise SourceError(
            f"{where}: holds {type(row).__name__}; expected an object with {column!r}, or a string"
        )
    if column not in row:
        raise SourceError(_no_column(where, column, sorted(row)))
    return _text(row[column], column, where)


def _text(value: Any, column: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SourceError(f"{where}: {column!r} is {type(value).__name__}; expected a string")
    return value


def _no_column(where: str, column: str, names: list[str]) -> str:
    known = ", ".join(names[:8]) or "none"
    return f"{where}: has no {column!r} (it has {known}); set memory.text_column"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
