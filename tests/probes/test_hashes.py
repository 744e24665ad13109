"""A probe file that was changed under its name is noticed; a new name is a new file."""

from pathlib import Path

import datasets
import pytest

from ddl_train.config import EvaluateConfig
from ddl_train.errors import ProbeError
from ddl_train.probes.hashes import changed_files, hash_probe_files


def test_a_changed_probe_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    config = EvaluateConfig(truth=[str(path)], retention=[str(path)])
    path.write_text("one")
    before = hash_probe_files(config)
    assert list(before) == [str(path)]
    assert changed_files(hash_probe_files(config), [before, before]) == []
    path.write_text("two")
    now = hash_probe_files(config)
    (problem,) = changed_files(now, [{}, before])
    assert problem.startswith(f"{path} is not what it was")
    # what it was is what it was first, not what it was last
    assert changed_files(now, [before, now]) == [problem]
    assert changed_files(before, [before, now]) == []


def test_a_file_of_another_name_is_nothing_that_changed() -> None:
    assert changed_files({"new.jsonl": "b"}, [{"old.jsonl": "a"}]) == []


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    config = EvaluateConfig(skill=[str(tmp_path / "gone.jsonl")])
    with pytest.raises(ProbeError, match=r"gone\.jsonl: cannot be read"):
        hash_probe_files(config)


def test_of_a_dataset_the_rows_are_hashed_and_no_cache_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    rows = [{"id": f"q{n}", "prompt": f"{n}?", "answers": ["a"]} for n in range(4)]
    config = EvaluateConfig(truth=[str(folder)])
    datasets.Dataset.from_list(rows).save_to_disk(str(folder))
    before = hash_probe_files(config)
    (folder / "cache-0123.arrow").write_bytes(b"what a map left behind")
    assert hash_probe_files(config) == before
    datasets.Dataset.from_list([*rows[:3], rows[3] | {"answers": ["b"]}]).save_to_disk(str(folder))
    assert changed_files(hash_probe_files(config), [before])
