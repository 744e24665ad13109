"""Rows of the speed bench that run a model, lived small on random weights."""

from pathlib import Path

import pytest

from ddl_train.bench import ceilings
from ddl_train.bench.random_models import random_engine, shape
from ddl_train.bench.speed_decode import Load, decode_speed
from ddl_train.bench.speed_training import lora_speed, packing_speed, some_rows
from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.records import SilentProgress
from tests.tiny import make_tiny

QUIET = SilentProgress()
SLEEP = SleepConfig(r=2, per_device_train_batch_size=4, max_length=64)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    folder = make_tiny(tmp_path_factory.mktemp("bench") / "tiny")
    return load_engine(ModelConfig(base=str(folder), device="cpu"))


@pytest.fixture(autouse=True)
def _small_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "_BYTES", {"cpu": 1 << 20})
    monkeypatch.setattr(ceilings, "_SIDE", {"cpu": 128})


def test_decoding_is_measured_against_the_roofline_and_has_no_goal_on_a_cpu(
    engine: TransformersEngine,
) -> None:
    load = Load(model="small", batch_size=2, num_words=4, num_new=4)
    config = engine.config
    (figure,) = decode_speed(config, load, num_rounds=1, progress=QUIET)
    assert figure.name == "M1 decode tokens/s over the roofline, small random, sdpa"
    assert figure.value > 0
    assert not figure.goal


def test_shapes_have_the_parameters_of_their_models() -> None:
    def count(name: str) -> float:
        config = shape(name)
        width = config.head_dim or config.hidden_size // config.num_attention_heads
        heads = config.num_attention_heads + config.num_key_value_heads
        layer = 2 * heads * width * config.hidden_size
        layer += 3 * config.hidden_size * config.intermediate_size
        words = config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
        return float(words + config.num_hidden_layers * layer) / 1e6

    assert round(count("SmolLM2-135M")) == 134  # the card says 134.5 million
    assert round(count("Qwen3-0.6B")) == 596
    assert round(count("Qwen3-8B"), -1) == 8190


def test_a_random_engine_is_the_same_each_time(engine: TransformersEngine) -> None:
    losses = [
        random_engine("small", engine.config).text_loss(["a b"], adapter="base")[0][0].loss
        for _ in range(2)
    ]
    assert losses[0] == losses[1]


def test_a_lora_is_measured_against_the_peak_and_against_plain_trl(
    engine: TransformersEngine,
) -> None:
    rows = some_rows(SLEEP, 8, mean=6)
    mfu, over_plain = lora_speed(engine, rows, SLEEP, min_mfu=2.0, num_rounds=1, progress=QUIET)
    assert 0 < mfu.value < 2
    assert (mfu.goal, mfu.is_met) == ("2 or more", False)
    assert over_plain.is_met == (over_plain.value >= 1)


def test_packs_and_joined_rows_have_the_loss_of_rows_one_by_one(
    engine: TransformersEngine,
) -> None:
    rows = some_rows(SLEEP, 8, mean=6)
    joined, packed, fill, *losses = packing_speed(engine, rows, SLEEP, num_rounds=1, progress=QUIET)
    assert joined.value > 0 and packed.value > 0
    assert 0 < fill.value <= 1
    assert all(loss.is_met and loss.value <= 1e-4 for loss in losses)


def test_rows_are_the_general_ones_where_there_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    path.write_text('{"prompt": "a", "completion": "b"}\n' * 3)
    sleep = SLEEP.model_copy(update={"general": [str(path)]})
    assert [row.prompt for row in some_rows(sleep, 3, mean=5)] == ["a"] * 3
    assert len({row.prompt for row in some_rows(sleep, 4, mean=5)}) == 4
