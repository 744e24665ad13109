"""The roles on a real engine at random weights: they fit together."""

from dataclasses import replace
from pathlib import Path

import pytest

from ddl_train.config import ModelConfig, WakeConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.records import BASE
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.generator import ModelGenerator
from ddl_train.roles.prompts import load_pack
from ddl_train.roles.student import write_items
from tests.fakes import a_pair, a_proposal, an_insight
from tests.tiny import make_tiny

CONFIG = WakeConfig(max_new_tokens=8, min_support=0.1, min_rederived=0.1)
PAIR = a_pair("bees build hexagonal cells", "sleep replays the day")
IDEA = a_proposal("bees pack cells and sleep replays, so memories may be packed", pair=PAIR)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    folder: Path = make_tiny(tmp_path_factory.mktemp("models") / "tiny")
    return load_engine(ModelConfig(base=str(folder), device="cpu", batch_size=8, max_length=2000))


@pytest.mark.parametrize("name", ["default", "terse"])
def test_every_proposal_gets_scores_on_the_scale(engine: TransformersEngine, name: str) -> None:
    scores, _ = LogitCritic(engine, load_pack(name), CONFIG).score([IDEA] * 3)
    for found in scores:
        assert found is not None
        assert found.support is not None and found.rederived is not None
        assert all(1 <= value <= 10 for value in (found.novelty, found.coherence, found.utility))
        assert 0 <= found.support <= 1
        assert 0 <= found.rederived <= 1


def test_an_idea_is_as_likely_whichever_concept_comes_first(engine: TransformersEngine) -> None:
    turned = replace(IDEA, pair=a_pair(PAIR.b.text, PAIR.a.text))
    found, _ = LogitCritic(engine, load_pack("terse"), CONFIG).score([IDEA, turned])
    assert found[0] is not None and found[1] is not None
    assert found[0].rederived == pytest.approx(found[1].rederived)
    assert found[0].support != pytest.approx(found[1].support)


def test_an_idea_is_read_once_for_its_three_scores(engine: TransformersEngine) -> None:
    pack = load_pack("default")
    critic = LogitCritic(engine, pack, WakeConfig(max_disagreement=None))
    _, usage = critic.score([IDEA])
    prompt = pack.render(
        "score",
        a=PAIR.a.text,
        b=PAIR.b.text,
        idea=IDEA.text,
        axes=list(pack.axes),
        axis="utility",
    )
    assert usage.num_prompt_tokens < 1.3 * len(engine.chat.prompt_ids(prompt))


def test_the_same_seed_dreams_the_same(engine: TransformersEngine) -> None:
    generator = ModelGenerator(engine, load_pack("default"), CONFIG)
    first, _ = generator.propose([PAIR] * 3, adapter=BASE, seed=1)
    again, _ = generator.propose([PAIR] * 3, adapter=BASE, seed=1)
    assert first == again


def test_random_weights_write_no_items(engine: TransformersEngine) -> None:
    pack = load_pack("default")
    items, usage = write_items(engine, pack, [an_insight()], ["forward"], "study")
    assert items == []
    assert usage.num_completion_tokens > 0
