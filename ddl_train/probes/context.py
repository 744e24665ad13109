"""`context`: what is in the weights, and what only stands in a prompt.

Some uptake questions are asked twice more: with the insight itself before them (`told`), and with
what memory holds nearest to the question (`retrieved`). Beside the same questions asked closed-book
this tells what the weights know, what only retrieval knows, and where each is better.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ddl_train.probes.score import Asked
from ddl_train.records import EvalReport, Insight, ItemResult

SUITE = "context"
TOLD, RETRIEVED = "told", "retrieved"


def choose_questions(asked: Sequence[Asked], *, most: int, seed: int) -> list[Asked]:
    """A fixed sample of the uptake questions."""
    uptake = [one for one in asked if one.suite == "uptake"]
    ranked = sorted(uptake, key=lambda one: _digest(seed, one.probe.probe_id))
    chosen = set(ranked[:most])
    return [one for one in uptake if one in chosen]


def with_contexts(
    chosen: Sequence[Asked],
    insights: Mapping[int, Insight],
    retrieved: Mapping[str, tuple[str, ...]],
) -> list[Asked]:
    """Each question told its insight, then each with what was retrieved for it.

    Args:
        chosen: from `choose_questions`.
        insights: by id.
        retrieved: question -> texts of memory, the nearest first.
    """
    found = []
    for kind in (TOLD, RETRIEVED):
        for one in chosen:
            probe = one.probe
            if kind == TOLD:
                insight = insights.get(probe.insight_id or 0)
                texts: tuple[str, ...] = (insight.text,) if insight else ()
            else:
                texts = retrieved.get(probe.prompt, ())
            if texts:
                name = f"{kind}/{probe.probe_id}/{_digest(texts)[:8]}"
                found.append(
                    Asked(SUITE, replace(probe, probe_id=name, kind=kind, context=tuple(texts)))
                )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class WhoKnows:
    """How many of the same questions are answered, and from where."""

    questions: int
    weights: int
    """Closed-book, under the adapter."""
    retrieval: int
    """By the base, with what memory holds nearest."""
    both: int
    told: int
    """By the base, with the insight itself in the prompt."""
    adapter_with_retrieval: int

    @property
    def only_weights(self) -> int:
        return self.weights - self.both

    @property
    def only_retrieval(self) -> int:
        return self.retrieval - self.both


def who_knows(report: EvalReport, base: EvalReport) -> WhoKnows | None:
    """What the weights of an adapter know beside what retrieval gives the base; None unasked."""
    closed = {one.probe_id: one for one in report.items if one.suite == "uptake"}
    of_base, of_adapter = _by_question(base), _by_question(report)
    asked = [key for key in of_base if key[0] == RETRIEVED and key[1] in closed]
    if not asked:
        return None
    weights = {key[1] for key in asked if closed[key[1]].is_correct}
    retrieval = {key[1] for key in asked if of_base[key].is_correct}
    told = {key[1] for key, item in of_base.items() if key[0] == TOLD and item.is_correct}
    together = [key for key in asked if key in of_adapter and of_adapter[key].is_correct]
    return WhoKnows(
        questions=len(asked),
        weights=len(weights),
        retrieval=len(retrieval),
        both=len(weights & retrieval),
        told=len(told),
        adapter_with_retrieval=len(together),
    )


def _by_question(report: EvalReport) -> dict[tuple[str, str], ItemResult]:
    """(told or retrieved, id of the closed-book question) -> result."""
    return {
        (item.kind, item.probe_id.removeprefix(f"{item.kind}/").rsplit("/", 1)[0]): item
        for item in report.items
        if item.suite == SUITE
    }


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8")).hexdigest()
