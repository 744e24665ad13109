"""What can be checked before a run is touched: prompts, device, sources, probes, general text.

A run is changed only after all of this holds, so that a mistyped path leaves it as it was.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ddl_train.cli.boundary import say
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.config import Config, EvaluateConfig, SleepConfig
from ddl_train.errors import ConfigError, ProbeError

if TYPE_CHECKING:
    from ddl_train.memory.ingest import Reading
    from ddl_train.roles.prompts import PromptPack

TRACKERS = ("tensorboard", "trackio", "wandb")
"""What `sleep.report_to` may name; each is a package and an extra of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What was read on the way."""

    pack: "PromptPack"
    reading: "Reading"
    num_probes: int


def preflight(config: Config) -> Checked:
    """Read everything that a config names, and look for its device; keep nothing.

    Raises:
        DdlTrainError: one of them cannot be used.
    """
    go_offline_if_local(config)
    from ddl_train.engines.loading import choose_device
    from ddl_train.engines.vllm_start import check_vllm
    from ddl_train.memory.ingest import read_sources
    from ddl_train.roles.generator import check_pack
    from ddl_train.roles.prompts import load_pack
    from ddl_train.training.general import read_general
    from ddl_train.training.processes import check_launch

    pack = load_pack(config.wake.prompts)
    check_pack(pack, config.wake)
    _check_kinds(config.sleep, pack)
    _check_trackers(config.sleep)
    choose_device(config.model)
    check_launch(config.sleep, config.model)
    if config.wake.vllm is not None:
        check_vllm(config.model)
    reading = read_sources(config.memory.sources, config.memory)
    num_probes = count_probes(config.evaluate)
    read_general(config.sleep.general, max_characters=4 * config.sleep.max_length)
    return Checked(pack=pack, reading=reading, num_probes=num_probes)


def say_left_out(config: Config, reading: "Reading") -> None:
    """Say which files are not taken, unless the run was told of just these before."""
    from ddl_train.report.words import printable
    from ddl_train.storage.create import is_run
    from ddl_train.storage.run import Run

    said = None
    if is_run(config.run_dir):
        with Run.read(config.run_dir) as run:
            said = run.left_out
    left_out = reading.left_out()
    if left_out and said != reading.left_out_sha256():
        say(" ".join(printable(left_out).split()))


def retention_gap(config: Config, reading: "Reading") -> str | None:
    """Why the gate will have no retention to compare, in a sentence; None where it will."""
    from ddl_train.memory.sources import choose_held_out
    from ddl_train.storage.create import is_run
    from ddl_train.storage.run import Run

    if config.evaluate.retention:
        return None
    documents = {chunk.source: chunk.source_sha256 for chunk in reading.chunks}
    known: dict[str, str] = {}
    held_out: set[str] = set()
    if is_run(config.run_dir):
        with Run.read(config.run_dir) as run:
            rows = run.database.execute(
                "SELECT source, sha256, is_held_out FROM sources"
            ).fetchall()
        known = {row["source"]: row["sha256"] for row in rows}
        held_out = {row["source"] for row in rows if row["is_held_out"]}
    share = config.memory.held_out_share
    if choose_held_out(documents, share, known=known, held_out=held_out):
        return None
    return (
        "every night will be refused, because retention cannot be measured: no document is held "
        "out and evaluate.retention names no file; name one there, or begin a run with three "
        "documents or more and memory.held_out_share above 0"
    )


def _check_kinds(config: SleepConfig, pack: "PromptPack") -> None:
    from ddl_train.training.rows import PROPOSE

    known = [*pack.kinds("study"), PROPOSE]
    if unknown := [kind for kind in config.kinds if kind not in known]:
        raise ConfigError(
            f"sleep.kinds names {', '.join(map(repr, unknown))}; the prompt pack has "
            f"{', '.join(known)}"
        )


def _check_trackers(config: SleepConfig) -> None:
    for name in config.report_to:
        if name not in TRACKERS:
            raise ConfigError(f"sleep.report_to names {name!r}; known are {', '.join(TRACKERS)}")
        if find_spec(name) is None:
            raise ConfigError(
                f"sleep.report_to names {name}, which is not installed: "
                f"`pip install 'ddl-train[{name}]'`"
            )


def count_probes(config: EvaluateConfig) -> int:
    """Read every file that is asked, and keep nothing.

    Raises:
        ProbeError: one of them cannot be read.
    """
    from ddl_train.probes.files import is_probe_file, read_probes, read_text
    from ddl_train.probes.suites import FILE_SUITES

    named = {path: suite for suite in FILE_SUITES for path in getattr(config, suite)}
    num_probes = 0
    for path, suite in named.items():
        if not Path(path).exists():
            raise ProbeError(f"{path}: no such file; evaluate.{suite} names it")
        if path in config.retention and not is_probe_file(path):
            read_text(path)
        else:
            num_probes += len(read_probes(path))
    return num_probes
