"""`ddl-train bench loop`: is the loop worth its machinery?

The rows of `bench speed` that are about the loop as a whole, in one session: M8, its overhead over a
cycle, M10, dreams over one at a time, and the critic by logits over generated scores. Both arms have
the same model, prompts, caps and NONE stop and run in this process, turn by turn; the median of the
rounds counts. Goals are for 2 CPU cores and the seedling, or for a GPU.
"""

from collections.abc import Sequence

from ddl_train.bench.figures import Figure, race, ratio
from ddl_train.bench.plain import PlainGenerate, judge_plainly
from ddl_train.bench.speed_loop import adapter_swap, dreams, overhead, some_pairs
from ddl_train.bench.temporary import temporary_session
from ddl_train.config import Config
from ddl_train.records import BASE, ConceptPair, Progress, Proposal
from ddl_train.session import Session

MIN_CRITIC_RATIO = 3.0


def bench_loop(
    config: Config, *, num_pairs: int = 320, num_rounds: int = 5, progress: Progress
) -> list[Figure]:
    """Measure overhead, dreams per second and the critic's speed.

    Args:
        config: of a run whose sources can be read; nothing of it is kept.
        num_pairs: raced over in each round; the critics race over a quarter of them.
        num_rounds: of each race.
        progress: told of cycle and rounds.
    """
    with temporary_session(config) as session:
        figures = [overhead(session, progress), adapter_swap(session, num_rounds)]
        pairs = some_pairs(session, num_pairs)
        figures += dreams(session, pairs, num_rounds, progress)
        ideas = [_as_idea(pair) for pair in pairs[: max(1, num_pairs // 4)]]
        return [*figures, _critics(session, ideas, num_rounds, progress)]


def _critics(
    session: Session, ideas: Sequence[Proposal], num_rounds: int, progress: Progress
) -> Figure:
    plain = PlainGenerate(session)
    with progress.stage("critics", num_rounds) as bar:
        by_logits, generated = race(
            (
                lambda: session.critic.score(ideas),
                lambda: [judge_plainly(plain, idea) for idea in ideas],
            ),
            num_rounds,
            bar.advance,
        )
    name = "critic, logits over generated scores"
    return ratio(name, by_logits, generated, len(ideas), goal=MIN_CRITIC_RATIO)


def _as_idea(pair: ConceptPair) -> Proposal:
    """Something to judge of the length of an idea: what it says does not change the work."""
    return Proposal(
        pair=pair,
        text=f"{pair.a.text} and {pair.b.text}, so {pair.b.text}",
        reasoning=f"{pair.a.text} and {pair.b.text}",
        conclusion=pair.b.text,
        is_none=False,
        adapter=BASE,
        num_prompt_tokens=0,
        num_completion_tokens=0,
    )
