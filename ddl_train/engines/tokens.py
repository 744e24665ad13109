"""An engine run on token ids, without its chat format: for whoever brings prompts of their own."""

import time
from collections.abc import Sequence

from ddl_train.engines.scoring import LIKELIEST, Query
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.records import Sampling, Usage


def score_tokens(
    engine: TransformersEngine,
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    adapter: str,
) -> tuple[list[tuple[float, bool]], Usage]:
    """Log-likelihood of the second ids after the first, in nats, and whether each is likeliest.

    Args:
        engine: has the adapter loaded.
        pairs: ids that are read, and ids that are scored; neither may be empty.
        adapter: version, or `base`.
    """
    start = time.perf_counter()
    queries = [
        Query([*given, *scored[:-1]], [[token, LIKELIEST] for token in scored])
        for given, scored in pairs
    ]
    answers, num_tokens = engine.ask(queries, adapter)
    found = [
        (float(sum(row[0] for row in rows)), all(row[0] >= row[1] for row in rows))
        for rows in answers
    ]
    return found, _usage(engine, start, num_tokens, 0)


def write_tokens(
    engine: TransformersEngine,
    prompts: Sequence[list[int]],
    *,
    sampling: Sampling,
    stop: Sequence[str],
    adapter: str,
    seed: int,
) -> tuple[list[list[int]], Usage]:
    """Ids written after each prompt, in order, to EOS or until one of `stop` stands in the text.

    Args:
        engine: has the adapter loaded.
        prompts: ids that are read.
        sampling: how, and how many tokens at most.
        stop: texts that end an answer; they are left in it.
        adapter: version, or `base`.
        seed: of what is sampled.
    """
    start = time.perf_counter()
    written, num_read = engine.writing.write(
        prompts,
        sampling=sampling,
        eos=engine.chat.eos_token_ids,
        stop=stop,
        adapter=adapter,
        seed=seed,
    )
    ids = [answer.ids for answer in written]
    return ids, _usage(engine, start, num_read, sum(map(len, ids)))


def _usage(engine: TransformersEngine, start: float, num_read: int, num_written: int) -> Usage:
    seconds = time.perf_counter() - start
    return Usage.forward(
        num_read, num_written, seconds=seconds, num_parameters=engine.num_used_parameters
    )
