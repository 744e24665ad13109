"""Embedders: unit vectors, and a name for their space."""

import importlib.util

import numpy as np
import pytest

from ddl_train.engines.embedders import HiddenStateEmbedder, load_embedder
from ddl_train.engines.transformers_engine import TransformersEngine
from ddl_train.errors import ConfigError, ResourceError

HAS_LIBRARY = importlib.util.find_spec("sentence_transformers") is not None


def test_hidden_states_give_unit_vectors(engine: TransformersEngine) -> None:
    rows, usage = HiddenStateEmbedder(engine).embed(["a", "zorol lowers vakase"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert usage.num_prompt_tokens > 0


def test_the_space_is_named_after_the_base(engine: TransformersEngine) -> None:
    assert engine.base_sha256[:16] in load_embedder("hidden_states", engine).name


def test_an_unknown_embedder_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(ConfigError, match="sentence-transformers:NAME_OR_PATH"):
        load_embedder("bert", engine)


@pytest.mark.skipif(HAS_LIBRARY, reason="sentence-transformers is installed")
def test_a_missing_library_is_named_with_its_extra(engine: TransformersEngine) -> None:
    with pytest.raises(ResourceError, match=r"ddl-train\[embedders\]"):
        load_embedder("sentence-transformers:all-MiniLM-L6-v2", engine)
