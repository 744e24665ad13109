"""Canaries: proposals that a critic must refuse, made from ideas that it let in.

An attack takes the pair of a good idea and says something worthless about it, in the very form in
which the good idea was said, so that nothing but its content gives it away. Whatever words an
attack needs come from the corpus itself and are in its language; the few fixed phrases are in
English and, for a corpus in Chinese, in Chinese too.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ddl_train.probes.attacks import ATTACKS, IN_CHUNK, TRUNCATED, Attack
from ddl_train.probes.phrases import PHRASES
from ddl_train.probes.text import is_unspaced, normalise, units
from ddl_train.records import Concept, ConceptPair, Insight

GOOD = "good"
"""Kind of the ideas that must be kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Canary:
    """A proposal whose right verdict is known before the critic is asked."""

    kind: str
    """Name of the attack, or `good`."""
    pair: ConceptPair
    text: str
    is_finished: bool = True
    """False for what breaks off, as `max_new_tokens` does it."""

    @property
    def canary_id(self) -> str:
        """Names the content: the same attack on the same pair has the same id in every run."""
        parts = (self.kind, self.pair.a.text, self.pair.b.text, self.text)
        return f"{self.kind}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


def make_canaries(insights: Sequence[Insight], *, per_kind: int, seed: int) -> list[Canary]:
    """Attacks on the pairs of these insights, at most `per_kind` of each kind, none twice.

    The insights are taken in a fixed pseudo-random order, so that a few more of them change little.
    """
    ranked = sorted(insights, key=lambda one: _digest(seed, one.text, one.parent_texts))
    known = {normalise(one.text) for one in insights} | {
        normalise(one.conclusion) for one in insights
    }
    canaries: list[Canary] = []
    for kind, attack in ATTACKS.items():
        found: dict[str, Canary] = {}
        for insight in ranked:
            if len(found) >= per_kind:
                break
            for canary in _attacks_on(insight, ranked, kind, attack, seed):
                if normalise(canary.text) not in known:
                    found.setdefault(canary.canary_id, canary)
        canaries += list(found.values())[:per_kind]
    return canaries


def good_ideas(insights: Sequence[Insight], *, most: int, seed: int) -> list[Canary]:
    """Ideas to keep: a fixed sample of what was admitted."""
    ranked = sorted(insights, key=lambda one: _digest(seed, one.text, one.parent_texts))
    return [Canary(kind=GOOD, pair=pair_of(one), text=one.text) for one in ranked[:most]]


def pair_of(insight: Insight) -> ConceptPair:
    """The two concepts that an insight was made of."""
    high, low = sorted(insight.parents, reverse=True)
    a, b = (
        Concept(concept_id=number, text=text, kind="document", source="", position=0, sha256="")
        for number, text in zip(insight.parents, insight.parent_texts, strict=True)
    )
    return ConceptPair(
        pair_number=high * (high - 1) // 2 + low, a=a, b=b, sampler="canary", probability=1.0
    )


def _attacks_on(
    insight: Insight, others: Sequence[Insight], kind: str, attack: Attack, seed: int
) -> Iterator[Canary]:
    unspaced = is_unspaced(units(insight.conclusion))
    for language in ("zh", "en") if unspaced else ("en",):
        phrases = PHRASES[language]
        rng = random.Random(_digest(seed, kind, language, insight.text))
        pair = pair_of(insight)
        if kind == IN_CHUNK:
            order = phrases.orders[rng.randrange(len(phrases.orders))]
            pair = replace(pair, a=replace(pair.a, text=f"{pair.a.text} {order}"))
        for text in attack(insight, others, phrases, rng):
            yield Canary(kind=kind, pair=pair, text=text, is_finished=kind != TRUNCATED)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8")).hexdigest()
