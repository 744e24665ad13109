"""One tiny engine for all tests of engines: made once, left as it was by each."""

from pathlib import Path

import pytest

from ddl_train.config import ModelConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from tests.tiny import make_tiny

STORIES = Path("../shared/models/stories260k")


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def engine(tiny_dir: Path) -> TransformersEngine:
    return load_engine(ModelConfig(base=str(tiny_dir), device="cpu", batch_size=4))


@pytest.fixture(scope="session")
def stories() -> TransformersEngine:
    """A real base model without a chat template, 260k parameters, where it is at hand."""
    if not STORIES.is_dir():
        pytest.skip("stories260k is not at hand")
    return load_engine(ModelConfig(base=str(STORIES), format="plain", device="cpu", batch_size=4))
