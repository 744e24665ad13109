"""Killed at every step of a publish and repeated: exactly one commit, and all of it arrives."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl_train.storage.outbox import read_outbox
from ddl_train.storage.run import Run
from tests.hub.server import WRITER, LocalHub, Repo

pytestmark = pytest.mark.slow

POINTS = {
    "half of the folder is written": "ddl_train.prepare:scan_folder",
    "the folder has no name yet": "ddl_train.prepare:close_folder",
    "the folder is ready, the outbox does not know": "ddl_train.storage.outbox:keep_waiting",
    "it is in the outbox, nothing was asked": "ddl_train.deliver:check_whole",
    "there is no repository": "ddl_train.hub.client:Hub.create",
    "the repository is empty": "ddl_train.hub.client:Hub.send",
    "nobody knows what is to be uploaded": "huggingface_hub._commit_api:_fetch_upload_modes",
    "nothing is uploaded": "huggingface_hub._commit_api:_upload_files",
    "all is uploaded, not committed": "huggingface_hub._commit_api:_send_commit",
    "it is committed, the answer was not read": "huggingface_hub.hf_api:CommitInfo",
    "it is committed, the outbox does not know": "ddl_train.storage.outbox:mark_committed",
    "nothing was fetched back": "ddl_train.hub.client:snapshot_download",
    "it was fetched back and not asked": "ddl_train.deliver:check_answer",
    "all is done, the outbox does not know": "ddl_train.storage.outbox:mark_done",
}
NAMES = list(POINTS)


@pytest.fixture(scope="module")
def killed(
    made_once: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[list[int]], list[Repo]]]:
    """The runs, how the killed and the repeated publish of each ended, and their repositories."""
    folder = tmp_path_factory.mktemp("killed")
    for number in range(len(POINTS)):
        shutil.copytree(made_once / "checkpoints" / "dreams", folder / str(number) / "dreams")
    with LocalHub() as hub:
        done = subprocess.run(
            [sys.executable, "-m", "tests.hub.dying", str(folder), *POINTS.values()],
            env=os.environ
            | {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(folder / "hf")}
            | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        codes = json.loads(done.stdout)
        yield folder, codes, [hub.repo(f"ada/run-{number}") for number in range(len(POINTS))]


@pytest.mark.parametrize("name", NAMES)
def test_killed_when(name: str, killed: tuple[Path, list[list[int]], list[Repo]]) -> None:
    folder, codes, repos = killed
    number = NAMES.index(name)
    assert codes[number] == [-signal.SIGKILL, 0]
    assert repos[number].num_commits == 1
    with Run.read(folder / str(number) / "dreams") as run:
        (row,) = read_outbox(run.database)
    assert row.state == "done"
    assert set(row.manifest) == set(repos[number].files()) - {".gitattributes"}
    assert list((folder / str(number) / "dreams" / "outbox").iterdir()) == []
