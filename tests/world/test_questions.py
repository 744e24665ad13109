"""Study and probe wordings of questions."""

import random

import pytest

from ddl_train.world.language import ALIAS, CANONICAL, DOCUMENT, Fact
from ddl_train.world.questions import (
    PROBE_KINDS,
    PROBE_SKELETONS,
    RAISING_SKELETONS,
    STUDY_KINDS,
    STUDY_SKELETONS,
    UNHEARD_SKELETONS,
    any_question,
    is_kept_back,
    questions,
    unheard_questions,
)
from tests.world.test_language import A, F, S, example


def test_no_wording_is_both_for_study_and_for_probes() -> None:
    assert not STUDY_SKELETONS & PROBE_SKELETONS
    assert not RAISING_SKELETONS & (STUDY_SKELETONS | PROBE_SKELETONS)
    assert not UNHEARD_SKELETONS & (STUDY_SKELETONS | PROBE_SKELETONS | RAISING_SKELETONS)
    assert not any(map(is_kept_back, STUDY_SKELETONS))
    assert all(map(is_kept_back, PROBE_SKELETONS | RAISING_SKELETONS | UNHEARD_SKELETONS))
    sentences = [*CANONICAL.values(), *(w for wordings in DOCUMENT.values() for w in wordings)]
    assert not any(is_kept_back(sentence) for sentence in sentences)


@pytest.mark.parametrize("relation", list(CANONICAL))
def test_probe_wordings_are_recognised_and_answered_as_in_study(relation: str) -> None:
    fact = example(relation)
    for kind in PROBE_KINDS:
        studied = {q.answer for q in questions(fact, kind)}
        for question in questions(fact, kind, probe=True):
            assert is_kept_back(f"given this | {question.text}")
            assert question.answer in studied


@pytest.mark.parametrize("relation", [one for one in CANONICAL if one != "alias"])
def test_the_upbringing_asks_for_a_sign_in_more_ways_with_the_answers_of_study(
    relation: str,
) -> None:
    fact, rng = example(relation), random.Random(0)
    known = {q.text: q for kind in STUDY_KINDS for q in questions(fact, kind)}
    known |= {q.text: q for kind in PROBE_KINDS for q in questions(fact, kind, probe=True)}
    answers = {(q.asks, q.answer) for q in known.values()}
    asked = [any_question(rng, fact) for _ in range(400)]
    others = {q.text: q for q in asked if q.text not in known}
    assert len(others) >= 4
    assert {(q.asks, q.answer) for q in others.values()} <= answers
    assert all(map(is_kept_back, others))


@pytest.mark.parametrize("kind", STUDY_KINDS)
def test_every_conclusion_can_be_studied_in_every_kind(kind: str) -> None:
    for relation in CANONICAL:
        if relation != "alias":
            assert questions(example(relation), kind)


def test_facts_that_answer_one_question_share_what_it_asks() -> None:
    one, other = (
        questions(Fact("relieves", substance, A), "reverse")[0] for substance in (S, "bodalide")
    )
    assert one.text == other.text
    assert one.asks == other.asks
    assert one.answer != other.answer


def test_high_and_low_causes_answer_the_same_question() -> None:
    asked = {
        questions(Fact(relation, F, A), "reverse")[0].asks
        for relation in ("high causes", "low causes")
    }
    assert len(asked) == 1


def test_the_upbringing_never_asks_in_words_that_the_exam_keeps_unheard() -> None:
    rng = random.Random(0)
    for relation in CANONICAL:
        fact = example(relation)
        heard = {any_question(rng, fact).text for _ in range(400)}
        unheard = [one for kind in PROBE_KINDS for one in unheard_questions(fact, kind)]
        assert not heard & {question.text for question in unheard}


def test_an_unheard_question_has_the_answer_of_the_probe_that_asks_the_same() -> None:
    for relation in CANONICAL:
        fact = example(relation)
        for kind in PROBE_KINDS if relation != ALIAS else ():
            asked = {(one.asks, one.answer) for one in questions(fact, kind, probe=True)}
            assert {(one.asks, one.answer) for one in unheard_questions(fact, kind)} == asked
