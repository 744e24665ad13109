"""The rows of a night under way, beside its checkpoints, so that its evaluation can be held to them.

They go with the night's folder when the cycle is done; `export` has what lasts.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ddl_train.records import TrainingRow
from ddl_train.storage.files import write_text

ROWS_NAME = "rows.jsonl"


def write_rows(night_dir: Path, rows: Sequence[TrainingRow]) -> None:
    """Keep the rows of a night, replacing the file whole."""
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    write_text(night_dir / ROWS_NAME, "\n".join(lines))


def read_rows(night_dir: Path) -> list[TrainingRow]:
    """Rows kept by `write_rows`; none when there are none."""
    path = night_dir / ROWS_NAME
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [TrainingRow(**json.loads(line)) for line in lines if line]
