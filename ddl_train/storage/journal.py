"""What a run writes down about itself: how far it is, what was measured, what it cost.

`Run` is a `Journal` that can also be opened, locked and changed.
"""

import json
import sqlite3
from pathlib import Path

from ddl_train.errors import AdapterError
from ddl_train.records import BASE, AdapterVersion, EvalReport, JsonObject, Usage
from ddl_train.storage import history, ledger
from ddl_train.storage.adapters import read_adapters
from ddl_train.storage.database import transaction
from ddl_train.storage.files import explained

_FEWEST_CHARACTERS = 4
"""Of a version, by which an adapter is found."""


class Journal:
    """The records of a run over its directory and its database."""

    def __init__(self, run_dir: Path, database: sqlite3.Connection) -> None:
        self.dir = run_dir
        self.database = database

    @property
    def adapters_dir(self) -> Path:
        return self.dir / "adapters"

    @property
    def next_cycle(self) -> int:
        """The first cycle that is not done."""
        return history.next_cycle(self.database)

    def start_cycle(self, cycle: int) -> None:
        history.start_cycle(self.database, cycle)

    def stage(self, cycle: int) -> str:
        """What a cycle is in the middle of: wake, sleep, evaluate, promote, or done."""
        return history.stage_of(self.database, cycle)

    def cycles(self) -> list[history.CycleState]:
        return history.read_cycles(self.database)

    def candidate(self, cycle: int) -> str | None:
        """The adapter that the night of a cycle made; None when it made none."""
        state = next(one for one in self.cycles() if one.cycle == cycle)
        version = state.facts.get("sleep", {}).get("candidate")
        return None if version is None else str(version)

    @property
    def left_out(self) -> str | None:
        """Hash of what a person was last told is not taken from the sources."""
        row = self.database.execute("SELECT value FROM state WHERE key = 'left_out'").fetchone()
        return str(row["value"]) if row else None

    def note_left_out(self, sha256: str) -> None:
        """Remember, without a name, what was said of the sources (`Reading.left_out_sha256`)."""
        with transaction(self.database):
            self.database.execute("INSERT OR REPLACE INTO state VALUES ('left_out', ?)", (sha256,))

    @property
    def engine(self) -> JsonObject:
        """What the engine has found out about this machine: the batch size that fits, and so on."""
        row = self.database.execute("SELECT value FROM state WHERE key = 'engine'").fetchone()
        return dict(json.loads(row["value"])) if row else {}

    def keep_engine(self, found: JsonObject) -> None:
        """Remember it; the engine of the next session begins with it."""
        value = json.dumps(found, sort_keys=True)
        with transaction(self.database):
            self.database.execute("INSERT OR REPLACE INTO state VALUES ('engine', ?)", (value,))

    @property
    def current(self) -> str:
        """Version of the promoted adapter, or `base`."""
        row = self.database.execute("SELECT value FROM state WHERE key = 'current'").fetchone()
        return str(row["value"]) if row else BASE

    def adapter(self, version: str) -> AdapterVersion:
        """A known adapter, by its version or the beginning of it, four characters or more.

        Raises:
            AdapterError: this run has none of that name, or several begin so.
        """
        adapters = {adapter.version: adapter for adapter in self.adapters()}
        fitting = self.versions_like(version)
        if len(fitting) == 1:
            return adapters[fitting[0]]
        if fitting:
            raise AdapterError(
                f"{self.dir}: several adapters begin with {version!r}: {', '.join(fitting)}"
            )
        known = ", ".join(adapters) or "none yet"
        raise AdapterError(f"{self.dir}: has no adapter {version!r}; it has: {known}")

    def versions_like(self, name: str) -> list[str]:
        """The adapter of that version; otherwise those whose version begins so."""
        versions = [adapter.version for adapter in self.adapters()]
        if name in versions:
            return [name]
        is_long = len(name) >= _FEWEST_CHARACTERS
        return [version for version in versions if is_long and version.startswith(name)]

    def adapters(self) -> list[AdapterVersion]:
        """All adapters, in the order they were made."""
        return read_adapters(self.database, self.adapters_dir)

    def taught(self, version: str) -> set[int]:
        """Ids of the insights that an adapter, or one that it was continued from, was trained on."""
        rows = self.database.execute(
            "WITH RECURSIVE line (version) AS (SELECT ? UNION SELECT parent FROM adapters "
            "JOIN line USING (version) WHERE parent IS NOT NULL) "
            "SELECT subject_id FROM night_rows JOIN line USING (version) "
            "WHERE subject = 'insight'",
            (version,),
        )
        return {row["subject_id"] for row in rows}

    def promotions(self) -> list[history.PromotionRow]:
        """All decisions, first to last."""
        return history.read_promotions(self.database)

    def save_report(self, report: EvalReport) -> None:
        history.save_report(self.database, report)

    def reports(self, cycle: int | None = None) -> list[EvalReport]:
        """Reports of one cycle, or of all, in the order they were made."""
        return history.read_reports(self.database, cycle)

    def record_usage(
        self, cycle: int, role: str, usage: Usage, num_calls: int, *, item: str | None = None
    ) -> None:
        """Enter what a role has cost. With `item`, doing it again replaces the first entry."""
        row = ledger.UsageRow(cycle=cycle, role=role, num_calls=num_calls, usage=usage, item=item)
        ledger.record_usage(self.database, row)

    def usage(self, cycle: int | None = None) -> list[ledger.UsageRow]:
        return ledger.read_usage(self.database, cycle)

    def metrics(self, values: JsonObject) -> None:
        """Append a line to metrics.jsonl. For plots; nothing is read back from it."""
        path = self.dir / "metrics.jsonl"
        with explained(path), path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(values, ensure_ascii=False, default=str).encode() + b"\n")
