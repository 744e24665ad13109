"""What is written of a world: the same for the same seed, everything told, nothing else."""

import json
import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from ddl_train.config import MemoryConfig
from ddl_train.errors import ConfigError, ResourceError, SourceError
from ddl_train.memory.ingest import read_sources
from ddl_train.records import JsonObject
from ddl_train.world.census import take_census
from ddl_train.world.documents import grow, load_world, tell, world_json
from ddl_train.world.graph import WorldSpec, home_world
from ddl_train.world.language import CANONICAL, canonical, document, parse
from ddl_train.world.oracle import Oracle
from ddl_train.world.presets import DocumentSpec, load_preset, preset_names
from ddl_train.world.writer import write_world

SPEC = WorldSpec(
    substances=12, factors=9, ailments=9, literatures=3, bridges=4, asides=5, notes=4, fillers=3
)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_seed_and_preset_give_the_same_bytes(tmp_path: Path) -> None:
    write_world(tmp_path / "a", seed=3, preset="small")
    write_world(tmp_path / "b", seed=3, preset="small")
    write_world(tmp_path / "c", seed=4, preset="small")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert files_of(tmp_path / "a") != files_of(tmp_path / "c")


def test_a_world_is_not_written_twice_nor_over_another(tmp_path: Path) -> None:
    first = write_world(tmp_path / "a", seed=3, preset="small")
    again = write_world(tmp_path / "a", seed=3, preset="small")
    assert (first.is_new, again.is_new) == (True, False)
    assert again.num_documents == first.num_documents
    with pytest.raises(ConfigError, match="other than this world"):
        write_world(tmp_path / "a", seed=4, preset="small")
    (tmp_path / "empty").mkdir()
    assert write_world(tmp_path / "empty", seed=4, preset="small").is_new


def test_two_processes_may_write_one_world_at_the_same_time(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        both = [
            pool.submit(write_world, tmp_path / "a", seed=3, preset="standard") for _ in range(2)
        ]
        written = [one.result() for one in both]
    assert any(one.is_new for one in written)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert not write_world(tmp_path / "a", seed=3, preset="standard").is_new  # whole, and this one


def test_a_written_world_is_read_back_whole(tmp_path: Path) -> None:
    write_world(tmp_path / "a", seed=5, preset="small")
    world = load_world(tmp_path / "a")
    assert world == grow(5, load_preset("small").world)
    with pytest.raises(SourceError, match="no such file"):
        load_world(tmp_path)
    (tmp_path / "a" / "world.json").write_text("{}")
    with pytest.raises(SourceError, match="format"):
        load_world(tmp_path / "a")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": None},
        {"spec": {"substances": 3}},
        {"spec": {"substances": "x", "factors": 3, "ailments": 3}},
        {"facts": [[0, "raises", "a"]]},
        {"facts": [[0, "likes", "a", "b", 0]]},
        {"bridges": 3},
    ],
)
def test_a_world_that_is_damaged_is_one_sentence(tmp_path: Path, changes: JsonObject) -> None:
    whole = json.loads(world_json(grow(1, SPEC), "small")) | changes
    known = {key: value for key, value in whole.items() if value is not None}
    (tmp_path / "world.json").write_text(json.dumps(known))
    with pytest.raises(SourceError, match=r"world\.json: is damaged"):
        load_world(tmp_path)


def test_a_link_to_an_empty_folder_leads_to_the_world(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    assert write_world(tmp_path / "link", seed=3, preset="small").is_new
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "world.json").is_file()


def test_the_current_folder_is_not_taken_away_under_ones_feet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ConfigError, match="current folder"):
        write_world(".", seed=3, preset="small")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_world_that_cannot_be_written_to_its_end_leaves_nothing(
    tmp_path: Path, is_there: bool
) -> None:
    if is_there:
        (tmp_path / "w").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))  # bytes; probe files are larger
    try:
        with pytest.raises(ResourceError, match="cannot be made or written"):
            write_world(tmp_path / "w", seed=3, preset="small")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.rglob("*")] == (["w"] if is_there else [])


@pytest.mark.parametrize("repeat_share", [0.0, 0.5])
def test_every_fact_is_told_in_its_literature_and_nothing_else_is(repeat_share: float) -> None:
    world = grow(1, SPEC)
    documents = list(tell(world, DocumentSpec(repeat_share=repeat_share)))
    told = [(parse(sentence), doc.literature) for doc in documents for sentence in doc.sentences]
    assert set(told) == {(placed.fact, placed.literature) for placed in world.placed}
    assert (len(told) > len(world.placed)) is (repeat_share > 0)
    assert all(2 <= len(doc.sentences) <= 5 for doc in documents)
    sentences = [sentence for doc in documents for sentence in doc.sentences]
    assert not set(sentences) & {canonical(f) for f in world.facts if f.relation in CANONICAL}
    facts = [fact for fact in world.facts if fact.composes]
    assert len(set(sentences)) >= len({document(fact, 0) for fact in facts})


def test_a_document_is_plain_sentences_one_a_line() -> None:
    for told in tell(grow(1, SPEC), DocumentSpec()):
        assert told.text.endswith(".\n")
        assert "#" not in told.text
        assert [line.removesuffix(".") for line in told.text.splitlines()] == list(told.sentences)


def test_no_world_uses_a_name_of_the_home_world() -> None:
    home = {name for fact in home_world().facts for name in fact.names}
    assert not home & {name for fact in grow(1, SPEC).facts for name in fact.names}


@pytest.mark.parametrize(
    ("preset", "facts", "share", "found"),
    [
        ("small", (25, 50), (0.01, 0.04), (20, 90)),
        ("quickstart", (70, 100), (0.02, 0.04), (80, 200)),
        ("standard", (300, 400), (0.01, 0.02), (500, 1300)),
        ("thousand", (700, 1000), (0.01, 0.04), (1000, 9000)),
    ],
)
def test_presets_are_as_large_and_dense_as_they_say(
    preset: str, facts: tuple[int, int], share: tuple[float, float], found: tuple[int, int]
) -> None:
    for seed in (1, 2):
        census = take_census(grow(seed, load_preset(preset).world))
        assert facts[0] <= census.num_facts <= facts[1]
        assert share[0] <= census.num_composing / census.num_pairs <= share[1]
        assert found[0] <= census.num_true[1] <= found[1]
        assert census.num_across[1] > 0


def test_every_preset_loads_and_the_large_ones_are_large() -> None:
    assert {"small", "quickstart", "standard", "thousand", "large", "million"} <= set(
        preset_names()
    )
    for name in preset_names():
        assert load_preset(name).name == name
    assert load_preset("million").world.substances > 100_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("world: {substances: 3}", "factors"),
        ("world: {substances: 3, factors: 1, ailments: 2, literatures: 4}", "at least as many"),
        ("world: {substances: 3, factors: 9, ailments: 2, sise: 4}", "unknown key 'sise'"),
        ("worlds: {}", "expected world:"),
        ("world: 3", "expected a mapping"),
        ("world: {substances: x, factors: 9, ailments: 2}", "substances"),
        ("world: {substances: 1, factors: 3, ailments: 1, literatures: 3, asides: 5}", "two names"),
        ("world: {substances: 3, factors: 9, ailments: 2, factor_degree: 1.0e9}", "0 to 1000"),
        (
            "world: {substances: 3, factors: 9, ailments: 2000000}",
            "ailments: got 2000000.* or fewer",
        ),
    ],
)
def test_a_wrong_preset_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_preset(str(path))


def test_an_unknown_preset_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="quickstart"):
        load_preset("enormous")


@pytest.mark.parametrize("name", ["nothere.yaml", "below/small.yaml"])
def test_a_preset_file_that_is_missing_is_looked_for_and_those_that_are_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="there is no file") as raised:
        load_preset(name)
    said = str(raised.value)
    assert f"there is no file {tmp_path / name};" in said
    assert all(preset in said for preset in preset_names())
    assert "Errno" not in said


def test_a_large_world_is_judged_without_computing_all_that_follows() -> None:
    world = grow(1, load_preset("large").world)
    oracle = Oracle.of(world)
    found = list(oracle.conclusions_from(oracle.subjects[0], max_depth=2))
    assert all(oracle.judge(canonical(c.fact)).truth == "true" for c in found)


def test_memory_reads_every_sentence_of_a_world_as_it_was_told(tmp_path: Path) -> None:
    write_world(tmp_path / "a", seed=3, preset="small")
    config = MemoryConfig(sources=[str(tmp_path / "a" / "docs")], unit="sentence")
    chunks = read_sources(config.sources, config).chunks
    told = [parse(chunk.text) for chunk in chunks]
    assert None not in told
    assert set(told) == set(load_world(tmp_path / "a").facts)
