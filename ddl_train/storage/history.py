"""Where a run stands: cycles and their stages, reports, and what was promoted.

A stage is finished in the transaction that names the next one. The gate's promotion, the move of
the current pointer and the end of the cycle are one transaction too, so a cycle is either decided
or not.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ddl_train.errors import RunError
from ddl_train.records import EvalReport, ItemResult, JsonObject, Promotion, Usage
from ddl_train.storage.database import transaction

STAGES = ("wake", "sleep", "evaluate", "promote", "done")


@dataclass(frozen=True, kw_only=True, slots=True)
class CycleState:
    """How far one cycle has come."""

    cycle: int
    stage: str
    """What it is in the middle of, or `done`."""
    started_at: str
    facts: Mapping[str, JsonObject]
    """Finished stage -> what was noted at its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromotionRow:
    """A decision as it was kept."""

    cycle: int
    promotion: Promotion
    previous: str
    """What was current before it."""
    is_rollback: bool
    decided_at: str


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def start_cycle(connection: sqlite3.Connection, cycle: int) -> None:
    """Begin a cycle; one that has begun is left as it is."""
    with transaction(connection):
        connection.execute("INSERT OR IGNORE INTO cycles VALUES (?, 'wake', ?)", (cycle, now()))


def next_cycle(connection: sqlite3.Connection) -> int:
    """The first cycle that is not done."""
    row = connection.execute(
        "SELECT cycle, stage FROM cycles ORDER BY stage = 'done', cycle"
    ).fetchone()
    if row is None:
        return 0
    if row["stage"] != "done":
        return int(row["cycle"])
    return int(connection.execute("SELECT max(cycle) FROM cycles").fetchone()[0]) + 1


def stage_of(connection: sqlite3.Connection, cycle: int) -> str:
    row = connection.execute("SELECT stage FROM cycles WHERE cycle = ?", (cycle,)).fetchone()
    return str(row["stage"]) if row else "wake"


def finish_stage(connection: sqlite3.Connection, cycle: int, stage: str, facts: JsonObject) -> None:
    """Note the end of a stage and go to the next; a finished one only takes more facts."""
    with transaction(connection):
        _finish(connection, cycle, stage, facts)


def read_cycles(connection: sqlite3.Connection) -> list[CycleState]:
    facts: dict[int, dict[str, JsonObject]] = {}
    for row in connection.execute("SELECT cycle, stage, facts FROM stages"):
        facts.setdefault(row["cycle"], {})[row["stage"]] = json.loads(row["facts"])
    return [
        CycleState(
            cycle=row["cycle"],
            stage=row["stage"],
            started_at=row["started_at"],
            facts=facts.get(row["cycle"], {}),
        )
        for row in connection.execute("SELECT * FROM cycles ORDER BY cycle")
    ]


def save_report(connection: sqlite3.Connection, report: EvalReport) -> None:
    """Keep a report; one of the same cycle and adapter is replaced."""
    with transaction(connection):
        connection.execute(
            "INSERT INTO reports (cycle, adapter, body, created_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (cycle, adapter) DO UPDATE SET body = excluded.body, "
            "created_at = excluded.created_at",
            (report.cycle, report.adapter, dump_report(report), now()),
        )


def read_reports(connection: sqlite3.Connection, cycle: int | None) -> list[EvalReport]:
    rows = connection.execute(
        "SELECT body FROM reports WHERE ?1 IS NULL OR cycle = ?1 ORDER BY cycle, report_id",
        (cycle,),
    )
    return [load_report(row["body"]) for row in rows]


def dump_report(report: EvalReport) -> str:
    """A report as JSON, every number exact; NaN and infinities as Python writes them."""
    return json.dumps(asdict(report), default=_plain, ensure_ascii=False)


def load_report(body: str) -> EvalReport:
    values = json.loads(body)
    return EvalReport(
        adapter=values["adapter"],
        cycle=values["cycle"],
        items=tuple(ItemResult(**item) for item in values["items"]),
        losses={name: tuple(losses) for name, losses in values["losses"].items()},
        divergences={name: tuple(found) for name, found in values.get("divergences", {}).items()},
        missing=tuple(values["missing"]),
        usage=Usage(**values["usage"]),
        figures=values.get("figures", {}),
    )


def record_promotion(
    connection: sqlite3.Connection,
    cycle: int,
    promotion: Promotion,
    *,
    expected: str,
    is_rollback: bool = False,
) -> None:
    """Keep a decision and, if it promotes, move the current pointer from `expected`.

    The gate decides a cycle once: the same decision again does nothing, another one is an error.

    Raises:
        RunError: the current adapter is not `expected`, or the gate has decided otherwise.
    """
    with transaction(connection):
        is_gate = promotion.decided_by == "gate"
        if is_gate and (kept := _gate_row(connection, cycle)) is not None:
            if (kept["candidate"], bool(kept["promoted"])) == (
                promotion.candidate,
                promotion.promoted,
            ):
                return
            raise RunError(
                f"cycle {cycle + 1} has been decided for candidate {kept['candidate']}; "
                f"{promotion.candidate} cannot be decided in the same cycle"
            )
        _insert_promotion(connection, cycle, promotion, expected, is_rollback=is_rollback)
        if promotion.promoted:
            moved = connection.execute(
                "UPDATE state SET value = ? WHERE key = 'current' AND value = ?",
                (promotion.candidate, expected),
            )
            if moved.rowcount != 1:
                raise RunError(
                    f"the current adapter is not {expected} any more, so {promotion.candidate} "
                    "was not promoted; run the same command again"
                )
        if is_gate and stage_of(connection, cycle) == "promote":
            _finish(connection, cycle, "promote", {})


def read_promotions(connection: sqlite3.Connection) -> list[PromotionRow]:
    return [
        PromotionRow(
            cycle=row["cycle"],
            promotion=Promotion(
                candidate=row["candidate"],
                promoted=bool(row["promoted"]),
                reasons=tuple(json.loads(row["reasons"])),
                numbers=json.loads(row["numbers"]),
                decided_by=row["decided_by"],
            ),
            previous=row["previous"],
            is_rollback=bool(row["is_rollback"]),
            decided_at=row["decided_at"],
        )
        for row in connection.execute("SELECT * FROM promotions ORDER BY promotion_id")
    ]


def predecessor(connection: sqlite3.Connection, version: str) -> str | None:
    """What was current before `version` was promoted the last time; None if it never was."""
    row = connection.execute(
        "SELECT previous FROM promotions WHERE promoted AND NOT is_rollback AND candidate = ? "
        "ORDER BY promotion_id DESC LIMIT 1",
        (version,),
    ).fetchone()
    return str(row["previous"]) if row else None


def _finish(connection: sqlite3.Connection, cycle: int, stage: str, facts: JsonObject) -> None:
    standing = stage_of(connection, cycle)
    kept = connection.execute(
        "SELECT facts FROM stages WHERE cycle = ? AND stage = ?", (cycle, stage)
    ).fetchone()
    if kept is None and standing != stage:
        raise ValueError(f"cycle {cycle} is in stage {standing}, so {stage} cannot be finished")
    before: JsonObject = json.loads(kept["facts"]) if kept else {}
    connection.execute(
        "INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?)",
        (cycle, stage, json.dumps(before | facts, default=_plain, ensure_ascii=False), now()),
    )
    if kept is None:
        following = STAGES[STAGES.index(stage) + 1]
        connection.execute("UPDATE cycles SET stage = ? WHERE cycle = ?", (following, cycle))


def _gate_row(connection: sqlite3.Connection, cycle: int) -> Any:
    return connection.execute(
        "SELECT candidate, promoted FROM promotions WHERE cycle = ? AND decided_by = 'gate'",
        (cycle,),
    ).fetchone()


def _insert_promotion(
    connection: sqlite3.Connection,
    cycle: int,
    promotion: Promotion,
    previous: str,
    *,
    is_rollback: bool,
) -> None:
    connection.execute(
        "INSERT INTO promotions (cycle, candidate, promoted, is_rollback, previous, reasons, "
        "numbers, decided_by, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            cycle,
            promotion.candidate,
            promotion.promoted,
            is_rollback,
            previous,
            json.dumps(promotion.reasons, ensure_ascii=False),
            json.dumps(dict(promotion.numbers), default=_plain),
            promotion.decided_by,
            now(),
        ),
    )


def _plain(value: Any) -> Any:
    """Numbers of NumPy and torch as Python's own; paths as text."""
    return value.item() if hasattr(value, "item") else str(value)
