"""The sealed third of a probe file: read by `ddl-train eval --sealed` and by no cycle.

Whoever looks at the same questions every night begins to choose by them. A third of every file,
chosen by hash, is kept from that until somebody breaks the seal, and each time is written down in
the run. A question stays on its side whatever is added to the file. Files of fewer than `MIN_PROBES`
questions are left whole: a third of them would tell nothing.
"""

import hashlib
from collections.abc import Sequence

from ddl_train.records import Probe

MIN_PROBES = 30
_ONE_IN = 3


def part_of(probes: Sequence[Probe], *, is_sealed: bool) -> list[Probe]:
    """The sealed third of a file, or the rest of it."""
    if len(probes) < MIN_PROBES:
        return [] if is_sealed else list(probes)
    return [probe for probe in probes if stands_sealed(probe) == is_sealed]


def stands_sealed(probe: Probe) -> bool:
    """Whether a probe of a large enough file belongs to the sealed third."""
    content = repr((probe.probe_id, probe.prompt, probe.answers))
    return int(hashlib.sha256(content.encode("utf-8")).hexdigest()[:12], 16) % _ONE_IN == 0
