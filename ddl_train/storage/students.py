"""Which adapters of a run are students: distilled from another adapter, not made by a night.

Every attempt is a distillation, with what the gate said; a student is one that it let through.
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ddl_train.records import AdapterVersion, EvalReport, JsonObject, Promotion
from ddl_train.storage.adapters import drop_adapter
from ddl_train.storage.database import transaction
from ddl_train.storage.files import explained, tmp_path
from ddl_train.storage.run import Run

UNFINISHED = "distill"
"""Folder of a run with the prompts and weights of students that are not installed yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distillation:
    """One attempt to distil, as it was decided."""

    decision: Promotion
    """`candidate` is the student, `promoted` whether it was let through."""
    teacher: str
    facts: JsonObject
    """How it was made, what it cost, and what it buys."""
    decided_at: str


def drop_unfinished(run: Run) -> None:
    """Remove what a student under way has trained; the next call begins anew."""
    shutil.rmtree(run.dir / UNFINISHED, ignore_errors=True)


@contextmanager
def installed_student(
    run: Run,
    made_dir: Path,
    *,
    teacher: AdapterVersion,
    base: str,
    base_sha256: str,
    num_rows: int,
    concept_ids: Iterable[int],
) -> Iterator[AdapterVersion]:
    """Install a copy of a trained student; an error within takes it out again.

    What stood among the adapters before stays, and so does `made_dir`, from which the same call
    goes on.

    Args:
        run: open for writing.
        made_dir: the two files of an adapter.
        teacher: that it was distilled from; on the same base it is its parent.
        base: name or path of its base.
        base_sha256: fingerprint of the base.
        num_rows: prompts that it was trained with.
        concept_ids: concepts whose text it saw.
    """
    known = {one.version for one in run.adapters()}
    copied = tmp_path(run.adapters_dir)
    with explained(run.adapters_dir):
        shutil.copytree(made_dir, copied)
    adapter = run.add_adapter(
        copied,
        cycle=teacher.cycle,
        base=base,
        base_sha256=base_sha256,
        parent=teacher.version if base_sha256 == teacher.base_sha256 else None,
        num_rows=num_rows,
        num_insights=teacher.num_insights,
        insight_ids=run.taught(teacher.version),
        concept_ids=concept_ids,
    )
    try:
        yield adapter
    except BaseException:
        if adapter.version not in known:
            drop_adapter(run.database, adapter)
        raise


def record_distillation(
    connection: sqlite3.Connection, decision: Promotion, *, teacher: str, facts: JsonObject
) -> None:
    """Keep what the gate said about an installed student, and that it is one if it was let through."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with transaction(connection):
        connection.execute(
            "INSERT INTO distillations (version, teacher, passed, reasons, numbers, facts, "
            "decided_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                decision.candidate,
                teacher,
                decision.promoted,
                json.dumps(decision.reasons, ensure_ascii=False),
                json.dumps(dict(decision.numbers)),
                json.dumps(facts, ensure_ascii=False),
                now,
            ),
        )
        if decision.promoted:
            connection.execute(
                "INSERT OR IGNORE INTO distilled VALUES (?, ?, ?)",
                (decision.candidate, teacher, now),
            )


def read_distillations(connection: sqlite3.Connection) -> list[Distillation]:
    """All attempts, first to last."""
    rows = connection.execute("SELECT * FROM distillations ORDER BY distillation_id")
    return [
        Distillation(
            decision=Promotion(
                candidate=row["version"],
                promoted=bool(row["passed"]),
                reasons=tuple(json.loads(row["reasons"])),
                numbers=json.loads(row["numbers"]),
            ),
            teacher=row["teacher"],
            facts=json.loads(row["facts"]),
            decided_at=row["decided_at"],
        )
        for row in rows
    ]


def number_of_attempt(connection: sqlite3.Connection, student: EvalReport, *, teacher: str) -> int:
    """Which student of its teacher one is, from 1, counted by what the gate has decided about.

    The same student under the same questions is no new one: the gate says the same again.

    Args:
        connection: of the run.
        student: what is to be decided about.
        teacher: version.
    """
    tried = [
        (one.decision.candidate, one.facts.get("questions"))
        for one in read_distillations(connection)
        if one.teacher == teacher
    ]
    distinct = list(dict.fromkeys(tried))
    asked = (student.adapter, questions_of(student))
    return 1 + (distinct.index(asked) if asked in distinct else len(distinct))


def questions_of(report: EvalReport) -> str:
    """Names what an adapter was asked; among the facts of each attempt."""
    text = "\n".join(sorted(f"{item.suite} {item.probe_id}" for item in report.items))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def newest_student(connection: sqlite3.Connection) -> str | None:
    """Version of the adapter that was distilled last; None when there is none."""
    row = connection.execute(
        "SELECT version FROM distilled JOIN adapters USING (version) "
        "ORDER BY adapter_id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else str(row["version"])


def teacher_of(connection: sqlite3.Connection, version: str) -> str | None:
    """Version that an adapter was distilled from; None for one that a night made."""
    row = connection.execute(
        "SELECT teacher FROM distilled WHERE version = ?", (version,)
    ).fetchone()
    return None if row is None else str(row["teacher"])
