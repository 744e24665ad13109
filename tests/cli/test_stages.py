"""One stage at a time: what is out of turn is refused before anything is loaded."""

import os
from pathlib import Path

from ddl_train.storage.run import Run
from tests.cli.calling import CommandLine, fingerprint, is_one_sentence
from tests.report.made import made_run


def test_a_stage_out_of_turn_is_refused_without_the_model(ddl: CommandLine, tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)  # its base is nowhere, and its next cycle has not begun
    before = fingerprint(run_dir)
    called = ddl("sleep", run_dir)
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert "is in its wake stage, not in sleep" in called.err
    assert fingerprint(run_dir) == before


def test_a_stage_whose_turn_it_is_asks_for_the_model(ddl: CommandLine, tmp_path: Path) -> None:
    called = ddl("wake", made_run(tmp_path))
    assert called.code == 2
    assert "/nowhere/base" in called.err


def test_a_run_in_use_is_said_before_whose_turn_it_is(ddl: CommandLine, tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir):
        called = ddl("sleep", run_dir)
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert f"is in use by process {os.getpid()}" in called.err
