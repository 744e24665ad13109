"""What a user can get wrong ends in one sentence and exit code 2, and the run is as it was."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from ddl_train.cli import preflight
from ddl_train.config import load_config
from ddl_train.roles.prompts import BUILT_IN
from ddl_train.storage.run import Run
from tests.cli.calling import CommandLine, fingerprint, is_one_sentence
from tests.report.made import made_run
from tests.tiny import make_tiny

NOTES = {
    "a.md": "# Bees\n\nBees build hexagons because wax is dear. They dance to tell the way.\n",
    "b.md": "# Sleep\n\nSleep moves the day into long memory. Dreams mix what was far apart.\n",
    "c.txt": "Tides follow the moon. Salt marshes breathe with the tides.\n",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def project(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with notes and a config that would run."""
    (tmp_path / "notes").mkdir()
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).write_text(text)
    (tmp_path / "mine.yaml").write_text(
        f"model: {{base: {tiny}, max_length: 2000}}\nmemory: {{sources: [notes], unit: sentence}}\n"
        "wake: {num_pairs: 4, batch_size: 4, max_new_tokens: 4, guards: {is_enabled: false}}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_bad_sources(folder: Path) -> None:
    (folder / "empty.md").write_text("")
    (folder / "blank.md").write_text(" \n\n\t\n")
    (folder / "binary.md").write_bytes(b"\x7fELF\x02\x01\x01\x00\x00\x00" * 40)
    (folder / "latin.md").write_bytes("Caf\xe9 au lait".encode("latin-1"))
    (folder / "utf16.txt").write_bytes("two sentences. of text.".encode("utf-16"))
    (folder / "code.py").write_text("print()")
    (folder / "single.md").write_text("One sentence only")
    (folder / "twice").mkdir()
    for name in ("a.md", "b.md"):
        (folder / "twice" / name).write_text("The same sentence in two files")
    (folder / "nothing").mkdir()
    (folder / "wrong.jsonl").write_text('{"text": "fine"}\n{"txt": "no such key"}\n')
    (folder / "broken.jsonl").write_text('{"text": "fine"}\n{"text": \n')


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.md", "missing.md"),
        ("nothing", "no piece of text"),
        ("*.nope", "*.nope"),
        ("empty.md", "empty.md"),
        ("blank.md", "blank.md"),
        ("binary.md", "binary.md"),
        ("latin.md", "UTF-8"),
        ("utf16.txt", "UTF-8"),
        ("code.py", "code.py"),
        ("single.md", "two"),
        ("twice", "a single document, twice/a.md, and copies of it"),
        ("wrong.jsonl", "wrong.jsonl"),
        ("broken.jsonl", "broken.jsonl"),
        ("", "a source is empty"),
    ],
)
def test_a_bad_source_is_named_and_no_run_is_made(
    ddl: CommandLine, project: Path, source: str, words: str
) -> None:
    write_bad_sources(project)
    called = ddl("run", "mine.yaml", f"memory.sources=['{source}']")
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert not (project / "checkpoints").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_source_is_named(ddl: CommandLine, project: Path) -> None:
    (project / "notes" / "a.md").chmod(0)
    called = ddl("run", "mine.yaml")
    assert (called.code, is_one_sentence(called.err)) == (2, True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("wake.num_pair=3", "did you mean 'num_pairs'?"),
        ("memory.unit=paragraph", "memory.unit: got 'paragraph'"),
        ("sleep.learning_rate=-1", "sleep.learning_rate: got -1"),
        ("wake.temperature=.inf", "wake.temperature: got inf"),
        ("wake.num_pairs", "section.key=value"),
        ("wake.prompts=nope", "nope"),
        ("model.base=./nowhere", "nowhere"),
        ("model.device=cuda", "cuda"),
        ("model.load_in_4bit=true", "load_in_4bit"),
        ("evaluate.truth=[nope.jsonl]", "nope.jsonl"),
        ("evaluate.truth=[bad.jsonl]", "bad.jsonl:2"),
        ("evaluate.retention=[latin.md]", "latin.md"),
        ("sleep.general=[nope.jsonl]", "nope.jsonl"),
        ("memory.embedder=word2vec", "word2vec"),
        ("name=notes/../x", "name"),
    ],
)
def test_a_bad_value_is_named_and_no_run_is_made(
    ddl: CommandLine, project: Path, override: str, words: str
) -> None:
    (project / "bad.jsonl").write_text('{"id": "a", "prompt": "q", "answers": ["x"]}\n{"id": 3}\n')
    (project / "latin.md").write_bytes(b"Caf\xe9")
    if "cuda" in override or "4bit" in override:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
    called = ddl("run", "mine.yaml", override)
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert not list((project / "checkpoints").glob("*"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [("template", "no chat template"), ("eos", "EOS"), ("config", "config.json")],
)
def test_a_base_that_cannot_be_used_says_why(
    ddl: CommandLine, project: Path, fault: str, words: str
) -> None:
    folder = make_tiny(project / "model", template=None)
    if fault == "eos":
        path = folder / "tokenizer_config.json"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if '"eos_token"' not in line))
    if fault == "config":
        (folder / "config.json").unlink()
    called = ddl("run", "mine.yaml", f"model.base={folder}")
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert not list((project / "checkpoints").glob("*"))


def test_what_makes_another_run_is_refused_on_resume(ddl: CommandLine, project: Path) -> None:
    made = ddl("init", "mine.yaml")
    assert made.code == 0, made.err
    before = fingerprint(project / "checkpoints" / "mine")
    called = ddl("run", "mine.yaml", "seed=9", "memory.unit=chunk")
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert "memory.unit: 'sentence' -> 'chunk'" in called.err
    assert "seed: 0 -> 9" in called.err
    assert fingerprint(project / "checkpoints" / "mine") == before


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["num_cycles=3", "model.device=cuda"], "torch sees no GPU"),
        (["sleep.r=8", "model.max_length=16"], "is longer than model.max_length 16"),
        (["num_cycles=3", "model.base=moved"], "holds no *.safetensors weights"),
        (["wake.prompts=wordy"], "is longer than model.max_length 2000"),
    ],
)
def test_a_change_that_cannot_be_worked_with_is_not_kept(
    ddl: CommandLine, project: Path, tiny: Path, overrides: list[str], words: str
) -> None:
    if "cuda" in overrides[-1] and pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU here")
    shutil.copytree(tiny, project / "moved")
    shutil.copytree(BUILT_IN / "default", project / "wordy")
    with (project / "wordy" / "propose.jinja").open("a") as template:
        template.write("at length, " * 2000)
    made = ddl("init", "mine.yaml", "model.base=moved")
    assert made.code == 0, made.err
    if "base" in overrides[-1]:
        (project / "moved" / "model.safetensors").unlink()
    before = fingerprint(project / "checkpoints" / "mine")
    called = ddl("run", "mine.yaml", "model.base=moved", *overrides)
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert fingerprint(project / "checkpoints" / "mine") == before


def test_a_change_that_can_be_worked_with_is_kept_and_said(ddl: CommandLine, project: Path) -> None:
    assert ddl("init", "mine.yaml").code == 0
    called = ddl("run", "mine.yaml", "num_cycles=1", "model.max_length=1999", "--quiet")
    assert called.code == 0, called.err
    assert "model.max_length was 2000 and is 1999 from here on" in called.err
    with Run.read(project / "checkpoints" / "mine") as run:
        assert run.config.model.max_length == 1999


def test_a_folder_that_is_no_run_is_not_touched(ddl: CommandLine, project: Path) -> None:
    mine = project / "checkpoints" / "mine"
    mine.mkdir(parents=True)
    (mine / "thesis.md").write_text("years of work")
    called = ddl("run", "mine.yaml")
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert [path.name for path in mine.iterdir()] == ["thesis.md"]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return made_run(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["promote", "RUN", "nope", "--why", "x"], "has no adapter 'nope'"),
        (["promote", "RUN", "base", "--why", " "], "--why is empty"),
        (["forget", "RUN", "--source", "zzz*"], "zzz*"),
        (["ingest", "RUN", "missing.md"], "missing.md"),
        (["insights", "RUN", "--lineage", "99"], "has no insight 99"),
        (["ingest", "RUN", ""], "a source is empty"),
        (["ask", "RUN", " "], "the question is empty"),
        (["ask", "RUN", "why?", "--adapter", "nope"], "has no adapter 'nope'"),
        (["export", "RUN", "--out", "RUN"], "not an empty folder"),
        (["wake", "RUN"], "/nowhere/base"),
        (["sleep", "RUN"], "comes first"),
    ],
)
def test_a_command_that_cannot_be_done_leaves_the_run_as_it_was(
    ddl: CommandLine, made: Path, arguments: list[str], words: str
) -> None:
    (made.parents[1] / "docs").mkdir()
    for name, text in NOTES.items():
        (made.parents[1] / "docs" / name).write_text(text)
    before = fingerprint(made)
    called = ddl(*[str(made) if word == "RUN" else word for word in arguments])
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert fingerprint(made) == before


def test_a_second_rollback_beyond_the_base_is_refused(ddl: CommandLine, made: Path) -> None:
    assert ddl("rollback", made).code == 0
    called = ddl("rollback", made)
    assert (called.code, is_one_sentence(called.err)) == (2, True)


def test_a_run_of_a_newer_version_is_refused(ddl: CommandLine, made: Path) -> None:
    connection = sqlite3.connect(made / "run.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    called = ddl("status", made)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "newer" in called.err


def test_a_run_in_use_by_another_process_is_refused(ddl: CommandLine, made: Path) -> None:
    from ddl_train.storage.run import Run

    with Run.open(made) as held:
        before = held.current
        called = ddl("promote", made, "base", "--why", "it was better")
        assert (called.code, is_one_sentence(called.err)) == (2, True)
        assert str(os.getpid()) in called.err
        assert held.current == before
        assert ddl("status", made).code == 0  # looking is always allowed


@pytest.mark.parametrize("name", ["nope", "notes"])
def test_what_is_no_run_is_said_with_the_runs_that_there_are(
    ddl: CommandLine, made: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(made.parents[1])
    Path("notes").mkdir()
    called = ddl("status", name)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "there are: made" in called.err
    assert ddl("status", "made").code == 0


def test_ingest_outlives_a_config_that_does_not_name_it(ddl: CommandLine, project: Path) -> None:
    assert ddl("init", "mine.yaml").code == 0
    (project / "more.md").write_text("Whales sing. Their songs change from year to year.\n")
    assert "2 new concepts" in ddl("ingest", "mine", "more.md").out
    before = fingerprint(project / "checkpoints" / "mine")
    called = ddl("init", "mine.yaml")
    assert "is a run already" in called.err
    with Run.create(load_config("mine.yaml"), pack_dir=BUILT_IN / "default") as run:
        assert run.changes == []
    assert fingerprint(project / "checkpoints" / "mine") == before


def test_files_that_are_passed_over_are_said_at_init(ddl: CommandLine, project: Path) -> None:
    (project / "notes" / "photo.jpeg").write_bytes(b"\xff\xd8")
    (project / "notes" / "z.md").write_text(NOTES["c.txt"])
    called = ddl("init", "mine.yaml")
    assert called.code == 0, called.err
    assert is_one_sentence(called.err.splitlines()[0]), called.err
    assert "notes/photo.jpeg (files of this kind are not read)" in called.err
    assert "copies: notes/z.md (as notes/c.txt)" in called.err


def test_one_document_and_its_copies_are_a_single_document(ddl: CommandLine, project: Path) -> None:
    for name in ("1.md", "2.md", "3.md"):
        (project / "twice").mkdir(exist_ok=True)
        (project / "twice" / name).write_text(NOTES["a.md"])
    called = ddl("init", "mine.yaml", "memory.sources=[twice]")
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "a single document, twice/1.md, and copies of it" in called.err
    assert "2.md (as twice/1.md)" in called.err
    assert not (project / "checkpoints").exists()


def test_what_is_passed_over_is_said_again_only_when_it_changes(
    ddl: CommandLine, project: Path
) -> None:
    (project / "notes" / "photo.jpeg").write_bytes(b"\xff\xd8")
    assert "photo.jpeg" in ddl("init", "mine.yaml").err
    for name in ("one.md", "two.md"):
        (project / name).write_text(f"A whale sings of {name}.\n")
    first = ddl("ingest", "mine", "one.md", "--quiet")
    assert (first.code, first.err) == (0, "")
    assert "1 new concept" in first.out, "a file of a single piece is taken"
    (project / "notes" / "second.jpeg").write_bytes(b"\xff\xd8")
    assert "second.jpeg" in ddl("ingest", "mine", "two.md").err
    assert ddl("ingest", "mine", "two.md").err == ""


@pytest.mark.parametrize(
    "command",
    [
        ["report", "RUN", "--out", "/proc/x"],
        ["export", "RUN", "--out", "/proc/x"],
        ["world", "/proc/x"],
    ],
)
def test_an_output_folder_that_cannot_be_made_is_named(
    ddl: CommandLine, made: Path, command: list[str]
) -> None:
    called = ddl(*[str(made) if word == "RUN" else word for word in command])
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert "/proc/x" in called.err
    assert "cannot be made" in called.err


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sleep.kinds=[forward,nope]", "sleep.kinds names 'nope'; the prompt pack has "),
        ("sleep.report_to=[nope]", "known are tensorboard, trackio, wandb"),
        ("sleep.report_to=[tensorboard]", "ddl-train[tensorboard]"),
    ],
)
def test_what_the_night_cannot_use_is_found_before_the_day(
    ddl: CommandLine,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    words: str,
) -> None:
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)  # as without the package
    called = ddl("run", "mine.yaml", override)
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert not (project / "checkpoints").exists()
