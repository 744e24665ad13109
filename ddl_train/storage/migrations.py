"""Steps from each format of a run's database to the next, as `schema.py` has them now."""

MIGRATIONS: dict[int, str] = {
    1: """
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    stamp TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE asked (
    insight_id INTEGER NOT NULL REFERENCES insights ON DELETE CASCADE,
    family TEXT NOT NULL CHECK (family IN ('study', 'probe')),
    kind TEXT NOT NULL,
    PRIMARY KEY (insight_id, family, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS distillations (
    distillation_id INTEGER PRIMARY KEY,
    version TEXT NOT NULL REFERENCES adapters (version),
    teacher TEXT NOT NULL REFERENCES adapters (version),
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    reasons TEXT NOT NULL,
    numbers TEXT NOT NULL,
    facts TEXT NOT NULL,
    decided_at TEXT NOT NULL
) STRICT;
""",
    2: """
ALTER TABLE pairs ADD COLUMN stratum TEXT NOT NULL DEFAULT '';
ALTER TABLE pairs ADD COLUMN operator TEXT NOT NULL DEFAULT 'connect';
ALTER TABLE pairs ADD COLUMN chances TEXT NOT NULL DEFAULT '{}';
ALTER TABLE verdicts ADD COLUMN audit TEXT;
""",
    3: """
ALTER TABLE verdicts ADD COLUMN rederived REAL;
""",
}
"""Version -> SQL that takes a database of that version to the next."""
