"""What the seedling is raised on: endless small scenes of fresh names, and its home world.

A row names a prompt template, the values of its slots, and the completion that is right. Skills are
taught in scenes that never come back, so only the skill can be learned; the home world comes back
for ever, so that it is learned by heart, and passing worlds for a while. No scene is drawn from
either.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddl_train.world.home import Home
from ddl_train.world.language import (
    ASIDE,
    DOCUMENT,
    FILLER,
    NOTE,
    Fact,
    any_wording,
    canonical,
    chain,
    compose,
    document,
    write_idea,
)
from ddl_train.world.questions import (
    APPLICATION,
    DIRECTION,
    FORWARD,
    REVERSE,
    STUDY_KINDS,
    Question,
    all_asks,
    any_question,
    questions,
)
from ddl_train.world.scenes import (
    AXES,
    Scene,
    any_chain,
    judged_idea,
    make_scene,
    scores,
    spoiled,
    unlinked,
)

__all__ = ["NONE", "UNKNOWN", "Home", "Row", "home_row", "make_scene", "propose_row", "skill_rows"]

NONE = "NONE"
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One prompt and its right completion."""

    skill: str
    template: str
    """Name of a template of the terse pack; empty when `slots['text']` is the whole prompt."""
    slots: dict[str, Any]
    completion: str
    right: tuple[str, ...] = ()
    """Other completions that are as right as this one."""
    truth: bool | None = None
    """For score rows: whether the idea is right."""


def _shuffled(rng: random.Random, a: Fact, b: Fact, canonical_share: float) -> tuple[str, str]:
    texts = [any_wording(fact, rng, canonical_share=canonical_share) for fact in (a, b)]
    rng.shuffle(texts)
    return texts[0], texts[1]


def propose_row(rng: random.Random, scene: Scene, *, drill: bool = False) -> Row:
    """Compose two statements, or say that they do not."""
    share = 1.0 if drill else 0.25
    if rng.random() < (0.85 if drill else 0.5):
        first, second, conclusion = any_chain(rng, scene)
        a, b = _shuffled(rng, first, second, share)
        idea = write_idea(first, second, conclusion)
        return Row(skill="compose", template="propose", slots={"a": a, "b": b}, completion=idea)
    if rng.random() < 0.3:
        first, second, _ = spoiled(rng, scene)
    else:
        first, second = unlinked(rng, scene)
    if chain(first, second) is not None:  # a near name can chain after all
        return propose_row(rng, scene, drill=drill)
    a, b = _shuffled(rng, first, second, share)
    return Row(skill="none", template="propose", slots={"a": a, "b": b}, completion=NONE)


def score_row(rng: random.Random, scene: Scene) -> Row:
    """Score one axis of an idea, right or wrong."""
    (a, b), idea, flaw = judged_idea(rng, scene)
    text_a, text_b = _shuffled(rng, a, b, 0.25)
    axis = rng.choices(AXES, (1, 3, 1))[0]
    order = list(AXES if rng.random() < 0.5 else reversed(AXES))
    text = write_idea(*idea)
    value = scores(idea, flaw)[axis]
    if rng.random() < 0.03:
        text, value, flaw = _gibberish(rng, text), 1, "gibberish"
    return Row(
        skill="score",
        template="score",
        slots={"a": text_a, "b": text_b, "idea": text, "axes": order, "axis": axis},
        completion=str(value),
        truth=flaw is None,
    )


def _gibberish(rng: random.Random, text: str) -> str:
    words = text.split()
    rng.shuffle(words)
    return " ".join(words[: rng.randint(2, len(words))])


def rationale_row(rng: random.Random, scene: Scene) -> Row:
    """Say in a short sentence what joins the concepts, or that nothing does."""
    (a, b), idea, flaw = judged_idea(rng, scene)
    text_a, text_b = _shuffled(rng, a, b, 0.25)
    first, second, conclusion = idea
    link = next((name for name in first.names if name in second.names), "")
    reason = f"{link} links {conclusion.subject} and {conclusion.object}"
    return Row(
        skill="rationale",
        template="rationale",
        slots={"a": text_a, "b": text_b, "idea": write_idea(*idea)},
        completion=reason if flaw is None else "both do not support that",
    )


def study_row(rng: random.Random, scene: Scene) -> Row:
    """Write a question with its answer from an insight, in one of the study or probe kinds."""
    first, second, conclusion = rng.choice(scene.chains)
    how = rng.random()
    idea = write_idea(first, second, conclusion) if how < 0.75 else canonical(conclusion)
    if how > 0.95:
        conclusion = rng.choice(scene.facts)
        idea = any_wording(conclusion, rng)
    probe = rng.random() < 0.25
    kind = rng.choice((FORWARD, REVERSE) if probe else STUDY_KINDS)
    made = questions(conclusion, kind, probe=probe)
    if not made:
        return study_row(rng, scene)
    if kind == APPLICATION and rng.random() < 0.4:
        made = [question for question in made if question.kind == DIRECTION]
    right = tuple(f"{q.text} {q.answer}" for q in questions(conclusion, kind, probe=probe))
    question = rng.choice(made)
    name = f"{'probe' if probe else 'study'}_{kind}"
    completion = f"{question.text} {question.answer}"
    return Row(skill=name, template=name, slots={"idea": idea}, completion=completion, right=right)


def _told(rng: random.Random, scene: Scene) -> tuple[list[Fact], list[str]]:
    """One to four statements, some of them whole ideas: what they tell, and how."""
    told: list[Fact] = []
    texts: list[str] = []
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.2:
            idea = rng.choice(scene.chains)
            told += idea
            texts.append(write_idea(*idea))
        else:
            fact = rng.choice(scene.facts + scene.idle)
            told.append(fact)
            texts.append(any_wording(fact, rng))
    return told, texts


def _answers(facts: list[Fact], asked: Question) -> set[str]:
    """Every answer that the facts give to a question."""
    return {
        question.answer
        for fact in facts
        for question in questions(fact, asked.kind)
        if question.asks == asked.asks and question.kind == asked.kind
    }


def context_row(rng: random.Random, scene: Scene) -> Row:
    """Answer from one to four statements, or say that they do not tell.

    Drawn again where two answers would be right, or where one only follows from what is told.
    """
    told, texts = _told(rng, scene)
    meant = [fact for fact in told if fact.relation not in (ASIDE, NOTE, FILLER)]
    is_told = bool(meant) and rng.random() < 0.75
    question = any_question(rng, rng.choice(meant if is_told else scene.facts))
    answers = _answers(meant, question)
    told_by_chance = bool(answers) and not is_told and question.kind not in (FORWARD, REVERSE)
    inferred = [c for a in told for b in told if (c := compose(a, b)) is not None]
    implied = {ask for fact in inferred if fact not in told for ask in all_asks(fact)}
    if len(answers) > 1 or question.asks in implied or told_by_chance:
        return context_row(rng, scene)
    return Row(
        skill="context",
        template="answer",
        slots={"question": question.text, "context": texts},
        completion=answers.pop() if answers else UNKNOWN,
    )


def reword_row(rng: random.Random, scene: Scene) -> Row:
    """Put a statement of a document plainly, or a plain one as a document would."""
    fact = rng.choice(scene.facts)
    told = document(fact, rng.randrange(len(DOCUMENT[fact.relation])))
    if rng.random() < 0.75:
        return Row(
            skill="plain", template="", slots={"text": f"plain {told}"}, completion=canonical(fact)
        )
    return Row(skill="say", template="", slots={"text": f"say {canonical(fact)}"}, completion=told)


def home_row(rng: random.Random, home: Home) -> Row:
    """Answer a question about a world by heart."""
    question = any_question(rng, rng.choice(home.statements))
    right = home.right_answers(question)
    return Row(
        skill="home",
        template="answer",
        slots={"question": question.text, "context": []},
        completion=rng.choice(right),
        right=tuple(right),
    )


# ---- the mixture --------------------------------------------------------------------------

SKILLS: tuple[tuple[Callable[[random.Random, Scene], Row], float], ...] = (
    (propose_row, 0.40),
    (score_row, 0.21),
    (study_row, 0.12),
    (context_row, 0.15),
    (reword_row, 0.05),
    (rationale_row, 0.015),
)
HOME_SHARE = 0.35
ROWS_PER_SCENE = 6


def skill_rows(rng: random.Random, *, drill_share: float = 0.0) -> list[Row]:
    """Rows of every skill from one fresh scene; drills are plain compositions, for the sign."""
    scene = make_scene(rng)
    if not scene.chains:
        return skill_rows(rng, drill_share=drill_share)
    makers, weights = zip(*SKILLS, strict=True)
    rows = []
    for maker in rng.choices(makers, weights, k=ROWS_PER_SCENE):
        if rng.random() < drill_share:
            rows.append(propose_row(rng, scene, drill=True))
        else:
            rows.append(maker(rng, scene))
    return rows
