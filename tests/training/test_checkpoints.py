"""Only a whole checkpoint of this very night is resumed."""

import json
from pathlib import Path

import pytest

from ddl_train.training.checkpoints import COMPLETE, close_night, newest_complete, open_night


def checkpoint(night: Path, number: int) -> Path:
    folder = night / "trainer" / f"checkpoint-{number}"
    folder.mkdir(parents=True)
    for name in COMPLETE:
        (folder / name).write_text("x")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": number}))
    return folder


def test_the_newest_whole_checkpoint_is_chosen_by_number(tmp_path: Path) -> None:
    for number in (9, 10, 2):
        checkpoint(tmp_path, number)
    assert newest_complete(tmp_path) == tmp_path / "trainer" / "checkpoint-10"


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("content", [None, ""])
def test_half_a_checkpoint_is_removed(tmp_path: Path, name: str, content: str | None) -> None:
    whole, half = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2)
    (half / name).unlink()
    if content is not None:
        (half / name).write_text(content)
    assert newest_complete(tmp_path) == whole
    assert not half.exists()


@pytest.mark.parametrize("state", ["{", "[]", "{}"])
def test_a_state_that_was_not_written_to_its_end_is_no_state(tmp_path: Path, state: str) -> None:
    (checkpoint(tmp_path, 1) / "trainer_state.json").write_text(state)
    assert newest_complete(tmp_path) is None


def test_another_night_finds_the_folder_empty(tmp_path: Path) -> None:
    assert open_night(tmp_path, "one") is None
    kept = checkpoint(tmp_path, 1)
    assert open_night(tmp_path, "one") is None
    assert newest_complete(tmp_path) == kept
    assert open_night(tmp_path, "two") is None
    assert newest_complete(tmp_path) is None


def test_checkpoints_without_a_fingerprint_belong_to_nobody(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1)
    assert open_night(tmp_path, "one") is None
    assert newest_complete(tmp_path) is None


def test_a_closed_night_says_what_it_was_and_keeps_no_checkpoints(tmp_path: Path) -> None:
    open_night(tmp_path, "one")
    checkpoint(tmp_path, 1)
    (tmp_path / "trainer" / "runs").mkdir()
    (tmp_path / "adapter.tmp").mkdir()
    close_night(tmp_path, tmp_path / "adapter.tmp", {"loss": 1})
    assert open_night(tmp_path, "one") == {"loss": 1}
    assert [path.name for path in (tmp_path / "trainer").iterdir()] == ["runs"]
    assert open_night(tmp_path, "two") is None
    assert not (tmp_path / "adapter").exists()
    assert open_night(tmp_path, "one") is None
