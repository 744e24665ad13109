"""What an evaluation would cost, and how to make it smaller without asking other things.

Suites are narrowed to those wanted, and thinned evenly to fit a number of tokens: of every suite
the same share is kept, chosen by hash, so that a smaller evaluation asks a part of a larger one.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from ddl_train.engines.scoring import MIN_SHARED_TOKENS
from ddl_train.errors import ProbeError
from ddl_train.probes import dreams
from ddl_train.probes.score import Asked, user_message
from ddl_train.probes.suites import SUITES, Suites
from ddl_train.records import ConceptPair, Prompts

T = TypeVar("T")
Count = Callable[[str], int]
_AXES = 3


def narrow(suites: Suites, wanted: Sequence[str]) -> Suites:
    """Only these suites; all when none is named. Token loss belongs to `retention`.

    Raises:
        ProbeError: there is no such suite.
    """
    check_names(wanted)
    if not wanted:
        return suites
    names = set(wanted)
    return replace(
        suites,
        asked=tuple(one for one in suites.asked if one.suite in names),
        texts=suites.texts if "retention" in names else {},
        pairs=suites.pairs if names & set(dreams.SUITES) else (),
        missing=tuple(why for why in suites.missing if why.partition(":")[0] in names),
    )


def check_names(wanted: Sequence[str]) -> None:
    """Refuse a suite that there is not.

    Raises:
        ProbeError: names it and those that there are.
    """
    for name in wanted:
        if name not in SUITES and not name.startswith("lm_eval:"):
            raise ProbeError(
                f"there is no suite {name!r}; expected some of {', '.join(SUITES)}, or lm_eval:TASK"
            )


def count_tokens(
    suites: Suites,
    *,
    prompts: Prompts,
    count: Count,
    count_prompt: Count,
    max_new_tokens: int,
    dream_tokens: int,
) -> int:
    """About how many tokens one adapter reads and writes. Answers are taken as long as allowed.

    A long question is read once for all answers that are ranked, a short one again for each.

    Args:
        suites: what is asked.
        prompts: the run's pack.
        count: tokens of a text.
        count_prompt: tokens of a user message, with what the chat format puts around it.
        max_new_tokens: of generated answers.
        dream_tokens: of a proposal.
    """
    total = 0
    for one in suites.asked:
        prompt = count_prompt(user_message(one.probe, prompts))
        answers = [count(text) for text in one.probe.answers]
        ranked = [*answers, *(count(text) for text in one.probe.choices)]
        is_shared = prompt > max(MIN_SHARED_TOKENS, *ranked)
        total += sum(ranked) + prompt * (1 if is_shared else len(ranked))
        if not one.probe.choices:
            total += prompt + max(max_new_tokens, *answers)
    # under the adapter and under the base
    total += 2 * sum(count(text) for texts in suites.texts.values() for text in texts)
    for pair in suites.pairs:
        prompt = count_prompt(prompts.render("propose", a=pair.a.text, b=pair.b.text))
        total += prompt + dream_tokens + _AXES * (prompt + dream_tokens)
    return total


def thin(suites: Suites, share: float) -> Suites:
    """About this share of every suite, at least one of each."""
    if share >= 1:
        return suites
    asked: list[Asked] = []
    for name in dict.fromkeys(one.suite for one in suites.asked):
        asked += _sample([one for one in suites.asked if one.suite == name], share, _asked_key)
    return replace(
        suites,
        asked=tuple(asked),
        texts={name: tuple(_sample(texts, share, str)) for name, texts in suites.texts.items()},
        pairs=tuple(_sample(suites.pairs, share, _pair_key)),
    )


def _sample(things: Sequence[T], share: float, key: Callable[[T], str]) -> list[T]:
    size = max(1, round(share * len(things))) if things else 0
    ranked = sorted(things, key=lambda one: hashlib.sha256(key(one).encode()).hexdigest())
    chosen = {key(one) for one in ranked[:size]}
    return [one for one in things if key(one) in chosen]


def _asked_key(one: Asked) -> str:
    return one.probe.probe_id


def _pair_key(pair: ConceptPair) -> str:
    return f"{pair.a.text}\n{pair.b.text}"
