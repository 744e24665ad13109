"""A file that has not changed since it was read is not opened again."""

import json
import os
from pathlib import Path

import pytest

from ddl_train.memory.ingest import Reading, read_sources
from ddl_train.memory.stamps import stamp_of
from ddl_train.memory.store import Memory
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder
from tests.storage.made import a_run

pytestmark = pytest.mark.usefixtures("quick_disk")
LONG_AGO_NS = 10**18


def write(path: Path, text: str, *, changed_ns: int = LONG_AGO_NS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(changed_ns, changed_ns))
    return path


def take_in(run: Run, docs: Path) -> Reading:
    """Read a folder as a cycle does."""
    memory = Memory(run, HashEmbedder())
    reading = read_sources(
        [str(docs)], run.config.memory, known=memory.known_sources(), stamps=memory.stamps()
    )
    memory.add_chunks(reading.chunks, cycle=0)
    memory.keep_stamps(reading.stamps)
    return reading


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    write(tmp_path / "docs" / "a.md", "The first note.")
    write(tmp_path / "docs" / "b.md", "Another note.")
    return tmp_path / "docs"


@pytest.mark.parametrize(
    ("text", "changed_ns", "found"),
    [
        ("The third note.", LONG_AGO_NS, []),  # as big and as old: not opened
        ("The third note.", LONG_AGO_NS + 1, ["The third note."]),
        ("The very first note.", LONG_AGO_NS, ["The very first note."]),
    ],
)
def test_only_what_changed_in_size_or_time_is_read(
    tmp_path: Path, docs: Path, text: str, changed_ns: int, found: list[str]
) -> None:
    with a_run(tmp_path) as run:
        assert len(take_in(run, docs)) == 2
        write(docs / "a.md", text, changed_ns=changed_ns)
        assert [chunk.text for chunk in take_in(run, docs)] == found


def test_a_file_that_changed_a_moment_ago_is_read_again(tmp_path: Path, docs: Path) -> None:
    with a_run(tmp_path) as run:
        (docs / "a.md").write_text("A fresh note.")
        stamped = [Path(stamp.path).name for stamp in take_in(run, docs).stamps]
        assert stamped == ["b.md"]


def test_a_file_that_was_only_touched_is_stamped_anew(tmp_path: Path, docs: Path) -> None:
    with a_run(tmp_path) as run:
        take_in(run, docs)
        write(docs / "a.md", "The first note.", changed_ns=LONG_AGO_NS + 7)
        assert len(take_in(run, docs).stamps) == 1
        assert take_in(run, docs).stamps == ()


def test_no_name_of_what_was_forgotten_is_kept(tmp_path: Path, docs: Path) -> None:
    write(docs / "rows.jsonl", "\n".join(json.dumps({"text": f"row {n}"}) for n in range(3)))
    with a_run(tmp_path) as run:
        take_in(run, docs)
        memory = Memory(run, HashEmbedder())
        memory.forget("*rows.jsonl#1")
        memory.forget("*a.md")
        assert memory.stamps() == {}
        take_in(run, docs)
        assert [Path(path).name for path in memory.stamps()] == ["b.md"]
        assert len(memory.concepts()) == 3


def test_a_dataset_directory_is_stamped_by_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder / "state.json", "{}")
    write(folder / "part" / "0.arrow", "one")
    before = stamp_of(folder)
    assert before is not None
    assert stamp_of(folder) == before
    write(folder / "part" / "0.arrow", "two", changed_ns=LONG_AGO_NS + 1)
    assert stamp_of(folder) != before


def test_what_cannot_be_looked_at_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "nowhere.md") is None
