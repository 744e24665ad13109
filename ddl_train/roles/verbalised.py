"""Verbalised sampling: several ideas in one answer, each with its probability, and one is taken.

A model that is asked for one answer gives the typical one. Asked for several with their
probabilities it names less typical ones too (Zhang et al., 2025, "Verbalized Sampling: How to
Mitigate Mode Collapse and Unlock LLM Diversity"). The idea that is kept is drawn with more weight
on what the model itself calls unlikely.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ddl_train.roles.prompts import PromptPack


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One of several answers to one question."""

    text: str
    """Without its heading and what stands around the idea; whole where it is no idea."""
    reasoning: str
    """Empty, as is the conclusion, where the text does not parse."""
    conclusion: str
    is_none: bool
    probability: float | None
    """As stated, 0 to 1; None where it is missing or no probability."""
    is_whole: bool = True
    """False for the one that was cut off."""


def read_answers(
    text: str, pack: PromptPack, *, num_ideas: int, is_finished: bool = True
) -> list[Answer]:
    """The first `num_ideas` answers of a text; any text gives at least one.

    Args:
        text: as the model wrote it.
        pack: says how answers begin and how an idea is parted.
        num_ideas: that were asked for.
        is_finished: False when the text was cut off, and its last answer with it.
    """
    split = pack.split_answers(text)
    answers = []
    for number, (stated, body) in enumerate(split[:num_ideas]):
        is_none = pack.is_none(body)
        parts = None if is_none else pack.parse_idea(body)
        reasoning, conclusion = parts or ("", "")
        answers.append(
            Answer(
                text=pack.find_idea(body) if parts else body,
                reasoning=reasoning,
                conclusion=conclusion,
                is_none=is_none,
                probability=read_probability(stated),
                is_whole=is_finished or number + 1 < len(split),
            )
        )
    return answers


def read_probability(stated: str | None) -> float | None:
    """A stated probability such as `0.07` or `7 %`; None where it is none."""
    if stated is None:
        return None
    digits = stated.strip(" *_\t\n%")
    try:
        value = float(digits) / (100 if "%" in stated else 1)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def take_one(answers: Sequence[Answer], *, tail: float, rng: random.Random) -> Answer:
    """One of the ideas, by a draw weighted to the tail; an answer without one where there is none.

    Whole ideas come before one that was cut off, an idea before NONE, NONE before what is neither.
    An idea with a stated probability p weighs min(1, tail / p); one without counts as likely as
    any of so many answers.
    """
    ideas = [one for one in answers if one.conclusion]
    ideas = [one for one in ideas if one.is_whole] or ideas
    if not ideas:
        return next((one for one in answers if one.is_none), answers[0])
    even = 1 / len(answers)
    stated = [even if one.probability is None else one.probability for one in ideas]
    weights = [1.0 if value <= tail else tail / value for value in stated]
    return rng.choices(ideas, weights)[0]
