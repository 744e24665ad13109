"""The student: writes questions and answers from an insight, and checks them against it.

The base writes, greedily, one item for each insight and template. An item whose form cannot be read
is dropped, and one that was cut off is never used. An item is used only when the base, given the insight as context, finds the answer
probable: that throws out answers which the insight does not hold.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ddl_train.records import (
    BASE,
    Continuation,
    Engine,
    Insight,
    Sampling,
    StudyItem,
    Usage,
)
from ddl_train.roles.prompts import PromptPack

GREEDY = Sampling(max_new_tokens=120)


def write_items(
    engine: Engine,
    pack: PromptPack,
    insights: Sequence[Insight],
    kinds: Sequence[str],
    family: Literal["study", "probe"],
    *,
    min_answer_support: float | None = 0.2,
    sampling: Sampling = GREEDY,
    seed: int = 0,
) -> tuple[list[StudyItem], Usage]:
    """Items in order of insight, then kind. What was dropped is what is missing from the product.

    Args:
        engine: runs the base.
        pack: has a template `{family}_{kind}` for each kind.
        insights: to write about.
        kinds: templates to use, without the family.
        family: `study` items may be trained on; `probe` items are held out.
        min_answer_support: geometric mean probability that the base must give the answer when it
            is shown the insight; None does not check.
        sampling: how items are written.
        seed: of the sampling.

    Raises:
        ConfigError: the pack has no template for a kind.
    """
    asked = [(insight, kind) for insight in insights for kind in kinds]
    prompts = [pack.render(f"{family}_{kind}", idea=insight.text) for insight, kind in asked]
    answers, usage = engine.generate(prompts, sampling=sampling, adapter=BASE, seed=seed)
    items: list[StudyItem] = []
    texts: list[str] = []
    seen: set[tuple[int, str, str]] = set()
    for (insight, kind), answer in zip(asked, answers, strict=True):
        parts = pack.parse_qa(answer.text)
        if parts is None or (insight.insight_id, *parts) in seen:
            continue
        seen.add((insight.insight_id, *parts))
        question, reply = parts
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
        texts.append(insight.text)
    if min_answer_support is None:
        return items, usage
    checked, more = _check(engine, pack, items, texts, min_answer_support)
    return checked, usage + more


def _check(
    engine: Engine,
    pack: PromptPack,
    items: Sequence[StudyItem],
    texts: Sequence[str],
    least: float,
) -> tuple[list[StudyItem], Usage]:
    """Mark the items whose answer the base, given the insight, finds too improbable."""
    questions = [
        Continuation(
            prompt=pack.render("answer", question=item.question, context=[text]),
            continuation=item.answer,
        )
        for item, text in zip(items, texts, strict=True)
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
