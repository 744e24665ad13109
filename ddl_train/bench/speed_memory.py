"""Memory at speed: M6, the index against exact search; M11, what drawing a pair costs by size.

M6: an approximate index over clustered vectors, as wide a search as recall@10 0.95 asks for, against
exact search over the same vectors; and exact search against the bare matrix product of numpy.

M11: memories of several sizes take turns at the same batches, from the draw to the written verdicts:
next batch, nearest concept of every conclusion, verdicts with one idea in twenty admitted. The
embedder's time is not counted. A dream is what `wake` takes for a pair on the config's model.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from ddl_train.bench.figures import Figure, middle, race, ratio
from ddl_train.bench.million import ClusteredEmbedder, fill
from ddl_train.bench.speed_loop import dream, some_pairs
from ddl_train.bench.temporary import temporary_run, temporary_session
from ddl_train.config import Config, SamplerConfig, WakeConfig
from ddl_train.memory.index import VectorIndex
from ddl_train.memory.kinds import TRAINED_PER_LIST, num_lists
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, ConceptPair, FloatArray, Progress, Proposal, Scores, Verdict

MIN_INDEX_RATIO = 5.0
MIN_EXACT_RATIO = 0.5
GOAL_SIZE = 1_000_000
"""Vectors from which on M6 has a goal: below, exact search serves."""
MAX_GROWTH = 1.5
MAX_SHARE = 0.05
K = 10
NUM_QUERIES = 256
ONE_IDEA_IN = 20
BATCH_SIZE = 64
_BLOCK = 65_536


def index_speed(
    num_vectors: int, width: int, *, num_rounds: int, progress: Progress
) -> list[Figure]:
    """M6.

    Args:
        num_vectors: in the index.
        width: of them.
        num_rounds: of the race.
        progress: told of the rounds.
    """
    embedder = ClusteredEmbedder(width)
    exact, lists = VectorIndex(width), VectorIndex(width, f"IVF{num_lists(num_vectors)},Flat")
    sample = embedder.points(1, num_lists(num_vectors) * TRAINED_PER_LIST)
    lists.train(sample, num_vectors)
    for points in embedder.slices(num_vectors):
        ids = np.arange(len(exact), len(exact) + len(points), dtype=np.int64)
        exact.add(ids, points)
        lists.add(ids, points)
    tuning, queries = embedder.points(2, NUM_QUERIES), embedder.points(3, NUM_QUERIES)
    widest = num_lists(num_vectors)
    lists.tune(tuning, exact.search(tuning, K)[0], factor=1, widest=widest)
    wanted, found = exact.search(queries, K)[0], lists.search(queries, K)[0]
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(wanted, found, strict=True)])
    matrix = exact.vectors(exact.ids)
    with progress.stage("M6", num_rounds) as bar:
        by_lists, by_all, by_numpy = race(
            (
                lambda: lists.search(queries, K),
                lambda: exact.search(queries, K),
                lambda: _multiply(queries, matrix),
            ),
            num_rounds,
            bar.advance,
        )
    has_goal = num_vectors >= GOAL_SIZE
    what = f"{num_vectors:,} x {width}, {num_rounds} rounds of {NUM_QUERIES} queries"
    return [
        ratio(
            "M6 index over exact search, queries/s",
            by_lists,
            by_all,
            NUM_QUERIES,
            goal=MIN_INDEX_RATIO if has_goal else None,
            detail=f"{lists.factory}, nprobe {lists.effort}, recall@10 {recall:.3f}, {what}",
        ),
        ratio(
            "M6 exact over numpy product",
            by_all,
            by_numpy,
            NUM_QUERIES,
            goal=MIN_EXACT_RATIO,
            detail=what,
        ),
    ]


def sampler_cost(
    config: Config,
    sizes: Sequence[int],
    width: int,
    *,
    dream: float,
    num_rounds: int,
    progress: Progress,
) -> list[Figure]:
    """M11.

    Args:
        config: whose mixture of samplers is drawn from, beside the uniform one.
        sizes: concepts of the memories, ascending.
        width: of their vectors.
        dream: seconds that one takes.
        num_rounds: batches of each.
        progress: told of the rounds.
    """
    embedder = ClusteredEmbedder(width)
    mixtures = {"uniform": SamplerConfig(), "the config's samplers": config.wake.sampler}
    figures = []
    with ExitStack() as stack:
        opened = [stack.enter_context(_memory_of(config, size, embedder)) for size in sizes]
        for name, sampler in mixtures.items():
            drawn = WakeConfig(sampler=sampler, revisit_share=0.0)
            turns = [_Turns(memory, embedder) for memory in opened]
            with progress.stage(f"M11 {name}", num_rounds) as bar:
                race([partial(one.batch, drawn) for one in turns], num_rounds, bar.advance)
            figures += _flat(name, sizes, [one.seconds[1:] for one in turns], dream)
            drawing, *_ = _flat(name, sizes, [one.drawing[1:] for one in turns], dream)
            figures.append(replace(drawing, name=f"M11 of that the draw, {name}", goal=""))
    return figures


def seconds_per_dream(config: Config) -> float:
    """Wall time of `wake` for a pair, in a batch of the config on its own sources and model."""
    size = config.wake.batch_size
    with temporary_session(config) as session:
        pairs = some_pairs(session, size + 4)
        dream(session, pairs[:4], 4)
        start = time.perf_counter()
        dream(session, pairs[4:], size)
        return (time.perf_counter() - start) / max(len(pairs) - 4, 1)


@contextmanager
def _memory_of(config: Config, size: int, embedder: ClusteredEmbedder) -> Iterator[Memory]:
    """A memory of so many concepts in a temporary run."""
    with temporary_run(config) as run:
        fill(run, size, embedder)
        yield Memory(run, embedder)


class _Turns:
    """One memory, batch after batch."""

    def __init__(self, memory: Memory, embedder: ClusteredEmbedder) -> None:
        self._memory = memory
        self._embedder = embedder
        self.seconds: list[float] = []
        """Of memory for a pair, in each batch."""
        self.drawing: list[float] = []
        """Of that, for the draw alone."""

    def batch(self, config: WakeConfig) -> None:
        """Draw, look for near-duplicates and keep the verdicts, on the clock but for embedding."""
        memory, index = self._memory, self._memory.num_batches(0)
        start = time.perf_counter()
        pairs = memory.next_batch(0, index, BATCH_SIZE, config, BASE, 0)
        spent = time.perf_counter() - start
        self.drawing.append(spent / max(len(pairs), 1))
        verdicts = [_verdict(pair, is_idea=n % ONE_IDEA_IN == 0) for n, pair in enumerate(pairs)]
        vectors, _ = self._embedder.embed([one.proposal.conclusion for one in verdicts])
        start = time.perf_counter()
        memory.nearest(vectors, 1)
        memory.log_verdicts(0, index, verdicts)
        self.seconds.append((spent + time.perf_counter() - start) / max(len(pairs), 1))


def _verdict(pair: ConceptPair, *, is_idea: bool) -> Verdict:
    text = f"idea {pair.pair_number}"
    return Verdict(
        proposal=Proposal(
            pair=pair,
            text=text,
            reasoning="",
            conclusion=text,
            is_none=False,
            adapter=BASE,
            num_prompt_tokens=0,
            num_completion_tokens=0,
        ),
        scores=Scores(novelty=7.0, coherence=7.0, utility=7.0),
        rejected_because=None if is_idea else "dull: it says nothing",
        rationale=None,
    )


def _flat(
    name: str, sizes: Sequence[int], seconds: Sequence[Sequence[float]], dream: float
) -> list[Figure]:
    """Growth of the time for a pair over all sizes, and its share of a dream at the largest."""
    medians = [statistics.median(spent) for spent in seconds]
    growth, share = max(medians) / medians[0], max(medians) / dream
    detail = ", ".join(
        f"{size:,}: {middle([1e6 * one for one in spent], ' us')}"
        for size, spent in zip(sizes, seconds, strict=True)
    )
    return [
        Figure(
            name=f"M11 memory time per pair, most over {sizes[0]:,} concepts, {name}",
            value=growth,
            goal=f"{MAX_GROWTH:g}x or less",
            is_met=growth <= MAX_GROWTH,
            detail=detail,
        ),
        Figure(
            name=f"M11 memory time as a share of a dream, {name}",
            value=share,
            goal=f"{MAX_SHARE:.0%} or less",
            is_met=share <= MAX_SHARE,
            detail=f"a dream takes {1e3 * dream:.1f} ms",
        ),
    ]


def _multiply(queries: FloatArray, matrix: FloatArray) -> None:
    for start in range(0, len(matrix), _BLOCK):
        queries @ matrix[start : start + _BLOCK].T
