"""What memory holds, read: concepts, insights, verdicts, study items."""

import sqlite3
from collections.abc import Iterator, Sequence

from ddl_train.memory import reading
from ddl_train.memory.study import Asked, read_asked
from ddl_train.records import Concept, Insight, StudyItem, Verdict


class MemoryView:
    """The reading half of `Memory`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @property
    def num_concepts(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM concepts").fetchone()[0])

    @property
    def num_insights(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM insights").fetchone()[0])

    def concept(self, concept_id: int) -> Concept:
        """Raises KeyError for an id that memory does not hold."""
        return reading.read_concepts(self._db, [concept_id])[concept_id]

    def concepts(self, ids: Sequence[int] | None = None) -> list[Concept]:
        """Concepts in the order of `ids`, or all in the order of arrival."""
        if ids is None:
            return reading.all_concepts(self._db)
        found = reading.read_concepts(self._db, ids)
        return [found[concept_id] for concept_id in ids]

    def texts(self) -> Iterator[str]:
        """Texts of all concepts, read as they are asked for."""
        return reading.all_texts(self._db)

    def sample_texts(self, most: int = 50_000) -> Iterator[str]:
        """Texts of documents' concepts; of more than `most` about so many, evenly spread."""
        return reading.sample_texts(self._db, most)

    def insight(self, insight_id: int) -> Insight:
        if found := self.insights(ids=[insight_id]):
            return found[0]
        raise KeyError(insight_id)

    def insights(
        self, *, cycle: int | None = None, ids: Sequence[int] | None = None
    ) -> list[Insight]:
        """Insights of one cycle, of a list of ids, or all, in the order of admission."""
        return reading.read_insights(self._db, cycle=cycle, ids=ids)

    def lineage(self, insight_id: int) -> list[Insight]:
        """An insight and every insight it rests on, oldest first."""
        return reading.read_lineage(self._db, self.insight(insight_id))

    def verdicts(
        self,
        *,
        cycle: int | None = None,
        is_admitted: bool | None = None,
        limit: int | None = None,
    ) -> list[Verdict]:
        """Verdicts in the order they were given; with `limit`, the latest."""
        return reading.read_verdicts(self._db, cycle=cycle, is_admitted=is_admitted, limit=limit)

    def rejected_pairs(self, cycle: int, limit: int, seed: int) -> list[tuple[Concept, Concept]]:
        """Pairs, up to a cycle, that only ever were answered NONE or refused by the critic.

        A seeded sample; what a guard refused is left out.
        """
        return reading.read_rejected_pairs(self._db, cycle=cycle, limit=limit, seed=seed)

    def asked(self) -> set[Asked]:
        """Insight, family and kind of every question that was ever put to the model."""
        return read_asked(self._db)

    def study_items(
        self, insight_ids: Sequence[int] | None = None, family: str | None = None
    ) -> list[StudyItem]:
        """Items by insight and in the order they were written."""
        return reading.read_study_items(self._db, insight_ids, family)
