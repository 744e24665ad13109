"""What can be checked before a run is touched: prompts, sources, probe files, general text.

A run is changed only after all of this holds, so that a mistyped path leaves it as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddl_train.config import Config

if TYPE_CHECKING:
    from ddl_train.memory.ingest import Reading
    from ddl_train.roles.prompts import PromptPack


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What was read on the way."""

    pack: "PromptPack"
    reading: "Reading"
    num_probes: int


def preflight(config: Config) -> Checked:
    """Read everything that a config names, and keep nothing.

    Raises:
        DdlTrainError: one of them cannot be used.
    """
    from ddl_train.memory.ingest import read_sources
    from ddl_train.roles.prompts import load_pack
    from ddl_train.training.general import read_general

    pack = load_pack(config.wake.prompts)
    reading = read_sources(config.memory.sources, config.memory)
    num_probes = _count_probes(config)
    read_general(config.sleep.general, max_characters=4 * config.sleep.max_length)
    return Checked(pack=pack, reading=reading, num_probes=num_probes)


def _count_probes(config: Config) -> int:
    from ddl_train.probes.files import is_probe_file, read_probes, read_text

    asked = config.evaluate
    paths: Sequence[str] = [*asked.truth, *asked.retention, *asked.skill, *asked.false_memory]
    num_probes = 0
    for path in dict.fromkeys(paths):
        if path in asked.retention and not is_probe_file(path):
            read_text(path)
        else:
            num_probes += len(read_probes(path))
    return num_probes
