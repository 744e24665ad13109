"""The admission gate: thresholds by axis, support, agreement; or the best of a batch."""

import pytest

from ddl_train.config import WakeConfig
from ddl_train.records import Scores, Verdict
from ddl_train.roles.admission import admit, admit_again, pick_quota, room_now
from tests.fakes import a_proposal, a_scores

STRICT = WakeConfig(
    min_novelty=5, min_coherence=6, min_utility=4, min_support=0.5, max_disagreement=2
)
TWICE = WakeConfig(min_rederived=0.5)


@pytest.mark.parametrize(
    ("scores", "rule"),
    [
        (a_scores(7, 7, 7, support=0.9), None),
        (a_scores(5, 6, 4, support=0.5, disagreement=2), None),  # just enough of everything
        (a_scores(4.9, 7, 7, support=0.9), "novelty"),
        (a_scores(7, 5.9, 7, support=0.9), "coherence"),
        (a_scores(7, 7, 3.9, support=0.9), "utility"),
        (a_scores(7, 7, 7, support=0.4), "support"),
        (a_scores(7, 7, 7, support=None), "support"),  # asked for and not there: closed
        (a_scores(7, 7, 7, support=0.9, disagreement=2.1), "disagreement"),
        (a_scores(7, 7, 7, support=0.9, disagreement=None), "disagreement"),
        (a_scores(float("nan"), 7, 7, support=0.9), "novelty"),
    ],
)
def test_the_first_rule_that_is_missed_is_named(scores: Scores, rule: str | None) -> None:
    reason = admit(scores, STRICT)
    assert (reason.partition(":")[0] if reason else None) == rule


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (a_scores(7, 3.14159, 7, support=0.9), "coherence: 3.1 is below 6"),
        (a_scores(7, 5.9996, 7, support=0.9), "coherence: 5.9996 is below 6"),
        (a_scores(7, 7, 7, support=0.4999), "0.4999 a token under the frozen base, below 0.5"),
        (a_scores(7, 7, 7, support=0.9, disagreement=2.01), "disagreement: 2.01 points"),
    ],
)
def test_what_is_just_missed_is_said_with_the_digits_that_show_it(
    scores: Scores, words: str
) -> None:
    assert words in (admit(scores, STRICT) or "")


@pytest.mark.parametrize(
    ("rederived", "words"),
    [
        (0.5, None),
        (0.4999, "rederived: from its concepts in both orders the idea has probability 0.4999"),
        (float("nan"), "rederived: from its concepts"),
        (None, "rederived: was not measured"),
    ],
)
def test_an_idea_is_refused_that_either_order_makes_improbable(
    rederived: float | None, words: str | None
) -> None:
    reason = admit(a_scores(7, 7, 7, rederived=rederived), TWICE)
    assert reason is None if words is None else words in (reason or "")


def test_likelihoods_are_not_asked_of_the_larger_critic() -> None:
    config = WakeConfig.model_validate(
        {
            "min_support": 0.5,
            "min_rederived": 0.5,
            "cascade": {"second": {"local": {"base": "checkpoints/seedling"}}},
        }
    )
    assert admit_again(a_scores(7, 7, 7), config) is None
    assert "second: coherence" in (admit_again(a_scores(7, 2, 7), config) or "")


def test_rules_that_are_off_refuse_nothing() -> None:
    off = WakeConfig(min_novelty=None, min_coherence=None, min_utility=None, max_disagreement=None)
    assert admit(a_scores(1, 1, 1, disagreement=9), off) is None


def verdict(points: float, reason: str | None = None) -> Verdict:
    return Verdict(
        proposal=a_proposal("a, so b"), scores=a_scores(points, 5, 5), rejected_because=reason
    )


def test_a_quota_keeps_the_best_and_names_the_rest() -> None:
    found = pick_quota([verdict(3), verdict(9), verdict(6)], 2)
    assert [item.admitted for item in found] == [False, True, True]
    assert found[0].rejected_because is not None
    assert found[0].rejected_because.startswith("quota:")


def test_of_equals_the_earlier_is_kept() -> None:
    found = pick_quota([verdict(5), verdict(5), verdict(5)], 1)
    assert [item.admitted for item in found] == [True, False, False]


def test_what_was_refused_takes_no_place() -> None:
    found = pick_quota([verdict(9, "none: no link"), verdict(3)], 1)
    assert [item.rejected_because for item in found] == ["none: no link", None]


def test_no_room_admits_nothing() -> None:
    assert not any(item.admitted for item in pick_quota([verdict(9)], 0))


@pytest.mark.parametrize(
    ("quota", "done", "admitted", "room"),
    [
        (None, 5, 2, None),
        (8, 25, 0, 2),  # a quarter of the pairs, a quarter of the quota
        (8, 26, 2, 1),  # rounded up: the first batches need not wait
        (8, 100, 5, 3),  # what was left unused comes to the last
        (8, 50, 6, -2),
    ],
)
def test_a_quota_is_spread_over_the_pairs_of_a_cycle(
    quota: int | None, done: int, admitted: int, room: int | None
) -> None:
    assert room_now(quota, done, 100, admitted) == room
