"""Sources into memory: before the first cycle, again at each waking, and whenever a person asks."""

from collections.abc import Sequence

from ddl_train.memory.ingest import read_sources
from ddl_train.probes.suites import check_leaks
from ddl_train.records import Progress
from ddl_train.session import Session


def ingest(
    session: Session,
    sources: Sequence[str],
    *,
    cycle: int,
    is_explicit: bool = False,
    progress: Progress | None = None,
) -> int:
    """Read sources, new or changed, into memory, and return how many concepts came of it.

    Forgotten sources are passed over, unless a person named them now (`is_explicit`).
    """
    memory, config = session.memory, session.config
    stamps = {} if is_explicit else memory.stamps()
    reading = read_sources(sources, config.memory, known=memory.known_sources(), stamps=stamps)
    added = memory.add_chunks(  # STATE
        reading.chunks, cycle=cycle, is_explicit=is_explicit, progress=progress
    )
    memory.keep_stamps(reading.stamps)  # STATE
    check_leaks(config.evaluate, memory.texts())
    return added
