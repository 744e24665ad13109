"""Whoever breaks the seal of the probes leaves a trace in the run."""

from pathlib import Path

from ddl_train.storage.openings import read_openings, record_opening
from ddl_train.storage.run import Run
from tests.report.made import made_run


def test_every_opening_stays_in_the_run(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        assert read_openings(run.database) == []
        current = run.current
        for number in (1, 2):
            record_opening(
                run.database,
                cycle=number,
                adapters=["base", current],
                suites=["truth"],
                num_items=10 * number,
            )
    with Run.read(run_dir) as run:
        found = read_openings(run.database)
        assert run.current == current
    assert [(one.cycle, one.num_items) for one in found] == [(1, 10), (2, 20)]
    assert found[0].adapters == ("base", current)
    assert found[0].suites == ("truth",)
    assert found[0].opened_at <= found[1].opened_at
