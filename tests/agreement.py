"""A critic on a server beside the local one: `python -m tests.agreement URL MODEL [logprobs|text]`.

Ideas that the seedling dreams in a small world, each once on its own pair and once on another's, are
judged by both. Greedy dreams of 100 pairs are compared too. Prints counts; for `configs/LOG.md`.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ddl_train.config import CriticServerConfig, WakeConfig, load_config
from ddl_train.engines.server_engine import ServerEngine
from ddl_train.ingest import ingest
from ddl_train.records import AXES, BASE, Proposal, Scores
from ddl_train.roles.admission import admit
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.generator import ModelGenerator
from ddl_train.session import Session, open_run
from tests.worlds import small_world_config

NUM_PAIRS = 500
MAX_IDEAS = 60


def main(url: str, model: str, scores: Literal["auto", "logprobs", "text"] = "auto") -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(small_world_config(Path(folder)))
        with open_run(config) as session:
            session.run.start_cycle(0)
            ingest(session, config.memory.sources, cycle=0)
            server = ServerEngine(
                CriticServerConfig(url=url, model=model, scores=scores),
                where="wake.critic",
                special_tokens=session.engine.special_tokens,
                count=lambda text: len(session.engine.chat.text_ids(text)),
            )
            say(f"scores by {server.reads_scores_by}; goes on: {server.meet().can_continue}")
            compare_verdicts(session, server)
            compare_dreams(session, server)


def compare_verdicts(session: Session, server: ServerEngine) -> None:
    wake = session.config.wake
    ideas = dream(session)
    local, _ = LogitCritic(session.engine, session.pack, wake).score(ideas)
    start = time.perf_counter()
    found, usage = LogitCritic(session.engine, session.pack, wake, judge=server).score(ideas)
    seconds = time.perf_counter() - start
    ours, theirs = decide(local, wake), decide(found, wake)
    gaps = [
        abs(getattr(a, axis) - getattr(b, axis))
        for a, b in zip(local, found, strict=True)
        for axis in AXES
        if a is not None and b is not None
    ]
    say(
        f"{len(ideas)} ideas: {sum(a == b for a, b in zip(ours, theirs, strict=True))} decided "
        f"alike; admitted here {sum(ours)}, there {sum(theirs)}; unread "
        f"{sum(one is None for one in found)}; points apart: mean {np.mean(gaps):.4f}, most "
        f"{np.max(gaps):.3f}; {seconds:.1f} s, {usage.num_tokens} tokens"
    )


def compare_dreams(session: Session, server: ServerEngine) -> None:
    greedy = session.config.wake.model_copy(update={"temperature": 0.0})
    pairs = session.memory.next_batch(0, 1, 100, greedy, BASE, session.seed("draw"))
    ours, theirs = (
        ModelGenerator(engine, session.pack, greedy).propose(pairs, adapter=BASE, seed=0)[0]
        for engine in (session.engine, server)
    )
    same = sum(a.text == b.text for a, b in zip(ours, theirs, strict=True))
    say(f"{len(pairs)} greedy dreams: {same} alike")


def dream(session: Session) -> list[Proposal]:
    """Different ideas, then the same on pairs that they did not come from."""
    wake = session.config.wake
    pairs = session.memory.next_batch(0, 0, NUM_PAIRS, wake, BASE, session.seed("draw"))
    ideas: dict[str, Proposal] = {}
    for seed in range(6):
        hotter = wake.model_copy(update={"temperature": 0.7 + 0.15 * seed})
        generator = ModelGenerator(session.engine, session.pack, hotter)
        proposals, _ = generator.propose(pairs, adapter=BASE, seed=seed)
        ideas |= {one.text: one for one in proposals if one.conclusion}
    own = list(ideas.values())[:MAX_IDEAS]
    turned = own[len(own) // 3 :] + own[: len(own) // 3]
    return [*own, *(replace(a, pair=b.pair) for a, b in zip(own, turned, strict=True))]


def decide(scores: Sequence[Scores | None], wake: WakeConfig) -> list[bool]:
    return [one is not None and admit(one, wake) is None for one in scores]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
