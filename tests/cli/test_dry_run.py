"""`--dry-run` says what would be done, writes nothing, and refuses what cannot fit."""

from pathlib import Path

import pytest
from transformers import LlamaConfig

from tests.cli.calling import CommandLine, is_one_sentence
from tests.tiny import make_tiny, make_tokenizer


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_tiny(tmp_path / "tiny")
    (tmp_path / "notes").mkdir()
    for number in range(10):
        text = f"Note {number} is about bees. Note {number} is about sleep.\n"
        (tmp_path / "notes" / f"{number}.md").write_text(text)
    (tmp_path / "truth.jsonl").write_text('{"id": "a", "prompt": "q?", "answers": ["x"]}\n')
    (tmp_path / "mine.yaml").write_text(
        "num_cycles: 2\nmodel: {base: tiny, max_length: 2000, device: cpu}\n"
        "memory: {sources: [notes], unit: sentence}\nevaluate: {truth: [truth.jsonl]}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_plan_counts_and_writes_nothing(ddl: CommandLine, project: Path) -> None:
    before = sorted(project.rglob("*"))
    called = ddl("run", "mine.yaml", "wake.num_pairs=100", "--dry-run")
    assert (called.code, called.err) == (0, "")
    lines = dict(line.split(None, 1) for line in called.out.splitlines() if line[:1].strip())
    assert list(lines) == [
        *("run", "base", "adapter", "sources", "wake", "sleep", "evaluate", "time", "memory"),
        *("index", "disk"),
    ]
    assert "LlamaForCausalLM" in lines["base"]
    assert lines["sources"].startswith("10 documents (1 held out), about 18 concepts, 153 pairs")
    assert lines["wake"].startswith("100 pairs a cycle")
    assert sorted(project.rglob("*")) == before


def test_a_local_base_is_planned_without_a_network(
    ddl: CommandLine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(host: object, *_: object, **__: object) -> None:
        asked.append(host)
        raise OSError("no network")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    called = ddl(
        "run", "mine.yaml", "memory.embedder=sentence-transformers:owner/name", "--dry-run"
    )
    assert (called.code, asked) == (0, [])


@pytest.mark.parametrize(("number", "num_held_out"), [(3, 1), (6, 1), (10, 1)])
def test_the_plan_holds_out_what_memory_will(
    ddl: CommandLine, project: Path, number: int, num_held_out: int
) -> None:
    for path in sorted((project / "notes").iterdir())[number:]:
        path.unlink()
    called = ddl("run", "mine.yaml", "--dry-run")
    assert f"{number} documents ({num_held_out} held out)" in called.out
    assert called.err == ""


@pytest.mark.parametrize("options", [["--dry-run"], ["model.base=./nowhere"]])
def test_that_no_night_can_be_promoted_is_said_before(
    ddl: CommandLine, project: Path, options: list[str]
) -> None:
    for path in sorted((project / "notes").iterdir())[2:]:
        path.unlink()
    called = ddl("run", "mine.yaml", *options)
    first = called.err.splitlines()[0]
    assert is_one_sentence(first)
    assert "every night will be refused" in first
    assert "evaluate.retention" in first
    (project / "kept.txt").write_text("Whales sing.\n")
    mended = ddl("run", "mine.yaml", "evaluate.retention=[kept.txt]", *options)
    assert "every night" not in mended.err


def test_copies_do_not_make_a_third_document(ddl: CommandLine, project: Path) -> None:
    first = min((project / "notes").iterdir())
    for path in sorted((project / "notes").iterdir())[2:]:
        path.write_bytes(first.read_bytes())
    called = ddl("run", "mine.yaml", "--dry-run")
    assert "2 documents (0 held out)" in called.out
    assert "every night will be refused" in called.err


def test_more_work_is_planned_as_more(ddl: CommandLine, project: Path) -> None:
    def wake_tokens(num_pairs: int) -> str:
        called = ddl("run", "mine.yaml", f"wake.num_pairs={num_pairs}", "--dry-run")
        return next(line for line in called.out.splitlines() if line.startswith("wake"))

    assert wake_tokens(10) != wake_tokens(1000)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.base=huge", "of memory are needed"),
        ("checkpoints_dir=/proc/nowhere", "of disk are needed"),
        ("model.device=cuda", "cuda"),
        ("sleep.target_modules=[nope]", "names no linear layer"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    ddl: CommandLine, project: Path, override: str, words: str
) -> None:
    torch = pytest.importorskip("torch")
    if "cuda" in override and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    huge = LlamaConfig(hidden_size=16384, num_hidden_layers=80, intermediate_size=65536)
    huge.save_pretrained(project / "huge")
    make_tokenizer().save_pretrained(project / "huge")
    called = ddl("run", "mine.yaml", override, "--dry-run")
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert not (project / "checkpoints").exists()
