"""fsck says what is wrong and mends only what can be made again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ddl_train.errors import RunError
from ddl_train.memory.store import Memory
from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder
from tests.storage.made import a_memory, a_run, an_adapter_dir, dream, idea, install

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run with concepts, insights, an adapter and an index."""
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        dream(memory, 0, 0, idea)
        memory.close()
        install(run)
        return run.dir


def test_a_sound_run_has_no_findings(run_dir: Path) -> None:
    assert fsck(run_dir, repair=False) == []


def tear_index(run_dir: Path) -> None:
    path = run_dir / "index.faiss"
    path.write_bytes(path.read_bytes()[:-100])


def tear_header(run_dir: Path) -> None:
    (run_dir / "index.json").write_text('{"rows": 3')


def leave_rubbish(run_dir: Path) -> None:
    (run_dir / ".tmp-123-abc").mkdir()
    (run_dir / "adapters" / ".tmp-123-abd").write_text("half")


def edit_config(run_dir: Path) -> None:
    (run_dir / "config.yaml").write_text("seed: 7\n")


def edit_one_value(run_dir: Path) -> None:
    path = run_dir / "config.yaml"
    text = path.read_text()
    path.write_text(text.replace("held_out_share: 0.0", "held_out_share: 0.2"))
    assert path.read_text() != text


def leave_adapter(run_dir: Path) -> None:
    an_adapter_dir(run_dir / "adapters" / "0123456789abcdef")


def leave_night(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        for stage in ("wake", "sleep", "evaluate", "promote"):
            run.finish_stage(0, stage)
    (run_dir / "nights" / "0").mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil",
    [
        tear_index,
        tear_header,
        leave_rubbish,
        edit_config,
        edit_one_value,
        leave_adapter,
        leave_night,
    ],
)
def test_what_is_derived_is_found_and_mended(run_dir: Path, spoil: Callable[[Path], None]) -> None:
    spoil(run_dir)
    assert fsck(run_dir, repair=False)
    assert all(finding.endswith("(mended)") for finding in fsck(run_dir, repair=True))
    assert fsck(run_dir, repair=False) == []


def test_a_run_of_a_version_with_fewer_keys_has_no_findings(run_dir: Path) -> None:
    path = run_dir / "config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("seed:", "  alpha:"))]
    assert len(kept) == len(lines) - 2
    path.write_text("".join(kept))
    with Run.open(run_dir) as run:
        row = run.database.execute("SELECT value FROM state WHERE key = 'config'").fetchone()
        config = json.loads(row["value"])
        del config["seed"], config["promote"]["alpha"]
        run.database.execute(
            "UPDATE state SET value = ? WHERE key = 'config'", (json.dumps(config),)
        )
    assert fsck(run_dir, repair=False) == []


def test_a_damaged_adapter_is_found_and_left(run_dir: Path) -> None:
    weights = next(run_dir.glob("adapters/*/adapter_model.safetensors"))
    weights.write_bytes(b"torn")
    for _ in range(2):
        assert "has been changed" in fsck(run_dir, repair=True)[0]
    assert weights.read_bytes() == b"torn"


def test_a_pointer_to_nothing_is_found(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        run.database.execute("UPDATE state SET value = 'gone' WHERE key = 'current'")
    assert fsck(run_dir, repair=False) == [
        "database: the current adapter is gone, which this run lacks"
    ]


def test_a_wrong_pair_number_is_found(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        run.database.execute("UPDATE pairs SET pair_number = 999 WHERE pair_id = 1")
    assert "another number" in fsck(run_dir, repair=False)[0]


def test_an_index_of_another_run_is_found(run_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with a_run(other) as run:
        a_memory(run, num_concepts=90).close()
        for name in ("index.faiss", "index.json"):
            (run_dir / name).write_bytes((run.dir / name).read_bytes())
    assert "holds other rows" in fsck(run_dir, repair=True)[0]
    with Run.open(run_dir) as mended:
        near, _ = Memory(mended, HashEmbedder()).nearest(
            HashEmbedder().embed(["fact 2 of the matter"])[0], 1
        )
        assert near.tolist() == [[3]]


def test_a_run_in_use_is_left_alone(run_dir: Path) -> None:
    with Run.open(run_dir), pytest.raises(RunError, match="in use"):
        fsck(run_dir, repair=True)
