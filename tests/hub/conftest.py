"""A local Hub for each test, and no other host for any."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.cli.calling import CommandLine
from tests.hub.made import publishable_run
from tests.hub.server import WRITER, LocalHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    with LocalHub() as found:
        point_at(monkeypatch, found.url, tmp_path)
        yield found


def point_at(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path) -> None:
    """Make the client talk to this server; what it reads at import is set by hand."""
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not of this machine is not looked up."""
    look_up = socket.getaddrinfo

    def guarded(host: Any, *arguments: Any, **named: Any) -> Any:
        assert host in ("127.0.0.1", "localhost"), f"a test asked for {host}"
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("publishable")
    publishable_run(folder)
    return folder


@pytest.fixture
def run_dir(made_once: Path, tmp_path: Path) -> Path:
    """A run of one's own; base and questions are shared."""
    target = tmp_path / "checkpoints" / "dreams"
    shutil.copytree(made_once / "checkpoints" / "dreams", target)
    return target


@pytest.fixture
def ddl(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "400")  # sentences are looked for whole
    return CommandLine(monkeypatch, capfd)
