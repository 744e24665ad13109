"""Every table of a run. SQLite is the only truth; files beside it are caches or are named by it.

A change of this file is a change of the format: raise `FORMAT_VERSION` and write the step from the
version before into `migrations.py`.

    sources, pieces, held_out          what was read, piece by piece, and what is kept from wake
    files                              which files have not changed since
    concepts, embeddings, means        what memory holds, and where it lies
    blocks                             the pair number line, one block for each growth of memory
    pairs -> proposals -> verdicts     one row each for every dream, admitted or not
    insights, study_items, asked       what was admitted, what is asked about it, what was tried
    night_rows, adapters               what each night was trained on, and what it made
    cycles, stages, reports, promotions, usage, state       the run
    forgotten, forgotten_names         what was removed: counts and hashes, no text
    distilled                          which adapters are students, and of whom
    distillations                      every student that was tried, and what was decided about it
    outbox                             what is on its way to a repository, or was brought there
"""

FORMAT_VERSION = 4
"""`user_version` of a database that this code writes."""

APPLICATION_ID = 0x44444C54
"""`application_id`: the letters DDLT."""

SCHEMA = """
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    source TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    is_held_out INTEGER NOT NULL CHECK (is_held_out IN (0, 1)),
    cycle INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    path TEXT PRIMARY KEY,
    stamp TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pieces (
    source TEXT NOT NULL REFERENCES sources ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (source, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX pieces_by_text ON pieces (sha256);

CREATE TABLE held_out (
    sha256 TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE concepts (
    concept_id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('document', 'insight')),
    source TEXT NOT NULL,
    position INTEGER NOT NULL,
    depth INTEGER NOT NULL CHECK (depth >= 0),
    cycle INTEGER NOT NULL
) STRICT;

CREATE TABLE embeddings (
    concept_id INTEGER PRIMARY KEY REFERENCES concepts ON DELETE CASCADE,
    embedder TEXT NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE INDEX embeddings_by_embedder ON embeddings (embedder);

CREATE TABLE means (
    embedder TEXT PRIMARY KEY,
    vector BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    block_id INTEGER PRIMARY KEY,
    first_concept INTEGER NOT NULL UNIQUE,
    last_concept INTEGER NOT NULL CHECK (last_concept >= first_concept),
    key TEXT,
    counter INTEGER NOT NULL DEFAULT 0 CHECK (counter >= 0)
) STRICT;

CREATE TABLE pairs (
    pair_id INTEGER PRIMARY KEY AUTOINCREMENT,
    cycle INTEGER NOT NULL,
    batch_index INTEGER NOT NULL,
    position INTEGER NOT NULL,
    pair_number INTEGER NOT NULL,
    a_id INTEGER NOT NULL REFERENCES concepts,
    b_id INTEGER NOT NULL REFERENCES concepts,
    sampler TEXT NOT NULL,
    probability REAL NOT NULL,
    is_revisit INTEGER NOT NULL CHECK (is_revisit IN (0, 1)),
    adapter TEXT NOT NULL,
    stratum TEXT NOT NULL DEFAULT '',
    operator TEXT NOT NULL DEFAULT 'connect',
    chances TEXT NOT NULL DEFAULT '{}',
    UNIQUE (cycle, batch_index, position),
    UNIQUE (pair_number, adapter)
) STRICT;
CREATE INDEX pairs_by_a ON pairs (a_id);
CREATE INDEX pairs_by_b ON pairs (b_id);

CREATE TABLE proposals (
    pair_id INTEGER PRIMARY KEY REFERENCES pairs,
    text TEXT NOT NULL,
    reasoning TEXT NOT NULL,
    conclusion TEXT NOT NULL,
    is_none INTEGER NOT NULL CHECK (is_none IN (0, 1)),
    adapter TEXT NOT NULL,
    num_prompt_tokens INTEGER NOT NULL,
    num_completion_tokens INTEGER NOT NULL
) STRICT;

CREATE TABLE verdicts (
    pair_id INTEGER PRIMARY KEY REFERENCES proposals,
    novelty REAL,
    coherence REAL,
    utility REAL,
    support REAL,
    disagreement REAL,
    rejected_because TEXT,
    rationale TEXT,
    audit TEXT,
    rederived REAL,
    CHECK ((novelty IS NULL) = (coherence IS NULL) AND (novelty IS NULL) = (utility IS NULL))
) STRICT;
CREATE INDEX rejected ON verdicts (pair_id) WHERE rejected_because IS NOT NULL;

CREATE TABLE insights (
    insight_id INTEGER PRIMARY KEY AUTOINCREMENT,
    concept_id INTEGER NOT NULL UNIQUE REFERENCES concepts,
    pair_id INTEGER NOT NULL UNIQUE REFERENCES verdicts,
    parent_a INTEGER NOT NULL REFERENCES concepts,
    parent_b INTEGER NOT NULL REFERENCES concepts,
    cycle INTEGER NOT NULL
) STRICT;
CREATE INDEX insights_by_a ON insights (parent_a);
CREATE INDEX insights_by_b ON insights (parent_b);
CREATE INDEX insights_by_cycle ON insights (cycle);

CREATE TABLE study_items (
    item_id INTEGER PRIMARY KEY,
    insight_id INTEGER NOT NULL REFERENCES insights ON DELETE CASCADE,
    family TEXT NOT NULL CHECK (family IN ('study', 'probe')),
    kind TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    is_checked INTEGER NOT NULL CHECK (is_checked IN (0, 1)),
    UNIQUE (insight_id, family, kind, question)
) STRICT;

CREATE TABLE asked (
    insight_id INTEGER NOT NULL REFERENCES insights ON DELETE CASCADE,
    family TEXT NOT NULL CHECK (family IN ('study', 'probe')),
    kind TEXT NOT NULL,
    PRIMARY KEY (insight_id, family, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE adapters (
    adapter_id INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE,
    cycle INTEGER NOT NULL,
    base TEXT NOT NULL,
    base_sha256 TEXT NOT NULL,
    parent TEXT REFERENCES adapters (version),
    num_rows INTEGER NOT NULL,
    num_insights INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE night_rows (
    version TEXT NOT NULL REFERENCES adapters (version),
    subject TEXT NOT NULL CHECK (subject IN ('insight', 'concept')),
    subject_id INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    PRIMARY KEY (version, subject, subject_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX night_rows_by_subject ON night_rows (subject, subject_id);

CREATE TABLE distilled (
    version TEXT PRIMARY KEY REFERENCES adapters (version),
    teacher TEXT NOT NULL REFERENCES adapters (version),
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE distillations (
    distillation_id INTEGER PRIMARY KEY,
    version TEXT NOT NULL REFERENCES adapters (version),
    teacher TEXT NOT NULL REFERENCES adapters (version),
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    reasons TEXT NOT NULL,
    numbers TEXT NOT NULL,
    facts TEXT NOT NULL,
    decided_at TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    outbox_id INTEGER PRIMARY KEY,
    repo_type TEXT NOT NULL CHECK (repo_type IN ('model', 'dataset')),
    repo_id TEXT NOT NULL,
    adapter TEXT NOT NULL REFERENCES adapters (version),
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL,
    terms TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'committed', 'done')),
    revision TEXT,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    UNIQUE (repo_type, repo_id, digest, terms)
) STRICT;

CREATE TABLE cycles (
    cycle INTEGER PRIMARY KEY CHECK (cycle >= 0),
    stage TEXT NOT NULL CHECK (stage IN ('wake', 'sleep', 'evaluate', 'promote', 'done')),
    started_at TEXT NOT NULL
) STRICT;

CREATE TABLE stages (
    cycle INTEGER NOT NULL REFERENCES cycles,
    stage TEXT NOT NULL CHECK (stage IN ('wake', 'sleep', 'evaluate', 'promote')),
    facts TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    PRIMARY KEY (cycle, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports (
    report_id INTEGER PRIMARY KEY,
    cycle INTEGER NOT NULL,
    adapter TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (cycle, adapter)
) STRICT;

CREATE TABLE promotions (
    promotion_id INTEGER PRIMARY KEY,
    cycle INTEGER NOT NULL,
    candidate TEXT NOT NULL,
    promoted INTEGER NOT NULL CHECK (promoted IN (0, 1)),
    is_rollback INTEGER NOT NULL CHECK (is_rollback IN (0, 1)),
    previous TEXT NOT NULL,
    reasons TEXT NOT NULL,
    numbers TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_gate_a_cycle ON promotions (cycle) WHERE decided_by = 'gate';

CREATE TABLE usage (
    usage_id INTEGER PRIMARY KEY,
    cycle INTEGER NOT NULL,
    role TEXT NOT NULL,
    item TEXT,
    num_calls INTEGER NOT NULL,
    num_prompt_tokens INTEGER NOT NULL,
    num_completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    flops REAL NOT NULL,
    UNIQUE (cycle, role, item)
) STRICT;

CREATE TABLE forgotten (
    forgotten_id INTEGER PRIMARY KEY,
    pattern_sha256 TEXT NOT NULL,
    num_sources INTEGER NOT NULL,
    num_concepts INTEGER NOT NULL,
    num_insights INTEGER NOT NULL,
    num_pairs INTEGER NOT NULL,
    num_study_items INTEGER NOT NULL,
    adapters TEXT NOT NULL,
    forgotten_at TEXT NOT NULL
) STRICT;

CREATE TABLE forgotten_names (
    sha256 TEXT PRIMARY KEY,
    forgotten_id INTEGER NOT NULL REFERENCES forgotten
) STRICT, WITHOUT ROWID;
"""
