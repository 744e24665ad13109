"""`ddl-train bench loop`: is the loop worth its machinery?

One cycle of a config in a temporary run, and two races between the loop and the plainest thing that
does the same work: one pair at a time through `model.generate` of transformers, then three
generated scores for what it proposed. Both arms have the same model, prompts, caps and NONE stop,
run in this process, turn by turn; the median of the rounds counts. Goals are for 2 CPU cores and
the seedling.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import StoppingCriteriaList

from ddl_train.bench.figures import Figure, race
from ddl_train.config import Config
from ddl_train.cycle import run_cycles
from ddl_train.memory.store import Memory
from ddl_train.records import BASE, Completion, ConceptPair, Progress, Proposal
from ddl_train.roles.generator import read_proposal
from ddl_train.roles.prompts import PromptPack, load_pack
from ddl_train.session import Session, open_session
from ddl_train.storage.run import Run
from ddl_train.wake import wake

MAX_OVERHEAD = 0.10
MIN_DREAM_RATIO = 10.0
MIN_CRITIC_RATIO = 3.0
ENGINE_CALLS = ("generate", "loglikelihood", "integer_distribution", "hidden_states", "text_loss")


def bench_loop(
    config: Config, *, num_pairs: int = 320, num_rounds: int = 5, progress: Progress
) -> list[Figure]:
    """Measure overhead, dreams per second and the critic's speed.

    Dreams race twice: in one batch of all pairs, which is what the machinery can do, and in batches
    of `wake.batch_size`, which is what a run does that wants its ideas in memory sooner.

    Args:
        config: of a run whose sources can be read; nothing of it is kept.
        num_pairs: raced over in each round; the critics race over a quarter of them.
        num_rounds: of each race.
        progress: told of cycle and rounds.
    """
    with tempfile.TemporaryDirectory(prefix="ddl-bench-") as folder:
        config = config.model_copy(update={"checkpoints_dir": folder, "num_cycles": 1})
        pack_dir = load_pack(config.wake.prompts).dir
        with Run.create(config, pack_dir=pack_dir) as run, open_session(run) as session:
            overhead = _overhead(session, progress)
            return [overhead, *_races(session, num_pairs, num_rounds, progress)]


def _races(
    session: Session, num_pairs: int, num_rounds: int, progress: Progress
) -> tuple[Figure, Figure, Figure]:
    """Dreams in one batch and in several against one at a time, and the critic both ways."""
    batch_size = session.config.wake.batch_size
    pairs = _draw(session.memory, session.config, num_pairs)
    ideas = [_as_idea(pair) for pair in pairs[: max(1, num_pairs // 4)]]
    plain = PlainGenerate(session)
    with progress.stage("race", 2 * num_rounds) as bar:
        together, batched, one_by_one = race(
            (
                lambda: _dream_ours(session, pairs, num_pairs),
                lambda: _dream_ours(session, pairs, batch_size),
                lambda: _dream_plainly(plain, pairs),
            ),
            num_rounds,
            bar.advance,
        )
        by_logits, generated = race(
            (
                lambda: session.critic.score(ideas),
                lambda: [_judge_plainly(plain, idea) for idea in ideas],
            ),
            num_rounds,
            bar.advance,
        )
    goal = MIN_DREAM_RATIO
    return (
        _ratio(
            f"dreams, a batch of {num_pairs} over one at a time",
            together,
            one_by_one,
            num_pairs,
            goal,
        ),
        _ratio(
            f"dreams, batches of {batch_size} over one at a time", batched, one_by_one, num_pairs
        ),
        _ratio(
            "critic, logits over generated scores",
            by_logits,
            generated,
            len(ideas),
            MIN_CRITIC_RATIO,
        ),
    )


def _overhead(session: Session, progress: Progress) -> Figure:
    """Share of a cycle's wall time that is neither an engine call nor `trainer.train()`."""
    spent = _time_calls(session.engine)
    start = time.perf_counter()
    run_cycles(session, progress=progress)
    wall = time.perf_counter() - start
    sleep = session.run.cycles()[0].facts.get("sleep", {})
    training = float(sleep.get("train_seconds", 0.0))
    share = 1 - (sum(spent) + training) / wall
    return Figure(
        name="wall time outside model compute",
        value=share,
        goal=f"{MAX_OVERHEAD:.0%} or less",
        is_met=share <= MAX_OVERHEAD,
        detail=f"cycle {wall:.1f} s, engine {sum(spent):.1f} s, train() {training:.1f} s",
    )


def _time_calls(engine: Any) -> list[float]:
    """Note the seconds of every engine call from here on, in the list that comes back."""
    spent: list[float] = []

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def measure(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                spent.append(time.perf_counter() - start)

        return measure

    for name in ENGINE_CALLS:
        setattr(engine, name, timed(getattr(engine, name)))
    return spent


def _draw(memory: Memory, config: Config, num_pairs: int) -> list[ConceptPair]:
    return memory.next_batch(1, 0, num_pairs, config.wake, BASE, config.seed)


def _dream_ours(session: Session, pairs: Sequence[ConceptPair], batch_size: int) -> None:
    config = session.config.wake.model_copy(update={"explain": False, "batch_size": batch_size})
    for start in range(0, len(pairs), config.batch_size):
        wake(
            pairs[start : start + config.batch_size],
            generator=session.generator,
            critic=session.critic,
            embedder=session.embedder,
            space=session.memory,
            special_tokens=session.engine.special_tokens,
            config=config,
            adapter=BASE,
            seed=start,
        )


class PlainGenerate:
    """One prompt at a time through `model.generate`, with the NONE stop as a stopping criterion."""

    def __init__(self, session: Session) -> None:
        self.pack: PromptPack = session.pack
        self.wake = session.config.wake
        self._engine = session.engine
        with session.engine.lend_base() as model:
            self._model: Any = model
        torch.manual_seed(session.config.seed)

    def write(self, prompt: str, *, max_new_tokens: int, temperature: float) -> Completion:
        """Complete one prompt."""
        chat, device = self._engine.chat, self._engine.device
        ids = torch.tensor([chat.prompt_ids(prompt)], device=device)
        size = ids.shape[1]

        def says_none(so_far: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            text = chat.decode(so_far[0, size:].tolist())
            return torch.tensor([text.startswith(self.pack.none)], device=device)

        sampling: dict[str, Any] = {"do_sample": temperature > 0}
        if temperature > 0:
            sampling |= {"temperature": temperature, "top_k": 0}
            sampling |= {"top_p": self.wake.top_p, "min_p": self.wake.min_p_at()}
        with torch.no_grad():
            written = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_new_tokens,
                stopping_criteria=StoppingCriteriaList([says_none]),
                eos_token_id=chat.eos_token_ids,
                pad_token_id=chat.pad_token_id,
                **sampling,
            )[0, size:].tolist()
        return Completion(
            text=chat.decode(written),
            num_prompt_tokens=size,
            num_completion_tokens=len(written),
            is_finished=len(written) < max_new_tokens,
        )


def _dream_plainly(plain: PlainGenerate, pairs: Sequence[ConceptPair]) -> None:
    for pair in pairs:
        completion = plain.write(
            plain.pack.render("propose", a=pair.a.text, b=pair.b.text),
            max_new_tokens=plain.wake.max_new_tokens,
            temperature=plain.wake.temperature_at(),
        )
        proposal = read_proposal(pair, completion, plain.pack, BASE)
        if proposal.conclusion:
            _judge_plainly(plain, proposal)


def _judge_plainly(plain: PlainGenerate, proposal: Proposal) -> list[str]:
    """Three scores, each written out by `generate`: a digit or two, and the end."""
    pair, pack = proposal.pair, plain.pack
    prompts = [
        pack.render(
            "score",
            a=pair.a.text,
            b=pair.b.text,
            idea=proposal.text,
            axes=list(pack.axes),
            axis=axis,
        )
        for axis in pack.axes
    ]
    return [plain.write(one, max_new_tokens=3, temperature=0).text for one in prompts]


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


def _ratio(
    name: str,
    ours: Sequence[float],
    plain: Sequence[float],
    num_items: int,
    goal: float | None = None,
) -> Figure:
    ratio = statistics.median(there / here for here, there in zip(ours, plain, strict=True))
    rates = [num_items / statistics.median(arm) for arm in (ours, plain)]
    return Figure(
        name=name,
        value=ratio,
        detail=f"{rates[0]:.1f}/s against {rates[1]:.1f}/s, {len(ours)} rounds of {num_items}",
        goal="" if goal is None else f"{goal:g}x or more",
        is_met=goal is None or ratio >= goal,
    )
