"""The student: writes questions and answers from an insight, and checks them against it.

The base writes one item for each insight and template, greedily, and as many more as are asked for,
drawn at random: what is told in one wording is known in that wording (Allen-Zhu and Li 2023,
arXiv:2309.14316). An item whose form cannot be read is dropped, and one that was cut off is never
used. An item is used only when the base, given the insight as context, finds the answer probable:
that throws out answers which the insight does not hold.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ddl_train.records import (
    BASE,
    Completion,
    Continuation,
    Engine,
    Insight,
    Sampling,
    StudyItem,
    Usage,
)
from ddl_train.roles.prompts import PromptPack

GREEDY = Sampling(max_new_tokens=120)
VARIED = Sampling(max_new_tokens=120, temperature=0.7)


def write_items(
    engine: Engine,
    pack: PromptPack,
    insights: Sequence[Insight],
    kinds: Sequence[str],
    family: Literal["study", "probe"],
    *,
    num_items: int = 1,
    min_answer_support: float | None = 0.2,
    seed: int = 0,
) -> tuple[list[StudyItem], Usage]:
    """Items in order of insight, then kind; what was dropped is missing.

    Args:
        engine: runs the base.
        pack: has a template `{family}_{kind}` for each kind.
        insights: to write about.
        kinds: templates to use, without the family.
        family: `study` items may be trained on; `probe` items are held out.
        num_items: asked for each insight and kind; the same question is kept once, as it was
            answered first: greedily, so most surely. Where the check then refuses that answer, the
            question is not studied at all.
        min_answer_support: geometric mean probability that the base must give the answer when it
            is shown the insight; None does not check.
        seed: of all but the first of each.

    Raises:
        ConfigError: the pack has no template for a kind.
    """
    asked = [(insight, kind) for insight in insights for kind in kinds]
    prompts = [pack.render(f"{family}_{kind}", idea=insight.text) for insight, kind in asked]
    answers, usage = _write(engine, prompts, num_items, seed)
    items: list[StudyItem] = []
    seen: set[tuple[int, str, str]] = set()
    for place, answer in enumerate(answers):
        insight, kind = asked[place // num_items]
        if (parts := pack.parse_qa(answer.text)) is None:
            continue
        question, reply = parts
        # a kind that was asked twice may answer one question in two ways: the first is the surest
        same = {(insight.insight_id, question, reply), (insight.insight_id, kind, question)}
        if same & seen:
            continue
        seen |= same
        items.append(
            StudyItem(
                insight_id=insight.insight_id,
                kind=kind,
                question=question,
                answer=reply,
                family=family,
                is_checked=answer.is_finished or min_answer_support is None,
            )
        )
    if min_answer_support is None:
        return items, usage
    texts = {insight.insight_id: insight.text for insight in insights}
    checked, more = _check(engine, pack, items, texts, min_answer_support)
    return checked, usage + more


def _write(
    engine: Engine, prompts: Sequence[str], num_items: int, seed: int
) -> tuple[list[Completion], Usage]:
    """So many answers to each prompt, side by side, the greedy one first."""
    greedy, usage = engine.generate(prompts, sampling=GREEDY, adapter=BASE, seed=seed)
    if num_items == 1:
        return greedy, usage
    rounds = (num_items - 1) * list(prompts)
    varied, cost = engine.generate(rounds, sampling=VARIED, adapter=BASE, seed=seed)
    of_prompt = [[one, *varied[place :: len(prompts)]] for place, one in enumerate(greedy)]
    return [answer for some in of_prompt for answer in some], usage + cost


def _check(
    engine: Engine,
    pack: PromptPack,
    items: Sequence[StudyItem],
    texts: Mapping[int, str],
    least: float,
) -> tuple[list[StudyItem], Usage]:
    """Mark the items whose answer the base, given the insight, finds too improbable."""
    questions = [
        Continuation(
            prompt=pack.render("answer", question=item.question, context=[texts[item.insight_id]]),
            continuation=item.answer,
        )
        for item in items
    ]
    found, usage = engine.loglikelihood(questions, adapter=BASE)
    return [
        replace(
            item,
            is_checked=item.is_checked
            and likelihood.num_tokens > 0
            and math.exp(likelihood.mean) >= least,
        )
        for item, likelihood in zip(items, found, strict=True)
    ], usage
