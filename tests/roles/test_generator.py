"""The generator: a prompt for each pair, a proposal for each answer."""

import pytest

from ddl_train.config import WakeConfig
from ddl_train.records import BASE
from ddl_train.roles.generator import ModelGenerator
from ddl_train.roles.prompts import load_pack
from tests.fakes import EchoEngine, a_pair

IDEA = "zorol lowers vakase and high vakase causes miritis, so zorol may relieve miritis"


def generator(engine: EchoEngine) -> ModelGenerator:
    return ModelGenerator(engine, load_pack("terse"), WakeConfig())


def test_an_idea_is_taken_apart() -> None:
    engine = EchoEngine(answer=lambda prompt: IDEA)
    (proposal,), _ = generator(engine).propose([a_pair()], adapter="v1", seed=0)
    assert proposal.conclusion == "zorol may relieve miritis"
    assert proposal.reasoning == "zorol lowers vakase and high vakase causes miritis"
    assert (proposal.adapter, proposal.is_none) == ("v1", False)


@pytest.mark.parametrize(("text", "is_none"), [("NONE", True), ("well, who knows", False)])
def test_no_idea_has_no_conclusion(text: str, is_none: bool) -> None:
    engine = EchoEngine(answer=lambda prompt: text)
    (proposal,), _ = generator(engine).propose([a_pair()], adapter=BASE, seed=0)
    assert (proposal.conclusion, proposal.is_none) == ("", is_none)


def test_each_pair_gets_its_own_prompt_in_order() -> None:
    engine = EchoEngine()
    pairs = [a_pair("bees", "sleep"), a_pair("rain", "stone")]
    proposals, usage = generator(engine).propose(pairs, adapter=BASE, seed=0)
    assert engine.asked == ["link bees + sleep", "link rain + stone"]
    assert [proposal.pair for proposal in proposals] == pairs
    assert usage.num_prompt_tokens == 20
