"""Written answers: what is asked, what is right, what is to be covered."""

from dataclasses import replace

import pytest

from ddl_train.bench.answers import (
    NUM_SAMPLES,
    Open,
    ask_decoys,
    ask_never_dreamt,
    ask_of_insights,
    mark,
    share_of,
)
from ddl_train.bench.learning import Change
from ddl_train.records import Probe
from ddl_train.world.graph import Placed
from ddl_train.world.language import HIGH_CAUSES, LOW_CAUSES, LOWERS, RELIEVES, WORSENS, Fact
from ddl_train.world.language import canonical as said
from ddl_train.world.oracle import Oracle
from ddl_train.world.questions import FORWARD, questions

S, T, F, G = "dolotium", "telotium", "kefergen", "kitorkadgen"
A, B = "raferminemia", "hadostorosis"
ORACLE = Oracle(
    [
        Placed(fact, 0)
        for fact in (
            Fact(LOWERS, S, F),
            Fact(HIGH_CAUSES, F, A),
            Fact(HIGH_CAUSES, F, B),
            Fact(LOWERS, T, G),
            Fact(LOW_CAUSES, G, B),
        )
    ]
)
FIRST, SECOND = Fact(RELIEVES, S, A), Fact(RELIEVES, S, B)


def by_group(asked: list[Open]) -> dict[str, list[Open]]:
    return {
        group: [one for one in asked if one.group == group] for group in {o.group for o in asked}
    }


def probe(fact: Fact, kind: str, *answers: str) -> Probe:
    (question, *_) = questions(fact, FORWARD, probe=True)
    return Probe(
        probe_id=said(fact), prompt=question.text, answers=answers, about=said(fact), kind=kind
    )


def test_insights_with_the_same_question_are_asked_once_and_all_to_be_covered() -> None:
    (forward,) = by_group(ask_of_insights([FIRST, SECOND], ORACLE, 1))["dreamt/forward"]
    assert set(forward.wanted) == set(forward.probe.answers) == {A, B}
    assert forward.insights == (said(FIRST), said(SECOND))
    assert forward.num_samples == NUM_SAMPLES


def test_what_no_insight_states_is_right_and_need_not_be_covered() -> None:
    (forward,) = by_group(ask_of_insights([FIRST], ORACLE, 1))["dreamt/forward"]
    assert (set(forward.probe.answers), forward.wanted) == ({A, B}, (A,))


def test_a_question_with_one_right_answer_is_asked_once() -> None:
    (reverse,) = by_group(ask_of_insights([FIRST], ORACLE, 1))["dreamt/reverse"]
    assert (reverse.probe.answers, reverse.num_samples) == ((S,), 1)


def test_a_question_with_a_contested_answer_is_not_asked() -> None:
    contested = Oracle(
        [*(Placed(fact, 0) for fact in ORACLE.stated), Placed(Fact(LOW_CAUSES, F, B), 0)]
    )
    assert "dreamt/forward" not in by_group(ask_of_insights([FIRST], contested, 1))


def test_never_dreamt_is_what_no_insight_answers() -> None:
    worsens = Fact(WORSENS, T, B)
    probes = [
        probe(FIRST, "any_forward", A, B),
        probe(worsens, "generated_forward", B),
        probe(worsens, "forward", B),  # has choices in the files: the exam's business
    ]
    (open_one,) = ask_never_dreamt(probes, [SECOND])
    assert (open_one.group, open_one.wanted) == ("never dreamt/forward", (B,))


def test_what_is_said_twice_is_right_twice_and_covers_once() -> None:
    (forward,) = by_group(ask_of_insights([FIRST], ORACLE, 1))["dreamt/forward"]
    assert mark(forward, [A, A, B, "nonsense"]) == [3, 1]
    assert mark(forward, [B, B]) == [2, 0]


def test_every_question_counts_once_and_those_with_one_answer_apart() -> None:
    answers = {
        "num_samples": 4,
        "questions": [
            ["dreamt/forward", 1, 1, "a"],
            ["dreamt/forward", 3, 2, "b"],
            ["dreamt/forward", 2, 1, "c"],
        ],
        "said": {"x": [[1, 1], [3, 1], [1, 1]]},
    }
    assert share_of(answers, "dreamt/forward", "one", "x") == (1, 1)
    precision, coverage = (
        share_of(answers, "dreamt/forward", measure, "x") for measure in ("precision", "coverage")
    )
    assert isinstance(precision, Change) and precision.value == pytest.approx(0.5)
    assert isinstance(coverage, Change) and coverage.value == pytest.approx(0.75)
    assert share_of(answers, "never dreamt/forward", "one", "x") is None


def test_a_decoy_is_looked_for_in_as_many_answers_as_there_are_samples() -> None:
    flip = probe(FIRST, "sign_flip", A)
    decoy = replace(probe(SECOND, "decoy", B), choices=(A,))
    (asked,) = ask_decoys([flip, decoy])
    assert (asked.group, asked.probe.choices, asked.num_samples) == ("decoy", (), NUM_SAMPLES)
    answers = {
        "num_samples": 4,
        "questions": [["decoy", 1, 1, asked.about]] * 2,
        "said": {"x": [mark(asked, [B, A, A, A]), mark(asked, [A, A, A, A])]},
    }
    said_it = share_of(answers, "decoy", "precision", "x")
    assert isinstance(said_it, Change) and said_it.value == pytest.approx(1 / 8)


def test_decoys_of_one_aside_are_one_piece_of_evidence() -> None:
    claims = [Fact(relation, S, A) for relation in (RELIEVES, WORSENS)]
    asked = ask_decoys([probe(claim, "decoy", A) for claim in claims])
    assert len({one.about for one in asked}) == 1
    answers = {"num_samples": 4, "said": {"x": [[4, 1], [4, 1], [0, 0], [0, 0]]}}
    apart = [["decoy", 1, 1, name] for name in "abcd"]
    together = [["decoy", 1, 1, name] for name in "aabb"]
    errors = [
        found.error
        for questions in (apart, together)
        if isinstance(
            found := share_of(answers | {"questions": questions}, "decoy", "precision", "x"), Change
        )
    ]
    assert errors[1] > errors[0]


def test_who_was_told_has_no_say_on_what_was_never_dreamt() -> None:
    answers = {
        "num_samples": 4,
        "questions": [["dreamt/forward", 1, 1, "a"], ["never dreamt/forward", 1, 1, "b"]],
        "said": {"x": [[1, 1], [0, 0]], "told": [[1, 1]]},
    }
    assert share_of(answers, "dreamt/forward", "one", "told") == (1, 1)
    assert share_of(answers, "never dreamt/forward", "one", "told") is None
