"""Embedders: texts to unit vectors, from the base, from their words, or from another model."""

import importlib.util
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ddl_train.engines.words import WordEmbedder
from ddl_train.errors import ConfigError, ModelError, ResourceError
from ddl_train.records import Embedder, FloatArray, Usage

_HIDDEN_STATES = "hidden_states"
_WORDS = "words"
_SENTENCE_TRANSFORMERS = "sentence-transformers:"


class HasHiddenStates(Protocol):
    """An engine, as far as an embedder needs it."""

    base_sha256: str

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]: ...


class HiddenStateEmbedder:
    """Mean-pooled last hidden states of the frozen base; needs no other model.

    Such vectors of any two texts are nearly parallel. What reads cosines from them takes their
    mean off first, as memory does.
    """

    def __init__(self, engine: HasHiddenStates) -> None:
        self._engine = engine
        self.name = f"{_HIDDEN_STATES}:{engine.base_sha256[:16]}"

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Unit rows [n, width]."""
        states, usage = self._engine.hidden_states(texts)
        return _unit(states), usage


class SentenceTransformerEmbedder:
    """A model of the sentence-transformers library."""

    def __init__(self, model: str, *, device: str | None = None) -> None:
        """Load `model`, a Hub id or folder.

        Raises:
            ResourceError: the `embedders` extra is not installed.
            ModelError: the model cannot be loaded.
        """
        if importlib.util.find_spec("sentence_transformers") is None:
            raise ResourceError(
                f"memory.embedder {_SENTENCE_TRANSFORMERS}{model} needs the package "
                "sentence-transformers; install `ddl-train[embedders]`"
            )
        from sentence_transformers import SentenceTransformer

        try:
            self._model: Any = SentenceTransformer(model, device=device, trust_remote_code=False)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"memory.embedder: {model} cannot be loaded: {reason}") from error
        self.name = f"{_SENTENCE_TRANSFORMERS}{model}"

    def embed(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Unit rows [n, width]. Only seconds are known of its cost."""
        start = time.perf_counter()
        rows = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return _unit(np.asarray(rows, dtype=np.float32)), Usage(seconds=time.perf_counter() - start)


def load_embedder(name: str, engine: HasHiddenStates) -> Embedder:
    """The embedder that `memory.embedder` names.

    Raises:
        ConfigError: the name is not of a known form.
        ResourceError: it needs a package that is not installed.
        ModelError: its model cannot be loaded.
    """
    if name == _HIDDEN_STATES:
        return HiddenStateEmbedder(engine)
    if name == _WORDS:
        return WordEmbedder()
    if name.startswith(_SENTENCE_TRANSFORMERS) and name != _SENTENCE_TRANSFORMERS:
        return SentenceTransformerEmbedder(name.removeprefix(_SENTENCE_TRANSFORMERS))
    raise ConfigError(
        f"memory.embedder is {name!r}; expected {_HIDDEN_STATES!r}, {_WORDS!r} or "
        f"'{_SENTENCE_TRANSFORMERS}NAME_OR_PATH'"
    )


def _unit(rows: FloatArray) -> FloatArray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)
