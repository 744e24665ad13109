"""M7: the critic that reads its scores from logits, against the same scores written out as text.

Both arms put the same questions to the same engine, in batches. Reading a verdict takes one pass
over its questions; writing it takes that and G passes more, of one token a row. So the written one
can be beaten by 1 + G x t_dec / t_pre at most, with bare passes measured here: t_pre a question, read
alone, and t_dec a token of a full batch. The questions of one idea begin alike and are read as
one, which the bound does not count on, so a whole verdict may pass it.

How well either tells right from wrong is measured with the seedling's own proposals in invented
worlds, on pairs that compose and on pairs that do not, and with the sign of right conclusions
turned.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ddl_train.bench.critique import auc, auc_interval, forced
from ddl_train.bench.figures import Figure, middle, race
from ddl_train.bench.pairs import PairSource
from ddl_train.bench.speaker import Speaker
from ddl_train.bench.temporary import temporary_session
from ddl_train.config import Config
from ddl_train.engines.batches import by_length, pad_left
from ddl_train.engines.passes import forward
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.ingest import ingest
from ddl_train.probes.phrases import flip_signs
from ddl_train.records import BASE, Concept, ConceptPair, Progress, Proposal, Sampling
from ddl_train.roles.critic import HIGH, LOW
from ddl_train.roles.prompts import PromptPack
from ddl_train.session import Session

SHARE_OF_LIMIT = 0.7
MAX_LOSS = 0.01
"""Of AUROC."""
TRUTH = "coherence"
"""The axis that says whether an idea is right."""
WORLD_PACK = "terse"
"""The prompts of the invented worlds; with others only the speed is measured."""
_WRITTEN = Sampling(max_new_tokens=4)


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal, and whether it is right where that is known."""

    proposal: Proposal
    is_right: bool | None


def critic_speed(
    config: Config, *, num_ideas: int, num_rounds: int, progress: Progress
) -> list[Figure]:
    """Race the arms over whole verdicts and over one question, and compare what they know.

    Args:
        config: whose model and prompts are used; nothing of it is kept.
        num_ideas: about so many are judged.
        num_rounds: of each race.
        progress: told of the rounds.
    """
    with temporary_session(config) as session:
        judged = list(_judged(session, num_ideas))
        ideas = [one.proposal for one in judged]
        axes = session.pack.axes
        figures = []
        for name, asked in (("a whole verdict", axes), ("one question", axes[:1])):
            arms = _Arms(session.engine, _questions(session.pack, ideas, asked))
            with progress.stage(f"M7 {name}", num_rounds) as bar:
                seconds = race((arms.read, arms.write, arms.pass_bare), num_rounds, bar.advance)
            figures.append(_ratio(name, arms, seconds, len(ideas)))
        if config.wake.prompts == WORLD_PACK:
            figures.append(_knowledge(session, judged))
        return figures


class _Arms:
    """The same questions, answered in two ways, and bare passes over them."""

    def __init__(self, engine: TransformersEngine, prompts: Sequence[str]) -> None:
        self._engine = engine
        self._prompts = prompts
        self._ids = [engine.prompt_ids(prompt) for prompt in prompts]
        self.steps: list[float] = []
        """Mean passes after the first that a written answer took, by round."""
        self.reading: list[float] = []
        """Seconds of bare reading, a question."""
        self.writing: list[float] = []
        """Seconds of a bare pass of one token a row, by row."""

    def read(self) -> NDArray[np.float64]:
        """Expected answers from logits."""
        table, _ = self._engine.integer_distribution(
            self._prompts, low=LOW, high=HIGH, adapter=BASE
        )
        return table.astype(np.float64) @ np.arange(LOW, HIGH + 1)

    def write(self) -> list[str]:
        """Answers as text."""
        written, _ = self._engine.generate(self._prompts, sampling=_WRITTEN, adapter=BASE, seed=0)
        self.steps.append(statistics.mean(one.num_completion_tokens - 1 for one in written))
        return [one.text for one in written]

    def pass_bare(self) -> None:
        """Read all questions in padded batches, then one token after each."""
        spent, num_rows = np.zeros(2), len(self._ids)
        with self._engine.lend_base() as model, torch.no_grad():
            sizes = [len(ids) for ids in self._ids]
            for batch in by_length(sizes, self._engine.config.batch_size):
                pad = self._engine.chat.pad_token_id
                padded = pad_left([self._ids[n] for n in batch], pad, self._engine.device)
                start = self._now()
                output = forward(model, padded, 1, use_cache=True)
                between = self._now()
                more = replace(
                    padded,
                    input_ids=padded.input_ids[:, -1:],
                    attention_mask=torch.ones_like(padded.input_ids[:, -1:]),
                )
                cache, past = output.past_key_values, padded.attention_mask
                forward(model, more, 1, cache=cache, past=past)
                spent += (between - start, self._now() - between)
        self.reading.append(float(spent[0]) / num_rows)
        self.writing.append(float(spent[1]) / num_rows)

    def _now(self) -> float:
        if self._engine.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def _ratio(name: str, arms: _Arms, seconds: Sequence[Sequence[float]], num_ideas: int) -> Figure:
    read, written, _ = seconds
    ratios = [there / here for here, there in zip(read, written, strict=True)]
    steps, t_pre, t_dec = map(statistics.median, (arms.steps, arms.reading[1:], arms.writing[1:]))
    limit = 1 + steps * t_dec / t_pre
    value, goal = statistics.median(ratios), SHARE_OF_LIMIT * limit
    return Figure(
        name=f"M7 critic, logits over generated scores, {name}",
        value=value,
        goal=f"{goal:.3g}x or more",
        is_met=value >= goal,
        detail=f"{middle(ratios)}; {num_ideas / statistics.median(read):.0f} ideas/s against "
        f"{num_ideas / statistics.median(written):.0f}; limit {limit:.3g} = 1 + {steps:.2f} x "
        f"{1e3 * t_dec:.3g} ms / {1e3 * t_pre:.3g} ms",
    )


def _knowledge(session: Session, judged: Sequence[Judged]) -> Figure:
    """AUROC of the axis that says whether an idea is right, by logits and as it is written."""
    ideas = [one.proposal for one in judged]
    arms = _Arms(session.engine, _questions(session.pack, ideas, [TRUTH]))
    expected = arms.read().tolist()
    numbers = [float(text) if text.isdecimal() else 0.0 for text in arms.write()]
    by_logits, by_text = _auc(expected, judged), _auc(numbers, judged)
    num_right = sum(one.is_right is True for one in judged)
    low, high = auc_interval(by_logits, num_right, len(judged) - num_right)
    return Figure(
        name=f"M7 AUROC of {TRUTH}, logits less generated",
        value=by_logits - by_text,
        goal=f"-{MAX_LOSS:g} or more",
        is_met=by_logits - by_text >= -MAX_LOSS,
        detail=f"{by_logits:.4f} ({low:.4f} to {high:.4f}) against {by_text:.4f}; "
        f"{num_right} right and {len(judged) - num_right} wrong",
    )


def _auc(scores: Sequence[float], judged: Sequence[Judged]) -> float:
    pairs = list(zip(scores, judged, strict=True))
    right = [score for score, one in pairs if one.is_right]
    return auc(right, [score for score, one in pairs if not one.is_right])


def _questions(pack: PromptPack, ideas: Sequence[Proposal], axes: Sequence[str]) -> list[str]:
    return [
        pack.render(
            "score",
            a=idea.pair.a.text,
            b=idea.pair.b.text,
            idea=idea.text,
            axes=list(pack.axes),
            axis=axis,
        )
        for idea in ideas
        for axis in axes
    ]


def _judged(session: Session, count: int) -> Iterator[Judged]:
    """In an invented world the model's own proposals with their truth; elsewhere texts alike."""
    if session.config.wake.prompts != WORLD_PACK:
        ingest(session, session.config.memory.sources, cycle=0)
        for drawn in session.memory.next_batch(0, 0, count, session.config.wake, BASE, 0):
            a, b = drawn.a.text, drawn.b.text
            yield Judged(_proposal(a, b, f"{a} and {b}, so {b}"), None)
        return
    num_pairs = max(2, 2 * count // 5)  # each on a pair that composes and on one that does not
    with session.engine.lend_base() as model:
        speaker = Speaker(model, session.engine.tokenizer)
        own = forced(speaker, PairSource(session.config.seed), num_pairs)
    turned = [(pair, _turn(text)) for pair, text, is_right in own if is_right][: num_pairs // 2]
    for pair, text, is_right in own:
        yield Judged(_proposal(pair.a, pair.b, text), is_right)
    for pair, wrong in turned:
        if wrong is not None:
            yield Judged(_proposal(pair.a, pair.b, wrong), False)


def _turn(text: str) -> str | None:
    """The idea with the sign of its conclusion turned."""
    reasoning, so, conclusion = text.rpartition(", so ")
    turned = flip_signs(conclusion)
    return None if turned is None else f"{reasoning}{so}{turned}"


def _proposal(a: str, b: str, text: str) -> Proposal:
    concepts = [
        Concept(concept_id=number, text=said, kind="document", source="", position=0, sha256="")
        for number, said in enumerate((b, a), start=1)
    ]
    pair = ConceptPair(
        pair_number=0, a=concepts[1], b=concepts[0], sampler="bench", probability=1.0
    )
    reasoning, _, conclusion = text.rpartition(", so ")
    return Proposal(
        pair=pair,
        text=text,
        reasoning=reasoning,
        conclusion=conclusion,
        is_none=False,
        adapter=BASE,
        num_prompt_tokens=0,
        num_completion_tokens=0,
    )
