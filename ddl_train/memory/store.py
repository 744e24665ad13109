"""Memory: what a run knows, over one database.

    sources -> chunks -> concepts <------------------------+
                            |                              |
                  pairs drawn from them -> verdicts -> insights -> study items

This class is the door; the rooms are `sources`, `vectors`, `batches`, `verdicts`, `view` and `forget`. Everything durable happens in a transaction of the run's database; the index is a cache.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from ddl_train.config import WakeConfig
from ddl_train.memory import batches, forget, sources, stamps
from ddl_train.memory.derived import Derived
from ddl_train.memory.forget import Forgotten
from ddl_train.memory.growing import GrowingIds
from ddl_train.memory.index import IdArray
from ddl_train.memory.kinds import limits_of
from ddl_train.memory.stamps import Stamp
from ddl_train.memory.study import Asked, write_study_items
from ddl_train.memory.vectors import Vectors
from ddl_train.memory.verdicts import write_verdicts
from ddl_train.memory.view import MemoryView
from ddl_train.records import (
    Chunk,
    ConceptPair,
    Embedder,
    FloatArray,
    Insight,
    Progress,
    StudyItem,
    Verdict,
)
from ddl_train.storage.cache import remove_index
from ddl_train.storage.database import finish_scrub
from ddl_train.storage.run import Run
from ddl_train.storage.students import drop_unfinished


class Memory(MemoryView):
    """The memory of an open run."""

    def __init__(self, run: Run, embedder: Embedder | None = None) -> None:
        """Open memory; with an embedder it also embeds what has no vector yet.

        Without one it can be read, drawn from uniformly and made to forget, but takes nothing in.
        """
        super().__init__(run.database)
        self._run = run
        self._active: GrowingIds | None = None
        self._derived = Derived(run.database)
        self._vectors: Vectors | None = None
        if embedder is not None:
            self._vectors = Vectors(
                self._db,
                embedder,
                run.index_path,
                is_read_only=run.is_read_only,
                limits=limits_of(run.config.memory),
            )

    # What was read.

    def add_chunks(
        self,
        chunks: Iterable[Chunk],
        *,
        cycle: int,
        is_explicit: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Take in what was read; the number of concepts it added.

        Args:
            chunks: of any number of sources, each source whole.
            cycle: in which they enter; -1 before the first.
            is_explicit: a person asked for these sources, so forgotten ones come back.
            progress: told of the concepts embedded.

        Raises:
            SourceError: memory would hold fewer than two concepts; nothing is kept.
        """
        num_added = sources.write_chunks(
            self._db,
            chunks,
            cycle=cycle,
            held_out_share=self._run.config.memory.held_out_share,
            is_explicit=is_explicit,
        )
        self._active = None
        if num_added:
            self._space.update(progress)
            self._space.save()
        return num_added

    def known_sources(self) -> dict[str, str]:
        """Source -> hash of its content, for `read_sources` to skip what has not changed."""
        return sources.known_sources(self._db)

    def stamps(self) -> dict[str, str]:
        """Path -> stamp of files that are held whole, for `read_sources` not to open again."""
        return stamps.read_stamps(self._db)

    def keep_stamps(self, found: Iterable[Stamp]) -> None:
        """Remember, of what was read and taken in, which files are held whole."""
        stamps.write_stamps(self._db, found, self.known_sources())

    def held_out_texts(self) -> list[str]:
        """Pieces of the documents that wake and sleep never see."""
        return sources.held_out_texts(self._db)

    def forget(self, source_glob: str) -> Forgotten:
        """Remove sources and all that rests on them; see `memory.forget`.

        The night or student under way, if there is one, begins anew.

        Raises:
            SourceError: no source matches.
            RunError: all is removed, but another program reads the run, so its log keeps traces.
        """
        removed = forget.forget_sources(self._db, source_glob)
        ingested = self._run.ingested
        self._run.drop_ingested([one for one in ingested if forget.matches(one, source_glob)])
        self._active = None
        self._derived = Derived(self._db)
        self._run.drop_night(self._run.next_cycle)
        drop_unfinished(self._run)
        remove_index(self._run.index_path)
        if self._vectors is not None:
            self._vectors.rebuild()
        finish_scrub(self._db)
        return removed

    # Neighbours.

    def centre(self, vectors: FloatArray) -> FloatArray:
        """The embedder's vectors in the space in which memory compares: mean off, length 1."""
        return self._space.centre(vectors)

    def nearest(self, vectors: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """Ids and cosines of the nearest concepts to the embedder's vectors, [n, min(k, all)]."""
        return self._space.nearest(vectors, k)

    def vectors(self, ids: Sequence[int]) -> FloatArray:
        """Vectors of concepts in the space in which memory compares: [n, width]."""
        return self._space.of(np.asarray(ids, dtype=np.int64))

    # Pairs and verdicts.

    def next_batch(
        self,
        cycle: int,
        batch_index: int,
        size: int,
        config: WakeConfig,
        adapter: str,
        seed: int,
    ) -> list[ConceptPair]:
        """Draw a batch and write it down, or return it as it was drawn before a crash.

        Fewer than `size` pairs, or none, when nothing is left that was not dreamt on.
        """
        return batches.draw_batch(
            self._db,
            self._vectors,
            self._active_ids,
            self._derived,
            cycle=cycle,
            batch_index=batch_index,
            size=size,
            config=config,
            adapter=adapter,
            seed=seed,
        )

    def pending_batch(self, cycle: int) -> tuple[int, list[ConceptPair]] | None:
        """The batch of a cycle that was drawn and whose verdicts are owed."""
        return batches.pending_batch(self._db, cycle)

    def num_dreamt(self, cycle: int) -> int:
        """Pairs of a cycle that have a verdict."""
        row = self._db.execute(
            "SELECT count(*) FROM verdicts JOIN pairs USING (pair_id) WHERE cycle = ?", (cycle,)
        ).fetchone()
        return int(row[0])

    def num_batches(self, cycle: int) -> int:
        """Batches drawn in a cycle: the index of the next one."""
        row = self._db.execute(
            "SELECT coalesce(max(batch_index), -1) + 1 FROM pairs WHERE cycle = ?", (cycle,)
        ).fetchone()
        return int(row[0])

    def log_verdicts(
        self, cycle: int, batch_index: int, verdicts: Sequence[Verdict]
    ) -> list[Insight]:
        """Keep a whole batch and return what it admitted; doing it again changes nothing.

        An admitted conclusion that memory holds already is kept as rejected (`duplicate: ...`).
        """
        insight_ids = write_verdicts(
            self._db,
            cycle,
            batch_index,
            verdicts,
            embed=self._space.embed,
            insert=self._space.insert,
        )
        insights = self.insights(ids=insight_ids)
        if insights:
            self._space.take_in()
            if self._active is not None:
                self._active.append(np.array([insight.concept_id for insight in insights]))
        return insights

    # Study items.

    def save_study_items(self, items: Sequence[StudyItem], *, asked: Iterable[Asked] = ()) -> None:
        """Keep items in one transaction; the same question of an insight is replaced.

        Args:
            items: written by the model.
            asked: insight, family and kind of every question that was put, answered or not.
        """
        write_study_items(self._db, items, asked)

    def close(self) -> None:
        """Write the index for a faster start; it is a cache, so this is optional."""
        if self._vectors is not None:
            self._vectors.save()

    @property
    def _space(self) -> Vectors:
        if self._vectors is None:
            raise ValueError("this memory was opened without an embedder")
        return self._vectors

    def _active_ids(self) -> IdArray:
        if self._active is None:
            self._active = GrowingIds(batches.active_ids(self._db))
        return self._active.array
