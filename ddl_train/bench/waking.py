"""Whether sleep improves waking: base and adapters dream on the same pairs.

Half of the pairs compose to something true that is not in memory at the end; the others are drawn at
random and almost never do. Every adapter that was in use dreams on all of them.
"""

import random
from collections.abc import Sequence

from ddl_train.bench.discovery import opportunity
from ddl_train.records import BASE, Concept, ConceptPair, JsonObject
from ddl_train.session import Session
from ddl_train.world.census import composing_pairs
from ddl_train.world.language import Fact, parse
from ddl_train.world.oracle import Oracle


def paired_waking(
    session: Session, oracle: Oracle, in_use: Sequence[str], *, num_pairs: int
) -> JsonObject | None:
    """True discoveries on the same pairs, a text of 0 and 1 each; None where no night was kept.

    Returns:
        `num_pairs`; `hits`: for the base and each adapter a 1 for every composing pair of which
        just its conclusion was proposed; `untrue`: how many other proposals say nothing that holds
        or is contested, what cannot be read among them.
    """
    versions = list(dict.fromkeys([BASE, *in_use]))
    if versions == [BASE]:
        return None
    pairs, wanted = _fresh_pairs(session, oracle, num_pairs)
    hits, untrue = {}, {}
    for version in versions:
        proposals, _ = session.generator.propose(
            pairs, adapter=session.use(version), seed=session.seed("paired")
        )
        facts = [parse(one.conclusion) for one in proposals]
        hits[version] = "".join(
            "1" if fact == want and not one.is_none else "0"
            for one, fact, want in zip(proposals, facts, wanted, strict=True)
            if want is not None
        )
        untrue[version] = sum(
            not one.is_none and (fact is None or not oracle.is_open(fact))
            for one, fact in zip(proposals, facts, strict=True)
        )
    return {"num_pairs": len(pairs), "hits": hits, "untrue": untrue}


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
