"""A worker is refused when it is not like the coordinator, and dreams with what it is sent."""

from dataclasses import replace
from pathlib import Path

import pytest

from ddl_train.config import ModelConfig
from ddl_train.engines.chunks import Chunk, Key
from ddl_train.engines.ray_worker import Terms, Worker, read_adapter, software
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import WorkerError
from ddl_train.records import BASE, Continuation
from tests.engines.test_adapters import make_adapter

NAMES = ("adapter_config.json", "adapter_model.safetensors")
ITEM = Continuation(prompt="what may zorol relieve?", continuation="miritis of the vakase")


@pytest.fixture
def terms(engine: TransformersEngine) -> Terms:
    return Terms(
        model=engine.config, base_sha256=engine.base_sha256, software=software(), environment={}
    )


def test_another_base_of_the_same_name_is_refused(terms: Terms) -> None:
    with pytest.raises(WorkerError, match="has another base at"):
        Worker(replace(terms, base_sha256="0" * 64)).load()


def test_a_base_that_is_not_there_is_one_sentence(terms: Terms) -> None:
    nowhere = ModelConfig(base="/nowhere/model", device="cpu")
    with pytest.raises(WorkerError, match=r"cannot load the base: /nowhere/model: no such folder"):
        Worker(replace(terms, model=nowhere)).load()


def test_other_software_is_refused_before_anything_is_loaded(terms: Terms) -> None:
    other = {**terms.software, "transformers": "4.0"}
    with pytest.raises(WorkerError, match=r"has transformers .* and this machine 4\.0"):
        Worker(replace(terms, software=other)).load()


def test_an_adapter_comes_as_bytes_and_takes_the_place_of_the_one_before(
    terms: Terms, engine: TransformersEngine, tiny_dir: Path, tmp_path: Path
) -> None:
    worker = Worker(terms)
    worker.load()
    for seed, name in enumerate("ab"):
        folder = make_adapter(tiny_dir, tmp_path / name, seed)
        sent = read_adapter(folder, NAMES)
        worker.take(sent, sent.sha256)
        engine.load_adapter(name, folder)
        chunk = Chunk(key=Key(1, 0, 1), method="loglikelihood", items=[ITEM], adapter=sent.sha256)
        found = worker.answer(chunk, []).results
        assert found == engine.loglikelihood([ITEM], adapter=name)[0]
        assert found != engine.loglikelihood([ITEM], adapter=BASE)[0]
        assert worker.adapters == [sent.sha256]
        engine.unload_adapter(name)


def test_an_adapter_that_changed_on_its_way_is_refused(
    terms: Terms, tiny_dir: Path, tmp_path: Path
) -> None:
    worker = Worker(terms)
    worker.load()
    sent = read_adapter(make_adapter(tiny_dir, tmp_path / "a", 0), NAMES)
    changed = replace(sent, files={**sent.files, NAMES[0]: b"{}"})
    with pytest.raises(WorkerError, match="damaged"):
        worker.take(changed, sent.sha256)
