"""What an arm makes of memory, on concepts made by hand."""

from pathlib import Path

import pytest

from ddl_train.bench.life import ForgetfulMemory, WithinMemory
from ddl_train.config import WakeConfig
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Concept, ConceptPair
from tests.fakes import HashEmbedder
from tests.memory.conftest import quick_disk
from tests.storage.made import a_run, a_verdict, chunks, idea

__all__ = ["quick_disk"]


def lives(memory: Memory, *, num_batches: int = 6) -> list[list[ConceptPair]]:
    """Pairs of each batch of one cycle, every second one admitted."""
    for folder in ("left", "right"):
        texts = [f"{folder} fact {n}" for n in range(8)]
        memory.add_chunks(chunks(texts, prefix=f"docs/{folder}/"), cycle=-1)
    batches = []
    for index in range(num_batches):
        pairs = memory.next_batch(0, index, 6, WakeConfig(), BASE, 3)
        verdicts = [a_verdict(pair, idea(pair) if n % 2 else None) for n, pair in enumerate(pairs)]
        memory.log_verdicts(0, index, verdicts)
        batches.append(pairs)
    return batches


def sides(memory: Memory, concept: Concept) -> set[str]:
    """Folders that a concept goes back to."""
    if concept.kind == "document":
        return {Path(concept.source).parent.name}
    (made,) = [one for one in memory.insights() if one.concept_id == concept.concept_id]
    return set().union(*(sides(memory, memory.concept(parent)) for parent in made.parents))


@pytest.mark.usefixtures("quick_disk")
def test_who_draws_within_one_literature_never_joins_two_and_takes_them_in_turn(
    tmp_path: Path,
) -> None:
    with a_run(tmp_path) as run:
        memory = WithinMemory(run, HashEmbedder())
        batches = lives(memory)
        found = [
            set().union(*(sides(memory, one) for pair in pairs for one in (pair.a, pair.b)))
            for pairs in batches
        ]
    assert all(len(pairs) == 6 for pairs in batches)
    assert found == [{"left"}, {"right"}] * 3
    assert any(one.kind == "insight" for pairs in batches for pair in pairs for one in (pair.a, pair.b))  # fmt: skip


@pytest.mark.usefixtures("quick_disk")
def test_who_is_not_fed_its_insights_draws_documents_only(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        batches = lives(ForgetfulMemory(run, HashEmbedder()))
        assert len(batches[-1]) == 6
        assert {one.kind for pairs in batches for pair in pairs for one in (pair.a, pair.b)} == {
            "document"
        }
