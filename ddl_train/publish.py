"""Publish: an adapter of a run -> a repository on the Hugging Face Hub, with its evidence.

choose    here: which adapter, and may it be published, promoted and with its probes unchanged
prepare   `prepare.py`: a folder for each repository, by an allow-list, scanned
deliver   `deliver.py`: one commit, fetched back and compared
"""

from collections.abc import Sequence
from pathlib import Path

from ddl_train.errors import ProbeError, RunError
from ddl_train.probes.files import is_probe_file, read_probes
from ddl_train.probes.suites import FILE_SUITES, identified
from ddl_train.records import BASE, AdapterVersion, Probe
from ddl_train.storage.adapters import verify_adapter
from ddl_train.storage.run import Run
from ddl_train.storage.students import newest_student, teacher_of


def choose_adapter(run: Run, name: str) -> AdapterVersion:
    """The adapter that `current`, `distilled` or a version means, checked byte by byte.

    Raises:
        RunError: nothing was promoted, or this was not, or nothing was distilled.
        AdapterError: there is none of that name, or it is damaged.
    """
    if name == "distilled":
        found = newest_student(run.database)
        if found is None:
            raise RunError(
                f"{run.dir}: no adapter of this run was distilled; `ddl-train distill {run.dir}` "
                "makes one"
            )
        name = found
    elif name == "current":
        if run.current == BASE:
            raise RunError(
                f"{run.dir}: no adapter is promoted, so there is nothing to publish; `ddl-train "
                f"status {run.dir}` tells what became of its nights"
            )
        name = run.current
    adapter = run.adapter(name)
    name = adapter.version
    promoted = {row.promotion.candidate for row in run.promotions() if row.promotion.promoted}
    if name not in promoted and teacher_of(run.database, name) is None:
        raise RunError(
            f"{run.dir}: {name} was never promoted; `ddl-train promote {run.dir} {name} --why "
            '"..."` says that a person wants it'
        )
    verify_adapter(adapter.path)
    return adapter


def check_probes(run: Run, adapter: AdapterVersion) -> None:
    """The questions that an adapter was measured with must still be the ones on disk.

    Raises:
        RunError: a question was changed or taken away since, or a file cannot be read.
    """
    config = run.config.evaluate
    for suite in FILE_SUITES:
        paths = [
            path for path in getattr(config, suite) if suite != "retention" or is_probe_file(path)
        ]
        now = _questions(run, adapter, suite, paths)
        asked = {
            item.probe_id
            for report in run.reports(adapter.cycle)
            if report.adapter == adapter.version
            for item in report.items
            if item.suite == suite
        }
        if gone := sorted(asked - now):
            raise RunError(
                f"{run.dir}: {len(gone)} of {len(asked)} questions of {suite} were changed or "
                f"removed since {adapter.version} was measured, so its figures are of other "
                "questions; put them back, or measure and promote another night"
            )


def _questions(run: Run, adapter: AdapterVersion, suite: str, paths: Sequence[str]) -> set[str]:
    """Ids of what the files of a suite ask now."""
    probes: list[Probe] = []
    for path in paths:
        try:
            probes += read_probes(path)
        except ProbeError as error:
            what = error if Path(path).exists() else f"{path} is missing"
            raise RunError(
                f"{run.dir}: the questions of {suite} that {adapter.version} was measured with "
                f"cannot be compared with those on disk ({what}); put the file back as it was, or "
                "measure and promote another night"
            ) from None
    return {probe.probe_id for probe in identified(probes)}
