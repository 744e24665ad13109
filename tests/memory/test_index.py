"""Which index serves how many concepts, what it finds, and when it is made anew."""

import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ddl_train.errors import ResourceError
from ddl_train.memory import centres
from ddl_train.memory.index import VectorIndex
from ddl_train.memory.kinds import TARGET_RECALL, Limits, kinds_for
from ddl_train.memory.store import Memory
from ddl_train.memory.vectors import Vectors
from ddl_train.records import FloatArray, Usage
from ddl_train.storage.cache import read_index_header
from ddl_train.storage.fsck import fsck
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder
from tests.storage.made import a_memory, a_run, chunks, dream, idea

IN_LISTS = Limits(exact_up_to=10)
COMPRESSED = Limits(exact_up_to=10, pq_above=10)
WIDTH = 32


class Clustered:
    """Text `n` as a point near one of 20 centres."""

    name = "clustered"

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        centres = np.random.default_rng(0).standard_normal((20, WIDTH))
        points = [
            centres[int(text) % 20]
            + 0.7 * np.random.default_rng(int(text) + 1).standard_normal(WIDTH)
            for text in texts
        ]
        unit = np.array(points) / np.linalg.norm(points, axis=1, keepdims=True)
        return unit.astype(np.float32), Usage()


def texts(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of 1,500 points."""
    with a_run(tmp_path_factory.mktemp("full")) as run:
        Memory(run, Clustered()).add_chunks(chunks(texts(0, 1500)), cycle=-1)
        return run.dir


@pytest.fixture
def run_dir(full: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(full, tmp_path / "run"))


def open_vectors(run: Run, limits: Limits) -> Vectors:
    return Vectors(run.database, Clustered(), run.index_path, limits=limits)


def factory_of(run: Run) -> str:
    header = read_index_header(run.index_path)
    assert header is not None
    return header.factory


def recall(vectors: Vectors, exact: Vectors, k: int = 10) -> float:
    queries, _ = Clustered().embed(texts(5000, 5050))
    found, _ = vectors.nearest(queries, k)
    wanted, _ = exact.nearest(queries, k)
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(wanted, found, strict=True)]))


@pytest.mark.parametrize(
    ("rows", "limits", "factory"),
    [
        (1_000, Limits(), "Flat"),
        (20_000, Limits(), "Flat"),
        (20_001, Limits(), "IVF256,Flat"),
        (1_000_000, Limits(exact_up_to=1_000_000), "Flat"),
        (1_000_001, Limits(), "IVF2048,Flat"),
        (1_000_000, Limits(max_bytes=1e9), "IVF2048,SQ8"),
        (1_000_000, Limits(max_bytes=0.2e9), "IVF2048,PQ96np"),
        (20_000_000, Limits(), "IVF65536_HNSW32,PQ96np"),
        (100_000_000, Limits(), "IVF65536_HNSW32,PQ48np"),
    ],
)
def test_size_and_the_bound_on_memory_choose_the_kind(
    rows: int, limits: Limits, factory: str
) -> None:
    kind = kinds_for(rows, 384, limits)[0]
    assert kind.factory == factory
    assert kind.num_bytes <= limits.max_bytes


def test_a_graph_is_tried_only_where_it_fits() -> None:
    named = [kind.factory for kind in kinds_for(2_000_000, 384, Limits())]
    assert named == ["IVF4096,Flat", "HNSW32,Flat", "IVF4096,Flat"]
    tight = Limits(max_bytes=3.3e9)
    assert [kind.factory for kind in kinds_for(2_000_000, 384, tight)] == ["IVF4096,Flat"]


def test_what_fits_nowhere_is_refused_with_the_bytes_it_needs() -> None:
    with pytest.raises(ResourceError, match=r"needs 2\.\d GB .* raise memory.max_index_gb"):
        kinds_for(100_000_000, 384, Limits(max_bytes=1e9))


@pytest.mark.parametrize(
    ("limits", "factory"), [(IN_LISTS, "IVF64,Flat"), (COMPRESSED, "IVF64,PQ8np")]
)
def test_an_approximate_index_finds_what_it_promises(
    run_dir: Path, limits: Limits, factory: str
) -> None:
    with Run.open(run_dir) as run:
        exact = open_vectors(run, Limits())
        vectors = open_vectors(run, limits)
        header = read_index_header(run.index_path)
        assert header is not None and header.factory == factory
        assert header.recall >= TARGET_RECALL
        assert recall(vectors, exact) >= TARGET_RECALL - 0.05


def test_centres_in_two_levels_searched_as_a_graph_find_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(centres, "_TWO_LEVELS_FROM", 64)
    points, _ = Clustered().embed(texts(0, 4000))
    exact = VectorIndex(WIDTH)
    index = VectorIndex(WIDTH, "IVF64_HNSW32,Flat")
    index.train(points, len(points))
    for one in (exact, index):
        for start in (0, 2000):
            one.add(np.arange(start, start + 2000), points[start : start + 2000])
    queries, _ = Clustered().embed(texts(5000, 5050))
    nearest = exact.search(queries, 10)[0]
    index.tune(queries, nearest, factor=1, widest=64)
    assert index.recall >= TARGET_RECALL
    assert index.effort < 64
    assert np.allclose(index.vectors(np.arange(0, 4000, 7)), points[::7])


def test_insights_do_not_change_the_kind_of_the_index(tmp_path: Path) -> None:
    with a_run(tmp_path, memory={"sources": [str(tmp_path)], "exact_up_to": 30}) as run:
        memory = Memory(run, Clustered())
        memory.add_chunks(chunks(texts(0, 30)), cycle=-1)
        dream(memory, 0, 0, lambda pair: str(10_000 + pair.pair_number), size=10)
        assert memory.num_concepts > 30
        Memory(run, Clustered()).close()
        assert factory_of(run) == "Flat"


@pytest.mark.parametrize("limits", [IN_LISTS, COMPRESSED])
def test_cosines_are_those_of_the_stored_vectors(run_dir: Path, limits: Limits) -> None:
    with Run.open(run_dir) as run:
        exact, vectors = open_vectors(run, Limits()), open_vectors(run, limits)
        a, b = np.arange(1, 400), np.arange(900, 1299)
        assert np.allclose(vectors.cosines(a, b), exact.cosines(a, b), atol=1e-6)
        _, cosines = vectors.neighbours(a, 1)
        assert np.allclose(cosines, 1, atol=1e-5)


@pytest.mark.parametrize("limits", [IN_LISTS, COMPRESSED])
def test_more_neighbours_than_the_lists_hold_are_found_all_the_same(
    run_dir: Path, limits: Limits
) -> None:
    with Run.open(run_dir) as run:
        ids, _ = open_vectors(run, limits).neighbours(np.array([1, 700]), 1500)
        assert np.array_equal(np.sort(ids, axis=1), [np.arange(1, 1501)] * 2)


def test_what_is_added_is_found_without_building_anew(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        vectors = open_vectors(run, IN_LISTS)
        content = run.index_path.read_bytes()
        with_new, _ = Clustered().embed(["9001"])
        run.database.execute(
            "INSERT INTO concepts VALUES (1501, '9001', 'x', 'document', 's', 0, 0, 0)"
        )
        vectors.insert([1501], with_new)
        vectors.take_in()
        ids, _ = vectors.nearest(with_new, 1)
        assert ids.tolist() == [[1501]]
        vectors.save()
        assert run.index_path.read_bytes() == content
        again = open_vectors(run, IN_LISTS)
        assert again.nearest(with_new, 5)[0].tolist() == vectors.nearest(with_new, 5)[0].tolist()


def test_the_kind_changes_when_memory_is_opened_with_more_in_it(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        assert factory_of(run) == "Flat"
        open_vectors(run, IN_LISTS)
        assert factory_of(run) == "IVF64,Flat"
        open_vectors(run, Limits()).save()
        assert factory_of(run) == "Flat"


def test_a_killed_run_searches_as_it_would_have(run_dir: Path) -> None:
    queries, _ = Clustered().embed(texts(5000, 5050))
    with Run.open(run_dir) as run:
        before = open_vectors(run, IN_LISTS).nearest(queries, 10)
    with Run.open(run_dir) as run:
        after = open_vectors(run, IN_LISTS).nearest(queries, 10)
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


KILLED = """
import os, signal, sys
from pathlib import Path
from ddl_train.memory import vectors
from ddl_train.storage import cache
from ddl_train.storage.run import Run
from tests.memory.test_index import IN_LISTS, open_vectors
owner, name = (vectors, "save_index") if sys.argv[2] == "built" else (cache, "write_text")
with Run.open(Path(sys.argv[1])) as run:
    setattr(owner, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    open_vectors(run, IN_LISTS)
"""


@pytest.mark.parametrize("moment", ["built", "half written"])
def test_killed_before_the_index_is_on_the_disk_it_is_built_again(
    run_dir: Path, full: Path, moment: str
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(run_dir), moment], check=False)
    assert done.returncode == -signal.SIGKILL
    queries, _ = Clustered().embed(texts(5000, 5050))
    with Run.open(run_dir) as run:
        found = open_vectors(run, IN_LISTS).nearest(queries, 10)
    assert fsck(run_dir, repair=False) == []
    with Run.open(Path(shutil.copytree(full, run_dir.with_name("twin")))) as twin:
        assert np.array_equal(found[0], open_vectors(twin, IN_LISTS).nearest(queries, 10)[0])


def test_the_index_of_another_embedder_is_built_anew_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with a_run(tmp_path) as run:
        a_memory(run).close()
        with caplog.at_level(logging.WARNING):
            Memory(run, HashEmbedder(32)).close()
        assert f"{run.index_path}: is the index of hash:64; it is built anew" in caplog.text
        header = read_index_header(run.index_path)
        assert header is not None and header.embedder == "hash:32"


def test_the_index_of_another_run_is_built_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with a_run(tmp_path / "one") as run:
        memory = Memory(run, Clustered())
        memory.add_chunks(chunks(texts(100, 130)), cycle=-1)
        memory.close()
        foreign = [run.index_path, run.index_path.with_suffix(".json")]
    with a_run(tmp_path / "two") as run:
        Memory(run, Clustered()).add_chunks(chunks(texts(0, 30)), cycle=-1)
        for path in foreign:
            shutil.copy(path, run.dir / path.name)
        memory = Memory(run, Clustered())
        near, _ = memory.nearest(Clustered().embed(["7"])[0], 1)
        assert memory.concept(int(near[0, 0])).text == "7"
        assert "is the index of another run" in caplog.text


def test_a_file_that_lacks_one_row_in_a_hundred_is_not_written_again(run_dir: Path) -> None:
    with Run.open(run_dir) as run:
        memory = Memory(run, Clustered())
        before = run.index_path.stat().st_mtime_ns
        dream(memory, 0, 0, lambda pair: str(10_000 + pair.pair_number), size=4)
        memory.close()
        assert run.index_path.stat().st_mtime_ns == before
        dream(memory, 0, 1, lambda pair: str(10_000 + pair.pair_number), size=40)
        memory.close()
        assert run.index_path.stat().st_mtime_ns > before


def test_a_small_file_is_written_whenever_something_is_new(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        dream(memory, 0, 0, idea, size=1)
        memory.close()
        header = read_index_header(run.index_path)
        assert header is not None and header.rows == memory.num_concepts
