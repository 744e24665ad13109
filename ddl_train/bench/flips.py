"""Whether a true insight brought its opposite along: is the flipped sign believed?

The world's own false-memory probes are drawn from all conclusions, of which few are ever dreamt.
Here every admitted true insight is asked about, in the wordings of probes.
"""

import random

from ddl_train.bench.learning import share, true_insights
from ddl_train.probes.score import Asked, score_probes
from ddl_train.records import BASE, JsonObject
from ddl_train.session import Session
from ddl_train.world.language import Fact, parse
from ddl_train.world.oracle import Oracle
from ddl_train.world.probes import flip_probe
from ddl_train.world.questions import DIRECTION, questions


def believed_flips(session: Session, oracle: Oracle) -> JsonObject:
    """[believed, asked] of the base and of the adapter in use, one question an insight.

    Args:
        session: after its last cycle.
        oracle: tells which insights are true.
    """
    rng = random.Random(session.seed("flips"))
    asked = [Asked("false_memory", flip_probe(rng, fact)) for fact in _true_facts(session, oracle)]
    shares = {}
    for who, adapter in (("base", BASE), ("in_use", session.use(session.run.current))):
        results, _ = score_probes(
            session.engine,
            asked,
            adapter=adapter,
            prompts=session.pack,
            max_new_tokens=session.config.evaluate.max_new_tokens,
        )
        shares[who] = share(results)
    return shares


def _true_facts(session: Session, oracle: Oracle) -> list[Fact]:
    """What the true insights state, each once, where it has a sign."""
    facts = [
        fact
        for insight in true_insights(session.memory.insights(), oracle)
        if (fact := parse(insight.conclusion)) is not None
        and questions(fact, DIRECTION, probe=True)
    ]
    return list(dict.fromkeys(facts))
