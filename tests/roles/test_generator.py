"""The generator: a prompt for each pair, a proposal for each answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ddl_train.config import Moment, WakeConfig
from ddl_train.errors import ConfigError
from ddl_train.records import BASE, Completion, Proposal, Sampling, Usage
from ddl_train.roles.generator import ModelGenerator, check_pack
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


PARTS = "Reasoning: bees pack and sleep sorts.\nHypothesis: {}"


def ask(text: str, *, operator: str = "connect", **wake: Any) -> tuple[Proposal, EchoEngine]:
    """What is made of an answer to the default pack, and the engine that gave it."""
    engine = EchoEngine(answer=lambda prompt: text)
    config = WakeConfig.model_validate(wake)
    pair = replace(a_pair("bees pack", "sleep sorts"), operator=operator)
    (proposal,), _ = ModelGenerator(engine, load_pack("default"), config).propose(
        [pair], adapter=BASE, seed=3
    )
    return proposal, engine


def test_a_pair_is_asked_about_with_its_operator() -> None:
    pack = load_pack("default")
    for operator in pack.operators:
        proposal, engine = ask(PARTS.format("c holds."), operator=operator)
        name = "propose" if operator == "connect" else f"operator_{operator}"
        assert engine.asked == [pack.render(name, a="bees pack", b="sleep sorts")]
        assert (proposal.conclusion, proposal.pair.operator) == ("c holds.", operator)


def test_the_conclusion_of_a_question_is_what_one_would_bet_on() -> None:
    assert ask(PARTS.format("wax melts."), operator="question")[0].conclusion == "wax melts."
    proposal, _ = ask(PARTS.format("does wax melt?"), operator="question")
    assert (proposal.conclusion, proposal.is_none) == ("", False)
    assert ask(PARTS.format("does wax melt?"))[0].conclusion == "does wax melt?"


def test_one_of_several_ideas_is_kept_with_its_part_of_the_tokens() -> None:
    ideas = [PARTS.format(f"claim {n}.") for n in range(4)]
    text = "\n".join(f"Answer {n + 1} (probability 0.05)\n{one}" for n, one in enumerate(ideas))
    proposal, engine = ask(text, verbalised={"num_ideas": 4})
    assert proposal.text in ideas
    assert proposal.text.endswith(proposal.conclusion)
    share = len(proposal.text) / len(text)
    assert proposal.num_completion_tokens == round(share * len(text.split()))
    assert "not one answer but 4" in engine.asked[0]
    assert "probability below 0.1" in engine.asked[0]


def test_which_idea_is_kept_depends_on_seed_and_pair_alone() -> None:
    text = "\n".join(f"Answer {n}\n{PARTS.format(f'claim {n}.')}" for n in range(1, 6))
    engine = EchoEngine(answer=lambda prompt: text)
    config = WakeConfig.model_validate({"verbalised": {}})
    generator = ModelGenerator(engine, load_pack("default"), config)
    pairs = [a_pair(first=first) for first in range(2, 30)]

    def kept(seed: int, order: int) -> list[str]:
        proposals, _ = generator.propose(pairs[::order], adapter=BASE, seed=seed)
        return [one.conclusion for one in proposals][::order]

    assert kept(0, 1) == kept(0, -1) != kept(1, 1)
    assert len(set(kept(0, 1))) == 5


class Recorder(EchoEngine):
    """Remembers how it was asked to sample."""

    sampling: Sampling

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        self.sampling = sampling
        return super().generate(prompts, sampling=sampling, adapter=adapter, seed=seed)


def test_a_schedule_reaches_the_engine() -> None:
    schedule = {"start": 1.0, "end": 0.5, "over": "batches"}
    config = WakeConfig.model_validate({"temperature": schedule})
    engine = Recorder()
    for batch, expected in enumerate((1.0, 0.75, 0.5)):
        moment = Moment(cycle=0, num_cycles=1, batch=batch, num_batches=3)
        generator = ModelGenerator(engine, load_pack("terse"), config, moment)
        generator.propose([a_pair()], adapter=BASE, seed=0)
        assert engine.sampling.temperature == expected
    ModelGenerator(engine, load_pack("terse"), config).propose([a_pair()], adapter=BASE, seed=0)
    assert engine.sampling.temperature == 0.5


def test_several_ideas_have_room_for_all_of_them() -> None:
    engine = Recorder()
    config = WakeConfig.model_validate({"verbalised": {"num_ideas": 3}, "max_new_tokens": 100})
    ModelGenerator(engine, load_pack("default"), config).propose([a_pair()], adapter=BASE, seed=0)
    assert engine.sampling.max_new_tokens == 360


@pytest.mark.parametrize(
    ("wake", "said"),
    [
        (
            {"operators": {"connect": 1, "rhyme": 1, "analogy": 1}},
            r"wake.operators names 'rhyme', 'analogy', for which the prompt pack .*terse has no "
            r"template \(operator_rhyme.jinja, operator_analogy.jinja\); it has connect; copy operator_analogy.jinja from .*",
        ),
        ({"verbalised": {}}, r"wake.verbalised is set, .*terse has no template \(verbalised.jinja"),
    ],
)
def test_what_the_pack_lacks_is_one_clear_error(wake: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_pack(load_pack("terse"), WakeConfig.model_validate(wake))
