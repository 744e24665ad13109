"""General rows: text that keeps a model what it was while insights are trained into it.

A `.jsonl` file holds a `prompt` and a `completion` per line. Any other file is plain text: each
piece becomes a row with an empty prompt, which `training.lora` trains as bare text, without the
chat format and with the loss on every token. In `chat` and `plain` format alike, such rows keep
the language, `prompt` rows keep the manners.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ddl_train.errors import SourceError
from ddl_train.records import TrainingRow

_SENTENCE_END = re.compile(r"(?<=[.!?]\s)|(?<=[。！？])")


def read_general(files: Sequence[str | Path], *, max_characters: int) -> list[TrainingRow]:
    """Read rows in the order of the files.

    Args:
        files: JSONL files, and text files that are split at paragraphs, then at sentences.
        max_characters: longest piece of a text file; a sentence longer than this is cut.

    Raises:
        SourceError: a file is missing, is not UTF-8, or a line is not such an object.
    """
    rows: list[TrainingRow] = []
    for name in files:
        path = Path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SourceError(f"{path}: no such file; sleep.general names it") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: cannot be read as a UTF-8 text file ({error})") from None
        if path.suffix == ".jsonl":
            found = list(_json_rows(path, text))
        else:
            found = [_row("", piece) for piece in split_text(text, max_characters)]
        if not found:
            raise SourceError(f"{path}: holds no text; expected rows for sleep.general")
        rows += found
    return rows


def split_text(text: str, max_characters: int) -> list[str]:
    """Paragraphs, and pieces of whole sentences where a paragraph is too long."""
    pieces: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        piece = ""
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            if len(piece) + len(sentence.strip()) > max_characters:
                pieces.append(piece)
                piece = ""
            piece += sentence
            while len(piece.strip()) > max_characters:
                pieces.append(piece[:max_characters])
                piece = piece[max_characters:]
        pieces.append(piece)
    return [piece.strip() for piece in pieces if piece.strip()]


def _json_rows(path: Path, text: str) -> Iterator[TrainingRow]:
    # not splitlines(): JSON strings may hold U+2028, which is no end of a line here
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise SourceError(f"{path}:{number}: not JSON ({error.msg})") from None
        fields = value if isinstance(value, dict) else {}
        prompt, completion = fields.get("prompt"), fields.get("completion")
        if not isinstance(prompt, str) or not isinstance(completion, str) or not completion:
            raise SourceError(
                f"{path}:{number}: expected an object with text under `prompt` and `completion`"
            )
        yield _row(prompt, completion)


def _row(prompt: str, completion: str) -> TrainingRow:
    return TrainingRow(prompt=prompt, completion=completion, origin="general")
