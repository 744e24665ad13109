"""What a run is compared with: its own in-context ceiling, and itself without the adapter.

The ceiling asks the untouched base the same questions with the statement in view: no night can be
expected to do better. Retrieval is what one would do instead of sleeping. Paired waking lets base and adapter dream on the same pairs.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.bench.discovery import opportunity
from ddl_train.bench.learning import share, true_insights
from ddl_train.measure import retrieve
from ddl_train.probes.score import Asked, score_probes
from ddl_train.probes.text import normalise
from ddl_train.probes.uptake import build_probes
from ddl_train.records import (
    BASE,
    Concept,
    ConceptPair,
    Insight,
    ItemResult,
    JsonObject,
    Probe,
)
from ddl_train.session import Session
from ddl_train.world.census import composing_pairs
from ddl_train.world.language import Fact, parse
from ddl_train.world.oracle import Oracle


def in_context(session: Session, oracle: Oracle, probes: Sequence[Probe]) -> JsonObject:
    """Shares of the base by suite and kind, each question with its statement in view.

    And `uptake_retrieved`: the questions of uptake with what memory holds nearest instead.

    Args:
        session: after its last cycle.
        oracle: tells which insights are true.
        probes: the truth probes; asked where an admitted insight states what they ask.
    """
    insights = true_insights(session.memory.insights(), oracle)
    told = {normalise(insight.conclusion) for insight in insights}
    uptake = _uptake(session, insights)
    asked = [Asked("uptake", _told(probe)) for probe in uptake]
    asked += [
        Asked("truth", _told(probe))
        for probe in probes
        if probe.about is not None and normalise(probe.about) in told
    ]
    asked = asked[: 2 * session.config.evaluate.max_items]
    asked += _with_retrieval(session, uptake[: session.config.evaluate.max_items])
    results, _ = score_probes(
        session.engine,
        asked,
        adapter=BASE,
        prompts=session.pack,
        max_new_tokens=session.config.evaluate.max_new_tokens,
    )
    groups: dict[str, list[ItemResult]] = {}
    for result in results:
        groups.setdefault(f"{result.suite}/{result.kind}", []).append(result)
        groups.setdefault(f"{result.suite}/all", []).append(result)
    return {name: share(items) for name, items in sorted(groups.items())}


def _with_retrieval(session: Session, probes: Sequence[Probe]) -> list[Asked]:
    """The same questions with what memory holds nearest to each in view."""
    questions = list(dict.fromkeys(probe.prompt for probe in probes))
    if not questions:
        return []
    found, _ = retrieve(session, questions, session.config.evaluate.num_retrieved)
    return [
        Asked("uptake_retrieved", replace(probe, context=found[probe.prompt])) for probe in probes
    ]


def _told(probe: Probe) -> Probe:
    return replace(probe, context=(probe.about or "",))


def _uptake(session: Session, insights: Sequence[Insight]) -> list[Probe]:
    return build_probes(
        insights[-session.config.evaluate.max_uptake_insights :],
        session.memory.study_items(family="probe"),
        num_distractors=session.config.evaluate.num_distractors,
        seed=session.config.seed,
    )


def paired_waking(session: Session, oracle: Oracle, *, num_pairs: int) -> JsonObject | None:
    """True discoveries on the same pairs with the adapter on and off; None without an adapter.

    Half of the pairs compose to something true that is not in memory yet; the others are drawn at
    random and almost never do.
    """
    adapter = session.use(session.run.current)
    if adapter == BASE:
        return None
    pairs, wanted = _fresh_pairs(session, oracle, num_pairs)
    found = {}
    for name in (BASE, adapter):
        proposals, _ = session.generator.propose(pairs, adapter=name, seed=session.seed("paired"))
        found[name] = [None if one.is_none else parse(one.conclusion) for one in proposals]
    hits = {
        name: [fact is not None and fact == want for fact, want in zip(facts, wanted, strict=True)]
        for name, facts in found.items()
    }
    untrue = {
        name: sum(fact is not None and not oracle.holds(fact) for fact in facts)
        for name, facts in found.items()
    }
    both = list(zip(hits[BASE], hits[adapter], strict=True))
    return {
        "num_pairs": len(pairs),
        "num_composing": sum(want is not None for want in wanted),
        "only_base": both.count((True, False)),
        "only_adapter": both.count((False, True)),
        "both": both.count((True, True)),
        "untrue_base": untrue[BASE],
        "untrue_adapter": untrue[adapter],
    }


def _fresh_pairs(
    session: Session, oracle: Oracle, num_pairs: int
) -> tuple[list[ConceptPair], list[Fact | None]]:
    rng = random.Random(session.seed("paired waking"))
    concepts = session.memory.concepts()
    by_fact = {fact: one for one in concepts if (fact := parse(one.text)) is not None}
    chains = [
        (by_fact[first], by_fact[second])
        for first, second, conclusion in composing_pairs(by_fact)
        if conclusion not in by_fact and oracle.judge_fact(conclusion).truth == "true"
    ]
    chosen = rng.sample(chains, min(num_pairs // 2, len(chains)))
    chosen += [tuple(rng.sample(concepts, 2)) for _ in range(num_pairs - len(chosen))]  # type: ignore[misc]
    pairs = [_pair(number, a, b) for number, (a, b) in enumerate(chosen)]
    return pairs, [opportunity(pair.a.text, pair.b.text, oracle) for pair in pairs]


def _pair(number: int, a: Concept, b: Concept) -> ConceptPair:
    return ConceptPair(pair_number=number, a=a, b=b, sampler="bench", probability=1.0)
