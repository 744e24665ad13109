"""The home world as questions: what the seedling knows by heart, in two parts.

Three quarters of its statements are replayed in sleep, in every question that they answer; of the
others no question is. Statements that answer one question stand in one part, since a question comes
with all its right answers.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

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

PROBED_ONLY = 0.25
"""Share of the statements that no night replays."""


class Home:
    """A world as questions with all their right answers, in two parts; the home world unless given."""

    def __init__(self, world: World | None = None) -> None:
        facts = [
            f for f in (world or home_world()).facts if f.relation not in (ASIDE, NOTE, FILLER)
        ]
        self.facts = facts
        self.statements = facts + _first_conclusions(facts)
        self.answers: dict[tuple[str, str], list[str]] = {}
        """Right answers by (asks, kind)."""
        asked: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in self.statements:
            for question in _all_questions(fact):
                key = question.asks, question.kind
                right = self.answers.setdefault(key, [])
                if question.answer not in right:
                    right.append(question.answer)
                asked[key].append(fact)
        probed_only = _probed_only(self.statements, list(asked.values()))
        self._replayed = {key: facts[0] not in probed_only for key, facts in asked.items()}

    def is_replayed(self, question: Question) -> bool:
        """Whether nights replay what a question asks for; what they do not is only ever probed."""
        return self._replayed[question.asks, question.kind]

    def right_answers(self, question: Question) -> list[str]:
        if question.kind not in (FORWARD, REVERSE):
            return [question.answer]
        return self.answers[question.asks, question.kind]

    def replay_rows(self) -> list[dict[str, str]]:
        """Every replayed question in its study wordings with each of its right answers.

        One answer alone would teach that the others are none.
        """
        rows: dict[tuple[str, str], None] = {}
        for fact in self.statements:
            for question in _all_questions(fact):
                if self.is_replayed(question):
                    for answer in self.right_answers(question):
                        rows[question.text, answer] = None
        return [{"prompt": prompt, "completion": answer} for prompt, answer in rows]


def _all_questions(fact: Fact) -> Iterator[Question]:
    """In study wordings."""
    for kind in (*STUDY_KINDS, DIRECTION):
        yield from questions(fact, kind)


def _probed_only(statements: Sequence[Fact], asked: Sequence[Sequence[Fact]]) -> set[Fact]:
    """Whole groups of statements that share questions, up to their share, ever the same."""
    group = {fact: {fact} for fact in statements}
    for facts in asked:
        for fact in facts[1:]:
            if group[fact] is not group[facts[0]]:
                group[facts[0]] |= group[fact]
                for one in group[fact]:
                    group[one] = group[facts[0]]
    groups = {min(map(canonical, facts)): facts for facts in group.values()}
    chosen: set[Fact] = set()
    for name in sorted(groups, key=lambda one: hashlib.sha256(one.encode()).digest()):
        if len(chosen) + len(groups[name]) <= PROBED_ONLY * len(statements):
            chosen |= groups[name]
    return chosen


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
