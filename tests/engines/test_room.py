"""Memory runs out: half the batch, the same results, and a sentence where that does not help."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl_train.config import ModelConfig
from ddl_train.engines import room
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ResourceError
from ddl_train.records import BASE, Continuation, Sampling
from tests.tight import small_memory

PROMPTS = [f"note {'long ' * (number % 4)}{number}" for number in range(12)]
ITEMS = [Continuation(prompt=prompt, continuation="miritis") for prompt in PROMPTS]
GREEDY = Sampling(max_new_tokens=6)

CALLS: dict[str, Callable[[TransformersEngine], Any]] = {
    "generate": lambda engine: [
        one.text for one in engine.generate(PROMPTS, sampling=GREEDY, adapter=BASE, seed=0)[0]
    ],
    "loglikelihood": lambda engine: [
        one.total for one in engine.loglikelihood(ITEMS, adapter=BASE)[0]
    ],
    "integers": lambda engine: engine.integer_distribution(PROMPTS, low=1, high=9, adapter=BASE)[0],
    "text_loss": lambda engine: [one.loss for one in engine.text_loss(PROMPTS, adapter=BASE)[0]],
    "hidden_states": lambda engine: engine.hidden_states(PROMPTS)[0],
}


@pytest.fixture
def wide(tiny_dir: Path) -> TransformersEngine:
    return load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=8))


@pytest.mark.parametrize("name", CALLS)
def test_half_the_batch_gives_the_same(wide: TransformersEngine, name: str) -> None:
    expected = CALLS[name](wide)
    with small_memory(wide, 4):
        found = CALLS[name](wide)
        half = wide.room.batch_size
        assert half in (3, 4)  # of the 7 or 8 rows that were tried
        CALLS[name](wide)
    assert (wide.room.batch_size, len(wide.room.notes)) == (half, 1)
    if name == "generate":
        assert found == expected
    else:
        assert np.asarray(found) == pytest.approx(np.asarray(expected), abs=1e-4)


@pytest.mark.parametrize("name", CALLS)
def test_memory_that_runs_out_again_is_one_sentence(wide: TransformersEngine, name: str) -> None:
    with (
        small_memory(wide, 1),
        pytest.raises(ResourceError, match=r"ran out again at batches of [234]"),
    ):
        CALLS[name](wide)
    assert wide.room.batch_size in (1, 2)  # half of that: what the next session begins with


def test_one_sequence_that_does_not_fit_is_said_at_once(tiny_dir: Path) -> None:
    engine = load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=1))
    with small_memory(engine, 0), pytest.raises(ResourceError, match="one sequence at a time"):
        CALLS["hidden_states"](engine)


def test_the_next_session_begins_with_what_fits(wide: TransformersEngine, tiny_dir: Path) -> None:
    with small_memory(wide, 4):
        CALLS["generate"](wide)
    found = wide.found
    again = load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=8))
    again.take_up(found)
    assert again.room.batch_size == 4
    other = load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=16))
    other.take_up(found)  # a person asks for another size, and it is tried
    assert other.room.batch_size == 16


def test_a_batch_that_the_machine_cannot_hold_is_not_tried(
    wide: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = CALLS["integers"](wide)
    # Linux would grant the memory and end the process that uses it
    longest = max(len(wide.prompt_ids(prompt)) for prompt in PROMPTS)
    a_token = wide.room._cache_bytes + wide.room._step_bytes
    of_eight = 8 * (longest * a_token + 3 * 4 * wide.vocab_size)
    monkeypatch.setattr(room, "available_bytes", lambda: 0.6 * of_eight)
    assert CALLS["integers"](wide) == pytest.approx(expected, abs=1e-5)
    assert wide.room.batch_size in (3, 4)
    monkeypatch.setattr(room, "available_bytes", lambda: 0)
    with pytest.raises(ResourceError, match=r"GiB are available\)"):
        CALLS["integers"](wide)


def test_what_is_no_lack_of_memory_passes(wide: TransformersEngine) -> None:
    def wrong() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        wide.room.fit(wrong)
    assert wide.room.batch_size == 8


def test_there_is_memory_now() -> None:
    assert room.available_bytes() > 1 << 20
