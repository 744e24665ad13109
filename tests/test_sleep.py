"""A night goes from rows to an adapter that says what it did."""

from pathlib import Path
from typing import Any

import pytest

from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import Interrupted
from ddl_train.records import StudyItem
from ddl_train.roles.prompts import load_pack
from ddl_train.sleep import Material, Night, sleep
from tests.fakes import a_concept, an_insight
from tests.training.nights import quick, tiny_engine

PACK = load_pack("terse")
REJECTED = [(a_concept(1), a_concept(2))]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


def items_of(insight_id: int) -> list[StudyItem]:
    return [
        StudyItem(insight_id=insight_id, kind=kind, question=f"{kind} {insight_id}?", answer="it")
        for kind in ("restate", "forward", "reverse")
    ]


def run_night(
    engine: TransformersEngine,
    night_dir: Path,
    *,
    items: list[StudyItem] | None = None,
    **changes: Any,
) -> Night:
    material = Material(
        tonight=[an_insight(1)],
        earlier=[an_insight(2)],
        items=[*items_of(1), *items_of(2)] if items is None else items,
        rejected=REJECTED,
        general=[],
    )
    given: dict[str, Any] = {
        "config": quick(num_train_epochs=1),
        "seed": 3,
        "night_dir": night_dir,
    }
    return sleep(engine, PACK, material, **(given | changes))


def test_a_night_says_what_it_trained_on(engine: TransformersEngine, tmp_path: Path) -> None:
    night = run_night(engine, tmp_path)
    assert night.adapter_dir is not None
    assert (night.adapter_dir / "adapter_model.safetensors").is_file()
    assert night.failed_because is None
    assert night.insight_ids == (1, 2)
    assert night.concept_ids == (1, 2)
    origins = [row.origin for row in night.rows]
    assert (origins.count("new"), origins.count("replay"), origins.count("no_link")) == (4, 4, 1)
    assert night.usage.num_tokens > 0
    assert night.notes == ("general_share 0.1 is unused: sleep.general is empty",)


def test_a_night_can_be_asked_for_again(engine: TransformersEngine, tmp_path: Path) -> None:
    assert run_night(engine, tmp_path) == run_night(engine, tmp_path)


def test_a_night_stops_when_asked_to(engine: TransformersEngine, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run_night(engine, tmp_path, should_stop=lambda: True)
    assert run_night(engine, tmp_path).metrics["num_steps"] == 5


def test_without_usable_items_there_is_no_adapter(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    night = run_night(engine, tmp_path, items=[], config=quick(kinds=["forward"]))
    assert night.adapter_dir is None
    assert night.failed_because is not None
    assert "nothing to train on" in night.failed_because
    assert "1 of tonight's insights have no usable study item" in night.notes
    assert not any(tmp_path.iterdir())


def test_from_base_takes_no_heed_of_the_current_adapter(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    first = run_night(engine, tmp_path / "first")
    second = run_night(engine, tmp_path / "second", start_from=first.adapter_dir)
    assert first.adapter_dir is not None
    assert second.adapter_dir is not None
    name = "adapter_model.safetensors"
    assert (first.adapter_dir / name).read_bytes() == (second.adapter_dir / name).read_bytes()
