"""The Hub refuses, is busy, loses answers or sends half: one sentence, and never a second commit."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils._http import close_session

from ddl_train.hub import retries
from ddl_train.storage.outbox import read_outbox
from ddl_train.storage.run import Run
from tests.cli.calling import Called, CommandLine, is_one_sentence
from tests.hub.conftest import point_at
from tests.hub.server import READER, WRITER, LocalHub

NAME = "ada/dreams"
ASKED = ("--repo-id", NAME, "--base-id", "someone/tiny")
COMMIT, DOWNLOAD, TREE, UPLOAD = r"/commit/main", r"/resolve/", r"/tree/", r"/lfs/\w+$"


def states(run_dir: Path) -> list[str]:
    with Run.read(run_dir) as run:
        return [row.state for row in read_outbox(run.database)]


def refused(called: Called, *words: str) -> None:
    assert called.code == 2, called.out
    assert is_one_sentence(called.err), called.err
    for word in words:
        assert word in called.err


@pytest.mark.parametrize(
    ("method", "pattern", "how"),
    [
        ("POST", COMMIT, {"status": 429, "headers": {"Retry-After": "1"}}),
        ("POST", COMMIT, {"status": 500}),
        ("POST", COMMIT, {"status": 502, "is_done": True}),
        ("POST", COMMIT, {"then": "drop"}),
        ("POST", COMMIT, {"then": "drop", "is_done": True}),
        ("POST", r"/preupload/", {"status": 500}),
        ("PUT", UPLOAD, {"then": "drop"}),
        ("POST", r"/repos/create", {"then": "drop", "is_done": True}),
        ("GET", TREE, {"status": 503}),
        ("GET", r"/whoami", {"then": "drop"}),
        ("GET", DOWNLOAD, {"then": "cut"}),
        ("GET", DOWNLOAD, {"then": "drop"}),
    ],
    ids=lambda value: str(value),
)
def test_a_fault_that_passes_ends_in_exactly_one_commit(
    ddl: CommandLine,
    hub: LocalHub,
    run_dir: Path,
    method: str,
    pattern: str,
    how: dict[str, Any],
) -> None:
    hub.fail(method, pattern, **how)
    called = ddl("publish", run_dir, *ASKED)
    assert called.code == 0, called.err
    assert hub.faults[0].times == 0  # it did happen
    assert hub.repo(NAME).num_commits == 1
    assert states(run_dir) == ["done"]


def test_a_pull_request_whose_answer_was_lost_is_not_opened_twice(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.make(NAME)
    hub.fail("POST", COMMIT, then="drop", is_done=True)
    assert ddl("publish", run_dir, *ASKED, "--pr").code == 0
    assert list(hub.repo(NAME).titles) == ["refs/pr/1"]


def test_a_hub_that_asks_for_an_hour_is_not_waited_for(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.fail("POST", COMMIT, status=429, headers={"Retry-After": "3600"})
    refused(ddl("publish", run_dir, *ASKED), "3600 s", "--resume")
    assert states(run_dir) == ["waiting"]
    assert ddl("publish", run_dir, "--resume").code == 0
    assert hub.repo(NAME).num_commits == 1


def test_a_hub_that_stays_broken_keeps_it_waiting(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.fail("POST", COMMIT, status=500, times=99)
    refused(ddl("publish", run_dir, *ASKED), "500", "--resume")
    assert hub.repo(NAME).num_commits == 0
    assert states(run_dir) == ["waiting"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Half a second in place of half a minute, and no pauses."""
    monkeypatch.setattr(retries, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    yield
    close_session()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("method", "pattern"),
    [
        ("GET", r"/whoami"),
        ("GET", r"/api/models/ada/dreams$"),
        ("POST", r"/repos/create"),
        ("GET", TREE),
        ("POST", r"/preupload/"),
        ("PUT", UPLOAD),
        ("POST", COMMIT),
        ("GET", DOWNLOAD),
    ],
)
def test_a_hub_that_accepts_and_never_answers_is_one_sentence_and_waits(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, method: str, pattern: str
) -> None:
    hub.fail(method, pattern, times=99, then="hang")
    refused(ddl("publish", run_dir, *ASKED), "does not answer", "--resume")
    hub.faults.clear()
    assert ddl("publish", run_dir, "--resume").code == 0
    assert (states(run_dir), hub.repo(NAME).num_commits) == (["done"], 1)


@pytest.mark.usefixtures("impatient")
def test_a_commit_that_was_made_and_never_answered_is_found(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.fail("POST", COMMIT, then="hang", is_done=True)
    assert ddl("publish", run_dir, *ASKED).code == 0
    assert (states(run_dir), hub.repo(NAME).num_commits) == (["done"], 1)


def test_what_comes_back_different_is_not_called_published(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.fail("GET", r"/resolve/.*adapter_model", then="garble")
    refused(ddl("publish", run_dir, *ASKED), "adapter_model.safetensors came back different")
    assert states(run_dir) == ["committed"]
    assert ddl("publish", run_dir, "--resume").code == 0
    assert (states(run_dir), hub.repo(NAME).num_commits) == (["done"], 1)


def test_somebody_elses_commit_is_not_overwritten(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.fail("POST", COMMIT, then="race")
    refused(ddl("publish", run_dir, *ASKED), "changed by somebody else")
    assert "README.md" not in hub.repo(NAME).files()
    assert ddl("publish", run_dir, *ASKED).code == 0
    assert hub.repo(NAME).files()["NOTES.md"] == b"mine\n"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hf_" + "x" * 34, "the token is not accepted"),
        (READER, "may only read"),
        ("", "no token"),
    ],
)
def test_a_token_that_may_not_write_publishes_nothing_and_is_not_shown(
    ddl: CommandLine,
    hub: LocalHub,
    run_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    words: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    called = ddl("publish", run_dir, *ASKED)
    refused(called, words)
    assert not token or token not in called.err + called.out
    assert hub.repos == {}
    monkeypatch.setenv("HF_TOKEN", WRITER)
    assert ddl("publish", run_dir, "--resume").code == 0
    assert hub.repo(NAME).num_commits == 1


def test_without_a_network_all_is_prepared_and_waits(
    ddl: CommandLine,
    run_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        point_at(monkeypatch, f"http://127.0.0.1:{unused.getsockname()[1]}", tmp_path)
    sleep = pytest.MonkeyPatch()
    sleep.setattr("time.sleep", lambda seconds: None)
    refused(ddl("publish", run_dir, *ASKED), "cannot be reached", "--resume")
    sleep.undo()
    (folder,) = (run_dir / "outbox").iterdir()
    assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
    with LocalHub() as hub:
        point_at(monkeypatch, hub.url, tmp_path)
        assert ddl("publish", run_dir, "--resume").code == 0
        assert hub.repo(NAME).num_commits == 1
        assert "nothing waits" in ddl("publish", run_dir, "--resume").out


def test_a_folder_that_was_changed_while_it_waited_is_not_sent(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.fail("POST", COMMIT, status=429, headers={"Retry-After": "3600"})
    ddl("publish", run_dir, *ASKED)
    (folder,) = (run_dir / "outbox").iterdir()
    (folder / "README.md").write_text("something else")
    refused(ddl("publish", run_dir, "--resume"), "README.md", "changed")
    assert hub.repo(NAME).num_commits == 0


def test_what_waits_is_not_sent_once_its_sources_were_forgotten(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.fail("POST", COMMIT, status=429, headers={"Retry-After": "3600"})
    ddl("publish", run_dir, *ASKED)
    assert ddl("forget", run_dir, "--source", "doc0.md").code == 0
    refused(ddl("publish", run_dir, "--resume"), "forgotten")
    assert (hub.repo(NAME).num_commits, states(run_dir)) == (0, [])
    assert list((run_dir / "outbox").iterdir()) == []


def test_an_owner_that_does_not_exist_is_said(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    called = ddl("publish", run_dir, "--repo-id", "nobody/dreams", "--base-id", "someone/tiny")
    refused(called, "nobody/dreams", "may not write there")
    assert hub.repos == {}


def test_a_repository_of_another_kind_is_refused(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.make(NAME, "dataset")
    refused(ddl("publish", run_dir, *ASKED), "is a dataset repository")
    assert ("model", NAME) not in hub.repos
    assert states(run_dir) == []


def test_a_repository_with_other_weights_is_refused(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    repo = hub.make(NAME)
    repo.add("main", "a model", {"model.safetensors": b"weights", "config.json": b"{}"})
    refused(ddl("publish", run_dir, *ASKED), "other weights (model.safetensors)")
    assert repo.num_commits == 1


def test_a_public_repository_is_not_written_to_unless_public_is_typed(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.make(NAME, is_private=False)
    refused(ddl("publish", run_dir, *ASKED), "--public was not typed")
    assert hub.repo(NAME).num_commits == 0


def test_a_private_repository_is_not_left_private_in_silence_when_public_is_typed(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    hub.make(NAME)
    refused(ddl("publish", run_dir, *ASKED, "--public"), "is private already")
    assert (hub.repo(NAME).num_commits, states(run_dir)) == (0, [])


def other_weights(hub: LocalHub) -> None:
    repo = hub.make(NAME)
    repo.add("main", "a model", {"model.safetensors": b"weights", "config.json": b"{}"})


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (lambda hub: hub.make(NAME, is_private=False), [], "--public was not typed"),
        (lambda hub: hub.make(NAME), ["--public"], "is private already"),
        (lambda hub: hub.make(NAME, "dataset"), [], "is a dataset repository"),
        (other_weights, [], "other weights (model.safetensors)"),
    ],
)
def test_a_dry_run_says_what_would_be_refused(
    ddl: CommandLine,
    hub: LocalHub,
    run_dir: Path,
    make: Callable[[LocalHub], object],
    options: list[str],
    words: str,
) -> None:
    make(hub)
    called = ddl("publish", run_dir, *ASKED, *options, "--dry-run")
    refused(called, words)
    assert "it would be made" not in called.out
    assert states(run_dir) == []
