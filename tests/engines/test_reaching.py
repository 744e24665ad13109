"""A question about a base is answered within seconds, network or none."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from ddl_train.config import ModelConfig
from ddl_train.engines import reaching
from ddl_train.engines.reaching import PATIENCE_S, loading_options
from ddl_train.errors import ModelError

HUB = ModelConfig(base="nobody/no-such-model")


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine that is not set offline, with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def silent(online: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Hub that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


def test_a_folder_is_never_asked_for_elsewhere(tmp_path: Path) -> None:
    assert loading_options(ModelConfig(base=str(tmp_path))) == {"local_files_only": True}


def test_a_hub_that_does_not_answer_is_given_up_soon(silent: None) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"nobody/no-such-model.*does not answer; name a local"):
        loading_options(HUB)
    assert time.monotonic() - started < PATIENCE_S + 2


def test_a_machine_that_is_set_offline_is_not_asked(
    silent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(reaching, "_answers", lambda endpoint: pytest.fail("it was asked"))
    with pytest.raises(ModelError, match="this machine is set offline"):
        loading_options(HUB)


def test_what_is_in_the_cache_is_taken_from_there(
    silent: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo = tmp_path / "cache" / "models--nobody--no-such-model"
    snapshot = repo / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text("{}")
    with pytest.raises(ModelError):
        loading_options(HUB)  # half of it does not do
    (snapshot / "tokenizer_config.json").write_text("{}")
    assert loading_options(HUB)["local_files_only"] is True


@pytest.mark.parametrize("base", ["./nowhere", "/no/such/folder", "~/model", "a/b/c"])
def test_a_folder_that_is_not_there_is_not_looked_for_in_the_hub(silent: None, base: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        loading_options(ModelConfig(base=base))


def test_a_hub_that_answers_is_used(online: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_answers", lambda endpoint: True)
    config = HUB.model_copy(update={"revision": "abc"})
    assert loading_options(config) == {"revision": "abc", "local_files_only": False}
