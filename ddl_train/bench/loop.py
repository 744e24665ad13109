"""`ddl-train bench loop`: is the loop worth its machinery?

The rows of `bench speed` that are about the loop as a whole: M8, what it costs beside the model's
work; M10, dreams over one at a time; M7, the critic by logits over generated scores. Here the number
of pairs can be chosen.
"""

from ddl_train.bench.figures import Figure
from ddl_train.bench.speed_critic import critic_speed
from ddl_train.bench.speed_loop import adapter_swap, dreams, overhead, some_pairs
from ddl_train.bench.temporary import temporary_session
from ddl_train.config import Config
from ddl_train.records import Progress


def bench_loop(
    config: Config, *, num_pairs: int = 320, num_rounds: int = 5, progress: Progress
) -> list[Figure]:
    """Measure overhead, adapter swaps, dreams per second and the critic's speed.

    Args:
        config: of a run whose sources can be read; nothing of it is kept.
        num_pairs: raced over in each round; the critics judge a quarter as many.
        num_rounds: of each race.
        progress: told of cycle and rounds.
    """
    with temporary_session(config) as session:
        figures = [overhead(session, progress), adapter_swap(session, num_rounds)]
        figures += dreams(session, some_pairs(session, num_pairs), num_rounds, progress)
    ideas = max(2, num_pairs // 4)
    return figures + critic_speed(config, num_ideas=ideas, num_rounds=num_rounds, progress=progress)
