"""Runs, memories and verdicts made small, for the tests of storage and memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddl_train.config import Config, WakeConfig, parse_config
from ddl_train.memory.store import Memory
from ddl_train.records import (
    BASE,
    Chunk,
    ConceptPair,
    EvalReport,
    Insight,
    ItemResult,
    Proposal,
    Scores,
    Verdict,
)
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder

WAKE = WakeConfig()
TO_THE_FIRST_VERSION = (
    "DROP TABLE files; DROP TABLE asked; ALTER TABLE verdicts DROP COLUMN audit; ALTER TABLE verdicts DROP COLUMN rederived;"
    "ALTER TABLE pairs DROP COLUMN stratum; ALTER TABLE pairs DROP COLUMN operator; ALTER TABLE pairs DROP COLUMN chances;"
    "PRAGMA user_version = 1"
)
"""Takes a database of today back to what the first version wrote."""


def a_config(folder: Path, *, memory: dict[str, Any] | None = None, **values: Any) -> Config:
    whole = {
        "name": "run",
        "checkpoints_dir": str(folder / "checkpoints"),
        "model": {"base": "a-base"},
        "memory": {"sources": [str(folder / "docs")], "held_out_share": 0.0} | (memory or {}),
    }
    return parse_config(whole | values, where="test")


def a_pack(folder: Path) -> Path:
    pack = folder / "pack"
    pack.mkdir(exist_ok=True)
    (pack / "pack.yaml").write_text("none: NONE\n")
    return pack


def a_run(folder: Path, **values: Any) -> Run:
    return Run.create(a_config(folder, **values), pack_dir=a_pack(folder))


def chunks(texts: Sequence[str], *, prefix: str = "doc", version: str = "") -> list[Chunk]:
    """One document of one piece for each text."""
    return [
        Chunk(text=text, source=f"{prefix}{n}.md", position=0, source_sha256=f"{text}{version}")
        for n, text in enumerate(texts)
    ]


def a_memory(run: Run, num_concepts: int = 6) -> Memory:
    """A memory of so many concepts, `fact 0 of the matter` and so on."""
    memory = Memory(run, HashEmbedder())
    memory.add_chunks(chunks([f"fact {n} of the matter" for n in range(num_concepts)]), cycle=-1)
    return memory


def a_verdict(
    pair: ConceptPair,
    conclusion: str | None,
    *,
    adapter: str = BASE,
    rejected_because: str | None = None,
    scores: Scores | None = None,
) -> Verdict:
    """Admitted with a conclusion, NONE without."""
    is_none = conclusion is None
    proposal = Proposal(
        pair=pair,
        text="NONE" if is_none else f"because, so {conclusion}",
        reasoning="" if is_none else "because",
        conclusion=conclusion or "",
        is_none=is_none,
        adapter=adapter,
        num_prompt_tokens=5,
        num_completion_tokens=3,
    )
    given = scores or Scores(novelty=7.5, coherence=8.0, utility=6.25, support=0.5, rederived=0.75)
    return Verdict(
        proposal=proposal,
        scores=None if is_none else given,
        rejected_because="none: there is no link" if is_none else rejected_because,
        rationale="it may help" if not is_none and rejected_because is None else None,
    )


def dream(
    memory: Memory,
    cycle: int,
    batch_index: int,
    conclude: Callable[[ConceptPair], str | None],
    *,
    size: int = 4,
    adapter: str = BASE,
    config: WakeConfig = WAKE,
) -> list[Insight]:
    """Draw a batch, dream on it, keep it."""
    pairs = memory.next_batch(cycle, batch_index, size, config, adapter, 0)
    verdicts = [a_verdict(pair, conclude(pair), adapter=adapter) for pair in pairs]
    return memory.log_verdicts(cycle, batch_index, verdicts)


def idea(pair: ConceptPair) -> str:
    """A conclusion that no other pair has."""
    return f"conclusion of pair {pair.pair_number}"


def an_adapter_dir(folder: Path, content: str = "weights") -> Path:
    """A folder as a trainer leaves it."""
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(content.encode())
    (folder / "adapter_config.json").write_text('{"r": 8}')
    return folder


def install(run: Run, content: str = "weights", *, cycle: int = 0, **seen: Any) -> str:
    """Give a run an adapter; its version."""
    version = run.add_adapter(
        an_adapter_dir(run.night_dir(cycle) / f"candidate-{content[:8]}", content),
        cycle=cycle,
        base="a-base",
        base_sha256="0" * 64,
        parent=seen.pop("parent", None),
        num_rows=3,
        num_insights=1,
        **seen,
    )
    return version.version


def a_report(adapter: str = BASE, cycle: int = 0) -> EvalReport:
    item = ItemResult(
        probe_id="p1",
        suite="uptake",
        kind="forward",
        is_correct=True,
        margin=0.1,
        chance=0.25,
        answer="fact 0 of the matter",
    )
    return EvalReport(adapter=adapter, cycle=cycle, items=(item,), losses={"held_out": (1.5,)})
