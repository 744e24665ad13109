"""A run as it looks after two cycles, written without a model: one promoted, one refused."""

from pathlib import Path

import numpy as np

from ddl_train.config import Config, parse_config
from ddl_train.records import BASE, EvalReport, ItemResult, Promotion, Usage
from ddl_train.roles import prompts
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run

TERSE = Path(prompts.__file__).parent / "prompts" / "terse"
PACK = {path.name: path.read_text() for path in sorted(TERSE.iterdir()) if path.is_file()}
REASONS = ["none: no link", "none: no link", "coherence: 3.1 is below 6.0", None, None]


def made_config(folder: Path) -> Config:
    return parse_config(
        {
            "name": "made",
            "checkpoints_dir": str(folder / "checkpoints"),
            "num_cycles": 3,
            "price_per_million_tokens": 2.0,
            "model": {"base": "/nowhere/base"},
            "memory": {"sources": [str(folder / "docs")]},
            "evaluate": {"truth": [str(folder / "truth.jsonl")]},
        },
        where="made.yaml",
    )


def made_run(folder: Path) -> Path:
    """Write it and return its directory."""
    pack = folder / "pack"
    pack.mkdir(parents=True)
    for name, text in PACK.items():
        (pack / name).write_text(text)
    (folder / "truth.jsonl").write_text(
        '{"id": "t0", "prompt": "what may relieve ague?", "answers": ["zorin"], "choices": ["x"]}\n'
    )
    with Run.create(made_config(folder), pack_dir=pack) as run:
        _fill_memory(run)
        for cycle in range(2):
            _dream(run, cycle)
            _sleep_and_gate(run, cycle, promoted=cycle == 0)
    return run.dir


def _fill_memory(run: Run) -> None:
    with transaction(run.database) as database:
        for number in range(1, 6):
            source = f"docs/{number}.md"
            database.execute("INSERT INTO sources VALUES (?, ?, ?, -1)", (source, "0", 0))
            database.execute(
                "INSERT INTO concepts VALUES (?, ?, ?, 'document', ?, 0, 0, -1)",
                (number, f"fact number {number}", f"sha{number}", source),
            )
        database.execute("INSERT INTO sources VALUES ('docs/6.md', '0', 1, -1)")


def _dream(run: Run, cycle: int) -> None:
    run.start_cycle(cycle)
    with transaction(run.database) as database:
        first = database.execute("SELECT coalesce(max(concept_id), 0) FROM concepts").fetchone()[0]
        for position, reason in enumerate(REASONS):
            # in the second cycle each pair has the last insight in it
            a, b = (position % 4 + 2, 1) if cycle == 0 else (first, position + 1)
            pair_id = database.execute(
                "INSERT INTO pairs (cycle, batch_index, position, pair_number, a_id, b_id, sampler,"
                " probability, is_revisit, adapter) VALUES (?, 0, ?, ?, ?, ?, 'uniform', 0.1, 0, ?)",
                (cycle, position, 10 * cycle + position, a, b, BASE),
            ).lastrowid
            is_none = reason is not None and reason.startswith("none")
            conclusion = "" if is_none else f"conclusion {cycle}.{position}"
            database.execute(
                "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, 40, ?)",
                (
                    pair_id,
                    "NONE" if is_none else f"because, so {conclusion}",
                    "" if is_none else "because",
                    conclusion,
                    is_none,
                    BASE,
                    1 if is_none else 10,
                ),
            )
            scores = (None,) * 5 if is_none else (7.0, 3.1 if reason else 8.0, 6.0, 0.9, None)
            database.execute(
                "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
                (
                    pair_id,
                    *scores,
                    reason,
                    None if reason else "it holds together",
                    None if is_none else 0.985,
                ),
            )
            if reason is None:
                concept_id = first + position - 2
                database.execute(
                    "INSERT INTO concepts VALUES (?, ?, ?, 'insight', 'dream', 0, ?, ?)",
                    (concept_id, conclusion, f"sha{concept_id}", cycle + 1, cycle),
                )
                database.execute(
                    "INSERT INTO insights (concept_id, pair_id, parent_a, parent_b, cycle) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (concept_id, pair_id, a, b, cycle),
                )
    for role, tokens in (("generator", 250), ("critic", 120), ("rationale", 30), ("student", 200)):
        usage = Usage(num_prompt_tokens=tokens, num_completion_tokens=20, seconds=1.5, flops=4e9)
        run.record_usage(cycle, role, usage, 5)
    run.finish_stage(cycle, "wake")


def _sleep_and_gate(run: Run, cycle: int, *, promoted: bool) -> None:
    tmp = run.dir / "night"
    tmp.mkdir()
    (tmp / "adapter_model.safetensors").write_bytes(bytes([cycle]))
    (tmp / "adapter_config.json").write_text("{}")
    adapter = run.add_adapter(
        tmp,
        cycle=cycle,
        base="/nowhere/base",
        base_sha256="0",
        parent=None,
        num_rows=12,
        num_insights=2,
        insight_ids=[2 * cycle + 1, 2 * cycle + 2],
    )
    trained = Usage(num_prompt_tokens=3000, seconds=20.0, flops=9e11)
    run.record_usage(cycle, "trainer", trained, 12)
    run.finish_stage(cycle, "sleep", num_too_long=1, candidate=adapter.version)
    for name in (BASE, run.current, adapter.version):
        knows_tonight = promoted and name == adapter.version
        run.save_report(_report(name, cycle, knows_tonight=knows_tonight, has_slept=name != BASE))
    run.finish_stage(cycle, "evaluate")
    verdict = "ok: uptake rose" if promoted else "refused: uptake fell by 0.1"
    run.record_promotion(
        cycle,
        Promotion(
            candidate=adapter.version,
            promoted=promoted,
            reasons=("ok: all three reports hold the same 6 items", verdict),
            numbers={"uptake_gain": 0.5},
        ),
    )


def _report(adapter: str, cycle: int, *, knows_tonight: bool, has_slept: bool) -> EvalReport:
    insights = (2 * cycle + 1, 2 * cycle + 2)
    items = [
        _item(f"uptake-{number}-{kind}-abc", "uptake", knows_tonight, 0.2, f"insight {number}")
        for number in insights
        for kind in ("forward", "reverse")
    ]
    items += [
        _item("t0#12345678", "truth", has_slept, 0.5, "t0", is_dreamt=True),
        _item("t1#12345678", "truth", False, 0.5, "t1", is_dreamt=False),
        _item("r0#12345678", "retention", not has_slept, 0.25, "r0"),
        _item("r1#12345678", "retention", True, 0.25, "r1"),
    ]
    losses = {"held-out documents": (2.0, 2.2 if has_slept else 2.1)}
    apart = {"held-out documents": (0.1, 0.3) if has_slept else (0.0, 0.0)}
    return EvalReport(
        adapter=adapter, cycle=cycle, items=tuple(items), losses=losses, divergences=apart
    )


def _item(
    probe_id: str,
    suite: str,
    is_correct: bool,
    chance: float,
    cluster: str,
    *,
    is_dreamt: bool | None = None,
) -> ItemResult:
    return ItemResult(
        probe_id=probe_id,
        suite=suite,
        kind="forward",
        is_correct=is_correct,
        margin=0.5 if is_correct else -0.5,
        chance=chance,
        answer="zorin" if is_correct else "x",
        cluster=cluster,
        is_dreamt=is_dreamt,
    )


def add_vectors(run_dir: Path) -> None:
    """Give every concept a vector that depends on its id, and a mean of zeros."""
    with Run.open(run_dir) as run, transaction(run.database) as database:
        ids = [row["concept_id"] for row in database.execute("SELECT concept_id FROM concepts")]
        for concept_id in ids:
            vector = np.array([1.0, concept_id / 4, concept_id % 3], dtype="<f4")
            database.execute(
                "INSERT INTO embeddings VALUES (?, 'words', ?)", (concept_id, vector.tobytes())
            )
        mean = np.zeros(3, dtype="<f4")
        database.execute("INSERT INTO means VALUES ('words', ?)", (mean.tobytes(),))


def empty_run(folder: Path) -> Path:
    """A run that has begun nothing."""
    pack = folder / "pack"
    pack.mkdir(parents=True)
    for name, text in PACK.items():
        (pack / name).write_text(text)
    with Run.create(made_config(folder), pack_dir=pack) as run:
        return run.dir
