"""How well a seedling's critic tells its own right proposals from its own wrong ones.

`proposals` are what it says of pairs as a world has them, where few compose: a good generator makes
few wrong ones. So on pairs that compose to nothing it is also kept from answering NONE (`forced`),
and what it then claims is judged too: wrong ideas in its own words, if it made more of them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ddl_train.bench.pairs import Pair, PairSource
from ddl_train.bench.speaker import Speaker, render
from ddl_train.world.language import IDEA_PATTERN, parse_idea
from ddl_train.world.lessons import NONE, Row
from ddl_train.world.scenes import AXES

Judged = tuple[Pair, str, bool]
"""The concepts, the idea as proposed, whether it is right."""
REDERIVED = "rederived from both orders"
"""What the critic of the quickstart refuses by (`wake.min_rederived`)."""
Figure = tuple[str, float, float, float, int]
"""Name, value, low, high, number of proposals."""


def auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Chance that a right one is above a wrong one; ties count half."""
    if not right or not wrong:
        return math.nan
    wins = sum((r > w) + 0.5 * (r == w) for r in right for w in wrong)
    return wins / (len(right) * len(wrong))


def auc_interval(value: float, num_right: int, num_wrong: int) -> tuple[float, float]:
    """95 % interval of an AUC after Hanley and McNeil (1982)."""
    if math.isnan(value):
        return 0.0, 1.0
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = (
        value * (1 - value) + (num_right - 1) * (q1 - value**2) + (num_wrong - 1) * (q2 - value**2)
    )
    spread = 1.96 * math.sqrt(max(variance, 0.0) / (num_right * num_wrong))
    return max(0.0, value - spread), min(1.0, value + spread)


def proposals(speaker: Speaker, source: PairSource, pairs: Sequence[Pair]) -> list[Judged]:
    """What is claimed of pairs, judged by the oracle of their world.

    Left out is what is contested or stated already, since neither a right nor a wrong insight.
    """
    judged = []
    for pair, text in zip(pairs, speaker.reply([pair.prompt for pair in pairs]), strict=True):
        idea = parse_idea(text)
        truth = source.judge(pair, idea[2] if idea else None)
        if IDEA_PATTERN.match(text) and truth not in ("contested", "already_stated"):
            judged.append((pair, text, truth == "true"))
    return judged


def forced(speaker: Speaker, source: PairSource, count: int) -> list[Judged]:
    """Ideas on pairs that compose, and on as many that do not, half of them sharing a name."""
    linked = source.composing(count)
    loose = source.unlinked(count - count // 2) + source.sharing(count // 2)
    replies = speaker.reply([pair.prompt for pair in linked])
    claims = speaker.reply([pair.prompt for pair in loose], never_first=NONE)
    judged = []
    for pair, text in zip(linked + loose, replies + claims, strict=True):
        if IDEA_PATTERN.match(text):
            judged.append((pair, text, pair.idea is not None and parse_idea(text) == pair.idea))
    return judged


def slot_scores(speaker: Speaker, judged: Sequence[Judged]) -> list[float]:
    """Expected coherence, the mean over both orders of the axes."""
    totals = [0.0] * len(judged)
    for order in (list(AXES), list(reversed(AXES))):
        prompts = [
            render(
                Row(
                    skill="score",
                    template="score",
                    slots={"a": p.a, "b": p.b, "idea": text, "axes": order, "axis": "coherence"},
                    completion="",
                )
            )
            for p, text, _ in judged
        ]
        for place, value in enumerate(speaker.expected_numbers(prompts, range(1, 11))):
            totals[place] += value / 2
    return totals


def supports(speaker: Speaker, judged: Sequence[Judged]) -> list[float]:
    """Geometric mean probability of the conclusion, given the concepts and the reasoning."""
    texts = [text for _, text, _ in judged]
    given = [text[: text.rfind(", so ") + 4] for text in texts]
    likelihoods = speaker.mean_log_likelihoods([p.prompt for p, _, _ in judged], texts, given=given)
    return [math.exp(value) for value in likelihoods]


def rederived(speaker: Speaker, judged: Sequence[Judged]) -> list[float]:
    """Geometric mean probability of the whole idea, from the order that makes it less likely."""
    texts = [text for _, text, _ in judged]
    as_drawn, turned = (
        speaker.mean_log_likelihoods(prompts, texts, given=[""] * len(texts))
        for prompts in (
            [pair.prompt for pair, _, _ in judged],
            [replace(pair, a=pair.b, b=pair.a).prompt for pair, _, _ in judged],
        )
    )
    return [math.exp(value) for value in np.minimum(as_drawn, turned)]


def critic_numbers(speaker: Speaker, judged: Sequence[Judged]) -> dict[str, list[float]]:
    """Each number that the critic of the loop can be asked for, one value an idea."""
    return {
        "coherence slot": slot_scores(speaker, judged),
        "support of the conclusion": supports(speaker, judged),
        REDERIVED: rederived(speaker, judged),
    }


def by_truth(values: Sequence[float], judged: Sequence[Judged]) -> tuple[list[float], list[float]]:
    """The values of right ideas, and those of wrong ones."""
    right = [value for value, (_, _, truth) in zip(values, judged, strict=True) if truth]
    wrong = [value for value, (_, _, truth) in zip(values, judged, strict=True) if not truth]
    return right, wrong


def auc_rows(numbers: Mapping[str, Sequence[float]], judged: Sequence[Judged]) -> Iterator[Figure]:
    """AUC of each number of the critic."""
    for name, values in numbers.items():
        right, wrong = by_truth(values, judged)
        value = auc(right, wrong)
        low, high = auc_interval(value, len(right), len(wrong))
        yield name, value, low, high, len(judged)
