"""The critic: expected scores, agreement, support; always the frozen base."""

import math
from typing import Any

import numpy as np
import pytest

from ddl_train.config import WakeConfig
from ddl_train.records import BASE, Continuation, FloatArray, Proposal, Usage
from ddl_train.roles.admission import admit
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.elsewhere import second_critic
from ddl_train.roles.prompts import load_pack
from tests.fakes import EchoEngine, a_pair, a_proposal

IDEA = a_proposal(
    "zorol lowers vakase and high vakase causes miritis, so zorol may relieve miritis",
    pair=a_pair("zorol lowers vakase", "high vakase causes miritis"),
    adapter="v1",
)
RATINGS = {"novelty": 7, "coherence": 9, "utility": 4}


def rate(prompt: str) -> int:
    return RATINGS[prompt.split()[-1]]


def rate_by_first_named(prompt: str) -> int:
    return 8 if prompt.index("novelty") < prompt.index("utility") else 5


def critic(engine: EchoEngine, **options: Any) -> LogitCritic:
    return LogitCritic(engine, load_pack("terse"), WakeConfig.model_validate(options))


def score(engine: EchoEngine, proposals: list[Proposal], **options: float | None) -> list[object]:
    return list(critic(engine, **options).score(proposals)[0])


def test_each_axis_gets_its_own_score() -> None:
    (found,), _ = critic(EchoEngine(rating=rate)).score([IDEA])
    assert found is not None
    assert (found.novelty, found.coherence, found.utility) == (7, 9, 4)
    assert found.disagreement == 0


def test_a_score_is_the_expected_value() -> None:
    class HalfHalf(EchoEngine):
        def integer_distribution(
            self, prompts: object, *, low: int, high: int, adapter: str
        ) -> tuple[FloatArray, Usage]:
            row = np.zeros(10, dtype=np.float32)
            row[[1, 8]] = 0.5  # 2 and 9
            return np.stack([row] * 6), Usage()

    (found,), _ = critic(HalfHalf()).score([IDEA])
    assert found is not None
    assert found.coherence == pytest.approx(5.5)


def test_another_order_of_the_criteria_tells_how_sure_it_is() -> None:
    (found,), _ = critic(EchoEngine(rating=rate_by_first_named)).score([IDEA])
    assert found is not None
    assert found.disagreement == 3
    assert found.novelty == pytest.approx(6.5)


def test_not_asking_for_agreement_halves_the_work() -> None:
    engine = EchoEngine(rating=rate)
    (found,), _ = critic(engine, max_disagreement=None).score([IDEA])
    assert found is not None
    assert found.disagreement is None
    assert len(engine.asked) == 3


def test_support_is_the_mean_probability_of_the_conclusion_after_its_reasoning() -> None:
    asked: list[Continuation] = []

    def log_prob(item: Continuation) -> float:
        asked.append(item)
        return math.log(0.25)

    (found,), _ = critic(EchoEngine(log_prob=log_prob), min_support=0.5).score([IDEA])
    assert found is not None
    assert found.support == pytest.approx(0.25)
    assert asked[0].prompt == "link zorol lowers vakase + high vakase causes miritis"
    assert asked[0].given == "zorol lowers vakase and high vakase causes miritis, so "
    assert asked[0].continuation == "zorol may relieve miritis"


@pytest.mark.parametrize("unlikely", ["link high", "link zorol"])
def test_an_idea_is_as_likely_as_the_order_of_its_concepts_that_speaks_against_it(
    unlikely: str,
) -> None:
    asked: list[Continuation] = []

    def log_prob(item: Continuation) -> float:
        asked.append(item)
        return math.log(0.25 if item.prompt.startswith(unlikely) else 0.75)

    (found,), _ = critic(EchoEngine(log_prob=log_prob), min_rederived=0.5).score([IDEA])
    assert found is not None
    assert found.rederived == pytest.approx(0.25)
    assert found.support is None
    assert {one.prompt for one in asked} == {
        "link zorol lowers vakase + high vakase causes miritis",
        "link high vakase causes miritis + zorol lowers vakase",
    }
    assert all((one.given, one.continuation) == ("", IDEA.text) for one in asked)


@pytest.mark.parametrize("unknown", ["link high", "link zorol"])
def test_a_likelihood_that_is_no_number_in_either_order_is_none(unknown: str) -> None:
    def log_prob(item: Continuation) -> float:
        return math.nan if item.prompt.startswith(unknown) else -0.01

    config = WakeConfig(min_rederived=0.5, max_disagreement=None)
    engine = EchoEngine(rating=rate, log_prob=log_prob)
    (found,), _ = LogitCritic(engine, load_pack("terse"), config).score([IDEA])
    assert found is not None and found.rederived is not None and math.isnan(found.rederived)
    assert "rederived" in (admit(found, config) or "")


def test_the_larger_critic_does_not_read_ideas_again() -> None:
    config = WakeConfig(min_support=0.5, min_rederived=0.5)
    engine = EchoEngine()
    larger = second_critic(config, engine, load_pack("terse"), EchoEngine())
    assert larger is not None
    (found,), _ = larger.score([IDEA])
    assert found is not None
    assert (found.support, found.rederived) == (None, None)


def test_likelihoods_cost_nothing_when_not_asked_for() -> None:
    (found,), _ = critic(EchoEngine()).score([IDEA])
    assert found is not None
    assert (found.support, found.rederived) == (None, None)


def test_numbers_that_cannot_be_read_are_no_scores() -> None:
    class Broken(EchoEngine):
        def integer_distribution(
            self, prompts: object, *, low: int, high: int, adapter: str
        ) -> tuple[FloatArray, Usage]:
            table = np.full((12, 10), 0.1, dtype=np.float32)
            table[7] = np.nan
            return table, Usage()

    first, second = critic(Broken()).score([IDEA, IDEA])[0]
    assert first is not None
    assert second is None


def test_nothing_to_score_asks_nothing() -> None:
    engine = EchoEngine()
    assert critic(engine).score([]) == ([], Usage())
    assert critic(engine).explain([]) == ([], Usage())
    assert engine.asked == []


def test_the_critic_is_the_base_whoever_dreamt() -> None:
    engine = EchoEngine()
    judge = critic(engine, min_support=0.1)
    judge.score([IDEA])
    judge.explain([IDEA])
    assert set(engine.adapters_used) == {BASE}


def screening(ask: str, least: float = 0.5) -> dict[str, Any]:
    return {"cascade": {"screen": {"ask": ask, "least": least}}}


def test_an_axis_that_the_short_critic_asked_is_not_asked_again() -> None:
    engine = EchoEngine(rating=rate)
    judge = critic(engine, **screening("coherence", 3))
    short, _ = judge.screen([IDEA])
    assert short == [9]
    asked = len(engine.asked)
    (found,), _ = judge.score([IDEA], screened=short)
    assert asked == 1
    assert len(engine.asked) == 6
    assert found == critic(EchoEngine(rating=rate)).score([IDEA])[0][0]


def test_support_that_the_short_critic_found_is_not_asked_again() -> None:
    asked: list[Continuation] = []

    def log_prob(item: Continuation) -> float:
        asked.append(item)
        return math.log(0.25)

    judge = critic(EchoEngine(log_prob=log_prob), min_support=0.1, **screening("support"))
    short, _ = judge.screen([IDEA, IDEA])
    assert short == [pytest.approx(0.25)] * 2
    found, _ = judge.score([IDEA, IDEA], screened=[short[0], None])
    assert len(asked) == 3, "only what is not known is asked"
    assert [one.support for one in found if one] == [pytest.approx(0.25)] * 2


@pytest.mark.parametrize("pack", ["default", "terse"])
def test_the_short_question_of_a_pack_is_no_longer_than_those_of_its_full_critic(pack: str) -> None:
    engine = EchoEngine(rating=lambda prompt: 4)
    judge = LogitCritic(engine, load_pack(pack), WakeConfig.model_validate(screening("screen", 2)))
    assert judge.screen([IDEA])[0] == [4]
    judge.score([IDEA], screened=[4])
    short, *full = engine.asked
    assert len(full) == 6, "it is no part of the full critic"
    assert len(short) <= max(map(len, full))
    assert IDEA.text in short


def test_a_critic_that_is_told_of_no_short_one_has_nothing_to_screen_by() -> None:
    engine = EchoEngine()
    assert critic(engine).screen([IDEA]) == ([None], Usage())
    assert engine.asked == []


def test_a_rationale_is_one_line() -> None:
    engine = EchoEngine(answer=lambda prompt: "It is new.\nAnd more")
    assert critic(engine).explain([IDEA])[0] == ["It is new."]
