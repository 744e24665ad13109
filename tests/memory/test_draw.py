"""Which pairs are drawn: each once, as configured, with the chance they had."""

from collections import Counter
from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np
import pytest

from ddl_train.config import WakeConfig
from ddl_train.memory.space import Weights
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Chunk, ConceptPair, FloatArray, Usage
from ddl_train.storage.run import Run
from tests.fakes import HashEmbedder
from tests.storage.made import a_memory, a_run, a_verdict, chunks, dream, idea


def wake(**sampler: float) -> WakeConfig:
    return WakeConfig.model_validate({"sampler": {"uniform": 0.0} | sampler})


def draw_all(memory: Memory, *, size: int = 7, adapter: str = BASE) -> list[ConceptPair]:
    drawn: list[ConceptPair] = []
    while True:
        index = memory.num_batches(0)
        pairs = memory.next_batch(0, index, size, WakeConfig(), adapter, 3)
        if not pairs:
            return drawn
        drawn += pairs
        memory.log_verdicts(0, index, [a_verdict(pair, None) for pair in pairs])


def test_every_pair_is_drawn_once_and_then_none(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        drawn = draw_all(a_memory(run, 9))
        assert sorted(pair.pair_number for pair in drawn) == list(range(comb(9, 2)))


def test_insights_are_drawn_with_everything_there_is(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 4)
        dream(memory, 0, 0, idea, size=3)
        drawn = draw_all(memory)
        assert memory.num_concepts == 7
        assert len(drawn) + 3 == comb(7, 2)


def test_a_batch_is_the_same_after_a_crash(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        pairs = a_memory(run).next_batch(0, 0, 5, WakeConfig(), BASE, 3)
    with Run.open(run.dir) as run:
        memory = Memory(run, HashEmbedder())
        assert memory.pending_batch(0) == (0, pairs)
        assert memory.next_batch(0, 0, 5, WakeConfig(), BASE, 3) == pairs
        memory.log_verdicts(0, 0, [a_verdict(pair, None) for pair in pairs])
        assert memory.pending_batch(0) is None
        assert memory.num_dreamt(0) == 5


def test_a_batch_owed_by_an_adapter_that_is_gone_is_drawn_anew(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run)
        memory.next_batch(0, 0, 5, WakeConfig(), BASE, 3)
        dream(memory, 0, 0, idea, size=5, adapter="beef")
        assert {verdict.proposal.adapter for verdict in memory.verdicts()} == {"beef"}


def test_the_seed_decides_the_draw(tmp_path: Path) -> None:
    drawn = []
    for number, seed in enumerate((3, 3, 4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with a_run(folder) as run:
            pairs = a_memory(run, 30).next_batch(0, 0, 8, WakeConfig(), BASE, seed)
            drawn.append([(pair.a.concept_id, pair.b.concept_id) for pair in pairs])
    assert drawn[0] == drawn[1] != drawn[2]


class MapEmbedder:
    """Texts `x y` as points of the plane, on the unit circle."""

    name = "map"

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        points = np.array([[float(part) for part in text.split()] for text in texts])
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        return unit.astype(np.float32), Usage()


def on_a_circle(run: Run, num_concepts: int) -> Memory:
    memory = Memory(run, MapEmbedder())
    angles = np.linspace(0, 2 * np.pi, num_concepts, endpoint=False)
    memory.add_chunks(chunks([f"{np.cos(a):.6f} {np.sin(a):.6f}" for a in angles]), cycle=-1)
    return memory


def cosine(pair: ConceptPair) -> float:
    a, b = (MapEmbedder().embed([concept.text])[0][0] for concept in (pair.a, pair.b))
    return float(a @ b)


def test_a_band_holds_its_cosines(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        config = wake(distance_band=1.0, band_low=0.2, band_high=0.5)
        pairs = on_a_circle(run, 40).next_batch(0, 0, 20, config, BASE, 3)
        assert {pair.sampler for pair in pairs} == {"distance_band"}
        assert all(0.19 < cosine(pair) < 0.51 for pair in pairs)
        in_band = sum(0.2 <= np.cos(2 * np.pi * step / 40) <= 0.5 for step in range(1, 20)) * 40
        assert pairs[0].probability == pytest.approx(1 / in_band, rel=0.5)


def test_neighbours_come_from_another_source(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        config = wake(near_other_source=1.0, num_neighbours=4)
        pairs = on_a_circle(run, 40).next_batch(0, 0, 20, config, BASE, 3)
        assert {pair.sampler for pair in pairs} == {"near_other_source"}
        assert all(cosine(pair) > np.cos(2 * np.pi * 2.5 / 40) for pair in pairs)
        assert all(pair.a.source != pair.b.source for pair in pairs)
        assert pairs[0].probability == pytest.approx(2 / 40 / 4, rel=0.01)


def test_neighbours_of_one_source_leave_their_place_to_uniform(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = Memory(run, HashEmbedder())
        one = [
            Chunk(text=f"piece {n}", source="one.md", position=n, source_sha256="0")
            for n in range(9)
        ]
        memory.add_chunks(one, cycle=-1)
        pairs = memory.next_batch(0, 0, 5, wake(near_other_source=1.0), BASE, 3)
        assert {pair.sampler for pair in pairs} == {"uniform"}


def test_insights_are_paired_with_neighbours_but_not_with_parents(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 20)
        insights = dream(memory, 0, 0, idea, size=4)
        parents = {insight.concept_id: insight.parents for insight in insights}
        pairs = memory.next_batch(0, 1, 8, wake(insight=1.0), BASE, 3)
        assert {pair.sampler for pair in pairs} == {"insight"}
        for pair in pairs:
            members = {pair.a.concept_id, pair.b.concept_id}
            assert members & parents.keys()
            assert not any(members == {one, parent} for one in parents for parent in parents[one])


def test_without_insights_their_share_is_uniform(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        pairs = a_memory(run).next_batch(0, 0, 5, wake(insight=1.0), BASE, 3)
        assert {pair.sampler for pair in pairs} == {"uniform"}


def test_what_was_built_upon_is_drawn_more(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 40)
        root = dream(memory, 0, 0, idea, size=1)[0].concept_id
        for index in range(1, 9):
            dream(memory, 0, index, idea, size=8, config=wake(insight=1.0))
        strengths = {concept.concept_id: concept.strength for concept in memory.concepts()}
        assert strengths[root] > 3
        assert strengths[1] == 1.0
        pairs = memory.next_batch(0, 9, 60, wake(strength=1.0), BASE, 3)
        drawn = Counter(c.concept_id for pair in pairs for c in (pair.a, pair.b))
        strong = [concept_id for concept_id, strength in strengths.items() if strength > 2]
        mean = sum(drawn.values()) / len(strengths)
        assert sum(drawn[concept_id] for concept_id in strong) / len(strong) > 1.3 * mean


def test_a_mixture_uses_all_its_samplers(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 60)
        dream(memory, 0, 0, idea, size=8)
        config = WakeConfig.model_validate(
            {"sampler": dict.fromkeys(["uniform", "distance_band", "strength", "insight"], 1.0)}
        )
        pairs = memory.next_batch(0, 1, 64, config, BASE, 3)
        assert len({pair.sampler for pair in pairs}) == 4
        assert len({pair.pair_number for pair in pairs}) == 64


@pytest.mark.parametrize("name", ["uniform", "strength", "near_other_source"])
def test_chances_over_all_pairs_sum_to_one(tmp_path: Path, name: str) -> None:
    with a_run(tmp_path) as run:
        memory = on_a_circle(run, 12)
        config = wake(**{"uniform": 0.0, name: 1.0}, num_neighbours=3)
        pairs = memory.next_batch(0, 0, comb(12, 2), config, BASE, 3)
        assert len(pairs) == comb(12, 2)
        assert sum(pair.probability for pair in pairs) == pytest.approx(1.0, rel=1e-5)


def revisit(share: float) -> WakeConfig:
    return WakeConfig(revisit_share=share)


def test_another_adapter_sees_old_rejects_again_and_only_those(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 12)
        pairs = memory.next_batch(0, 0, 10, WakeConfig(), BASE, 3)
        verdicts = [a_verdict(pair, idea(pair) if n < 5 else None) for n, pair in enumerate(pairs)]
        memory.log_verdicts(0, 0, verdicts)
        again = memory.next_batch(1, 0, 10, revisit(1.0), "beef", 3)
        numbers = {pair.pair_number for pair in again if pair.is_revisit}
        assert numbers == {pair.pair_number for pair in pairs[5:]}
        assert all(pair.probability == 1 / 5 for pair in again if pair.is_revisit)


def test_an_adapter_does_not_revisit_its_own_rejects(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 12)
        dream(memory, 0, 0, lambda pair: None, size=10)
        again = memory.next_batch(1, 0, 10, revisit(1.0), BASE, 3)
        assert not any(pair.is_revisit for pair in again)


def test_a_pair_is_revisited_once_by_each_adapter(tmp_path: Path) -> None:
    with a_run(tmp_path) as run:
        memory = a_memory(run, 4)
        dream(memory, 0, 0, lambda pair: None, size=6)
        for adapter in ("beef", "cafe"):
            cycle = 1 + memory.num_batches(1)
            first = dream(
                memory, cycle, 0, lambda pair: None, adapter=adapter, size=6, config=revisit(1.0)
            )
            assert first == []
            assert memory.num_dreamt(cycle) == 6
            assert memory.next_batch(cycle, 1, 6, revisit(1.0), adapter, 3) == []


def test_what_drawing_reads_does_not_grow_with_memory(tmp_path: Path) -> None:
    config = wake(uniform=0.2, distance_band=0.2, near_other_source=0.3, strength=0.1, insight=0.2)
    num_steps = []
    for number in (400, 1600):
        folder = tmp_path / str(number)
        folder.mkdir()
        with a_run(folder) as run:
            memory = a_memory(run, number)
            dream(memory, 0, 0, idea)
            memory.next_batch(0, 1, 8, config, BASE, 3)
            steps = [0]

            def count(steps: list[int] = steps) -> int:
                steps[0] += 1
                return 0

            run.database.set_progress_handler(count, 1)
            memory.next_batch(0, 2, 8, config, BASE, 3)
            run.database.set_progress_handler(None, 0)
            num_steps.append(steps[0])
    assert num_steps[1] < 1.5 * num_steps[0]


def test_places_fall_on_concepts_as_often_as_they_weigh() -> None:
    values = np.array([3.0, 0.25, 0.5])
    rows = np.array([0, 4, 9])
    weights = Weights(10, rows, values)
    dense = np.ones(10)
    dense[rows] = values
    assert weights.total == dense.sum()
    assert weights.total_of_squares == (dense**2).sum()
    assert np.array_equal(weights.of(np.arange(10)), dense)
    places = np.linspace(0, weights.total, 4000, endpoint=False)
    expected = np.searchsorted(np.cumsum(dense), places, "right")
    assert [weights.row_at(place) for place in places] == expected.tolist()
