"""A changed config is proposed first and kept later."""

from pathlib import Path

import pytest

from ddl_train.storage.run import Run
from tests.cli.calling import fingerprint
from tests.storage.made import a_config, a_pack, a_run

pytestmark = pytest.mark.usefixtures("quick_disk")


def test_what_is_only_proposed_is_not_stored(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    other = a_pack(tmp_path).rename(tmp_path / "other")
    config = a_config(tmp_path, num_cycles=9, wake={"prompts": "other"})
    before = fingerprint(config.run_dir)
    with Run.propose(config, pack_dir=other) as run:
        assert run.config.num_cycles == 9
        assert run.prompts_dir == other
        assert len(run.changes) == 2
    assert fingerprint(config.run_dir) == before


def test_what_is_proposed_and_kept_is_stored(tmp_path: Path) -> None:
    a_run(tmp_path).close()
    config = a_config(tmp_path, num_cycles=9)
    with Run.propose(config, pack_dir=a_pack(tmp_path)) as run:
        run.keep_changes()
        assert run.prompts_dir == run.dir / "prompts"
    with Run.read(config.run_dir) as again:
        assert again.config.num_cycles == 9
    assert "num_cycles: 9" in (config.run_dir / "config.yaml").read_text()
