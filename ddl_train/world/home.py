"""The home world as questions: what the seedling knows by heart, in two halves.

Questions of the first half are replayed in sleep; those of the second are only ever probed.
"""

import hashlib
from collections.abc import Sequence

from ddl_train.world.graph import World, home_world
from ddl_train.world.language import ASIDE, FILLER, NOTE, Fact, canonical, compose
from ddl_train.world.questions import (
    DIRECTION,
    FORWARD,
    REVERSE,
    STUDY_KINDS,
    Question,
    questions,
)


class Home:
    """The home world as questions with all their right answers, in two halves."""

    def __init__(self, world: World | None = None) -> None:
        facts = [
            f for f in (world or home_world()).facts if f.relation not in (ASIDE, NOTE, FILLER)
        ]
        self.facts = facts
        self.statements = facts + _first_conclusions(facts)
        self.answers: dict[tuple[str, str], list[str]] = {}
        """Right answers by (asks, kind)."""
        halves: dict[tuple[str, str], bool] = {}
        for fact in self.statements:
            for kind in (*STUDY_KINDS, DIRECTION):
                for q in questions(fact, kind):
                    right = self.answers.setdefault((q.asks, q.kind), [])
                    if q.answer not in right:
                        right.append(q.answer)
                    key = (q.asks, q.kind)
                    halves[key] = halves.get(key, False) or in_first_half(fact)
        self._halves = halves

    def in_general(self, question: Question) -> bool:
        """Whether a question belongs to the half that is replayed; the other only probes."""
        return self._halves[question.asks, question.kind]

    def right_answers(self, question: Question) -> list[str]:
        if question.kind not in (FORWARD, REVERSE):
            return [question.answer]
        return self.answers[question.asks, question.kind]

    def replay_rows(self) -> list[dict[str, str]]:
        """Every question of the first half in its study wordings with each of its right answers.

        One answer alone would teach that the others are none.
        """
        rows: dict[tuple[str, str], None] = {}
        for fact in self.statements:
            for kind in (*STUDY_KINDS, DIRECTION):
                for question in questions(fact, kind):
                    if self.in_general(question):
                        for answer in self.right_answers(question):
                            rows[question.text, answer] = None
        return [{"prompt": prompt, "completion": answer} for prompt, answer in rows]


def in_first_half(fact: Fact) -> bool:
    """Split statements in two halves, the same way for ever."""
    return hashlib.sha256(canonical(fact).encode()).digest()[0] % 2 == 0


def _first_conclusions(facts: Sequence[Fact]) -> list[Fact]:
    """What follows from two of the facts, where no two chains disagree and no fact says it."""
    by_name: dict[str, list[Fact]] = {}
    for fact in facts:
        for name in fact.names:
            by_name.setdefault(name, []).append(fact)
    found: dict[tuple[str, str], set[Fact]] = {}
    for fact in facts:
        for name in fact.names:
            for other in by_name[name]:
                conclusion = compose(fact, other)
                if conclusion is not None:
                    found.setdefault(conclusion.names[:2], set()).add(conclusion)  # type: ignore[arg-type]
    stated = {(fact.subject, fact.object) for fact in facts}
    return [
        conclusion
        for names, conclusions in found.items()
        if len(conclusions) == 1 and names not in stated
        for conclusion in conclusions
    ]
