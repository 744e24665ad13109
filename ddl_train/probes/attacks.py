"""The attacks of the canaries: one idea in, worthless texts about the same pair out.

Each says something worthless in the form in which the idea was said; `probes.canaries` says on
which ideas.
"""

import random
from collections.abc import Callable, Sequence

from ddl_train.probes.phrases import Phrases, flip_signs
from ddl_train.probes.text import is_unspaced, units
from ddl_train.records import Insight

Attack = Callable[[Insight, Sequence[Insight], Phrases, random.Random], list[str]]
"""An idea, others of the run, fixed phrases -> whole texts of attacks on its pair."""


def _frame(insight: Insight, conclusion: str, *, reasoning: str | None = None) -> str:
    """The idea with another conclusion (and reasoning), everything around them as it was."""
    reasons = insight.reasoning if reasoning is None else reasoning
    head, found, tail = insight.text.rpartition(insight.conclusion)
    if not found:
        return f"{reasons}\n{conclusion}"
    if insight.reasoning:
        head = head.replace(insight.reasoning, reasons, 1)
    return f"{head}{conclusion}{tail}"


def _gibberish(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    """The letters of every word in another order: the look of the language and no word of it."""
    noise = _scrambled(insight.conclusion, rng)
    return [
        _frame(insight, noise),
        _frame(insight, noise, reasoning=_scrambled(insight.reasoning, rng)),
    ]


def _babble(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    word = rng.choice(units(insight.conclusion) or ["da"])
    own = _glue([word] * 8, insight)
    fixed = phrases.babble
    return [fixed, _frame(insight, fixed), _frame(insight, own), own]


def _empty(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    mark = rng.choice([":", "...", "-", "?", "：", "—"])
    return [mark, _frame(insight, mark), _frame(insight, mark, reasoning=mark)]


def _scaffold(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    label = rng.choice(phrases.scaffolds)
    return [label, _frame(insight, label), _frame(insight, f"{label} {label}", reasoning=label)]


def _fake_verdict(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    verdict = rng.choice(phrases.verdicts)
    wrong = _other_conclusion(insight, others, rng)
    return [verdict, _frame(insight, verdict), _frame(insight, f"{wrong} | {verdict}")]


def _in_idea(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    order = rng.choice(phrases.orders)
    wrong = _other_conclusion(insight, others, rng)
    return [
        _frame(insight, f"{wrong}. {order}"),
        _frame(insight, wrong, reasoning=f"{order} {insight.reasoning}"),
        order,
    ]


def _in_chunk(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    """The order stands in the concept; the idea itself is only wrong."""
    texts = [_frame(insight, _other_conclusion(insight, others, rng))]
    if flipped := flip_signs(insight.conclusion):
        texts.append(_frame(insight, flipped))
    texts.append(_frame(insight, _shuffled(insight.conclusion, rng)))
    return texts


def _copy(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    return [_frame(insight, text.strip(" .。")) for text in insight.parent_texts]


def _shuffle(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    return [
        _frame(insight, _shuffled(insight.conclusion, rng)),
        _frame(
            insight,
            _shuffled(insight.conclusion, rng),
            reasoning=_shuffled(insight.reasoning, rng),
        ),
    ]


def _truism(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    words = units(insight.conclusion)
    subject = _longest(words, insight)
    return [
        _frame(insight, phrases.same.format(x=subject)),
        _frame(insight, phrases.if_then.format(x=insight.conclusion.strip(" .。"))),
    ]


def _negated(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    plain = insight.conclusion.strip(" .。")
    return [_frame(insight, wording.format(x=plain)) for wording in phrases.negations]


def _truncated(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    """The conclusion breaks off: its last word is missing, or half of it."""
    words = _pieces(insight.conclusion)
    sizes = dict.fromkeys([len(words) - 1, len(words) // 2])
    return [_frame(insight, _glue(words[:size], insight)) for size in sizes if size]


def _sign_flip(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    """More for less: in the conclusion, and in a premise too, from which it then follows."""
    conclusion = flip_signs(insight.conclusion)
    if conclusion is None:
        return []
    reasoning = flip_signs(insight.reasoning)
    texts = [_frame(insight, conclusion)]
    if reasoning is not None:
        texts.append(_frame(insight, conclusion, reasoning=reasoning))
    return texts


def _mismatch(
    insight: Insight, others: Sequence[Insight], phrases: Phrases, rng: random.Random
) -> list[str]:
    """A good conclusion of another pair, which does not follow from this one."""
    wrong = _other_conclusion(insight, others, rng)
    return [_frame(insight, wrong)] if wrong != insight.conclusion else []


IN_CHUNK, TRUNCATED = "judge_in_chunk", "truncated"
ATTACKS: dict[str, Attack] = {
    "gibberish": _gibberish,
    "babble": _babble,
    "empty": _empty,
    "scaffold": _scaffold,
    "fake_verdict": _fake_verdict,
    "judge_in_idea": _in_idea,
    IN_CHUNK: _in_chunk,
    "copy": _copy,
    "shuffle": _shuffle,
    "truism": _truism,
    "negated": _negated,
    TRUNCATED: _truncated,
    "sign_flip": _sign_flip,
    "mismatch": _mismatch,
}
"""Every kind of canary, by name."""


def _other_conclusion(insight: Insight, others: Sequence[Insight], rng: random.Random) -> str:
    """Of an insight that shares no concept with this one; else the own one, shuffled."""
    mine = set(insight.parents) | {insight.concept_id}
    strangers = [one for one in others if not mine & {*one.parents, one.concept_id}]
    strangers = [one for one in strangers if one.conclusion != insight.conclusion]
    return rng.choice(strangers).conclusion if strangers else _shuffled(insight.conclusion, rng)


def _pieces(text: str) -> list[str]:
    """Words as they are written, or characters where no spaces stand between words."""
    return list(text.replace(" ", "")) if is_unspaced(units(text)) else text.split()


def _glue(pieces: Sequence[str], insight: Insight) -> str:
    return ("" if is_unspaced(units(insight.conclusion)) else " ").join(pieces)


def _longest(words: Sequence[str], insight: Insight) -> str:
    """What it is about: the longest word, or the first two characters."""
    if is_unspaced(list(words)):
        return "".join(words[:2])
    return max(words, key=len, default=insight.conclusion)


def _scrambled(text: str, rng: random.Random) -> str:
    """Letters within each word in another order; in scripts without spaces, over the whole."""
    if is_unspaced(units(text)):
        return _shuffled(text, rng)
    return " ".join("".join(_reordered(list(word), rng)) for word in text.split())


def _shuffled(text: str, rng: random.Random) -> str:
    pieces = _reordered(_pieces(text), rng)
    return ("" if is_unspaced(units(text)) else " ").join(pieces)


def _reordered(pieces: list[str], rng: random.Random) -> list[str]:
    """Another order, unless all are alike."""
    for _ in range(20):
        shuffled = rng.sample(pieces, len(pieces))
        if shuffled != pieces:
            return shuffled
    return pieces
