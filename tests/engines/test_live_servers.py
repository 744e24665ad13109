"""The seedling under servers that others wrote: `transformers serve`, and llama.cpp's own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ddl_train.config import CriticServerConfig, GeneratorServerConfig, ModelConfig
from ddl_train.engines.server_engine import ServerEngine
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import ServerError
from ddl_train.records import AXES, BASE, FloatArray, Sampling
from ddl_train.roles.prompts import load_pack
from tests.worlds import ROOT, SEEDLING

START_S = 120
FACTS = ("zorol lowers vakase", "high vakase causes miritis", "zorol raises lumtone")
IDEA = f"{FACTS[0]} and {FACTS[1]}, so zorol may relieve miritis"
QUESTIONS = [
    load_pack("terse").render("score", a=a, b=b, idea=IDEA, axes=list(AXES), axis=axis)
    for a in FACTS
    for b in FACTS
    for axis in AXES
]
PROPOSE = [load_pack("terse").render("propose", a=a, b=b) for a in FACTS for b in FACTS]

needs_serve = pytest.mark.skipif(
    not (find_spec("fastapi") and find_spec("uvicorn")),
    reason="needs the extra `servers` for `transformers serve`",
)
needs_llama_cpp = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("gguf")),
    reason="needs the extra `servers` for llama.cpp",
)


@contextmanager
def running(*command: str, port: int, home: Path) -> Iterator[str]:
    """A server in a process of its own, up to `/v1`, once it listens."""
    environment = {**os.environ, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
    (home / "hub").mkdir()
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START_S
        while not _listens(port):
            said = (home / "log").read_text()[-2000:]
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def local() -> TransformersEngine:
    return load_engine(ModelConfig(base=str(SEEDLING), device="cpu"))


def critic(url: str, model: str, local: TransformersEngine) -> ServerEngine:
    config = CriticServerConfig(url=url, model=model, max_concurrency=4)
    return ServerEngine(config, where="wake.critic", special_tokens=local.special_tokens, count=len)


def ratings(engine: TransformersEngine | ServerEngine) -> FloatArray:
    return engine.integer_distribution(QUESTIONS, low=1, high=10, adapter=BASE)[0]


def greedy(engine: TransformersEngine | ServerEngine) -> list[str]:
    sampling = Sampling(max_new_tokens=48)
    answers, _ = engine.generate(PROPOSE, sampling=sampling, adapter=BASE, seed=0)
    return [one.text for one in answers]


@needs_serve
def test_transformers_serve_gives_no_logprobs_which_is_noticed_and_its_texts_are_scores(
    local: TransformersEngine, port: int, tmp_path: Path
) -> None:
    command = ("transformers.cli.transformers", "serve", "--device", "cpu", "--dtype", "float32")
    where = ("--host", "127.0.0.1", "--port", str(port))
    with running(*command, *where, port=port, home=tmp_path) as url:
        engine = critic(url, str(SEEDLING), local)
        assert engine.reads_scores_by == "text"
        assert np.array_equal(ratings(engine).argmax(1), ratings(local).argmax(1))
        assert greedy(engine) == greedy(local)
        config = GeneratorServerConfig(url=url, model=str(SEEDLING))
        dreamer = ServerEngine(config, where="wake.generator", special_tokens=[], count=len)
        sampling = Sampling(max_new_tokens=8, temperature=0.7, min_p=0.1)
        with pytest.raises(ServerError, match=r"set wake\.min_p to 0"):
            dreamer.generate(PROPOSE, sampling=sampling, adapter=BASE, seed=0)


@needs_llama_cpp
def test_llama_cpp_gives_the_probabilities_of_the_local_base(
    local: TransformersEngine, port: int, tmp_path: Path
) -> None:
    command = ("tests.llama_cpp", str(SEEDLING), str(port))
    with running(*command, port=port, home=tmp_path) as url:
        engine = critic(url, "seedling", local)
        assert engine.reads_scores_by == "logprobs"
        assert engine.meet().can_continue
        assert np.allclose(ratings(engine), ratings(local), atol=0.01)
        assert greedy(engine) == greedy(local)
        with pytest.raises(ServerError, match="answers as 'seedling', and was asked for 'other'"):
            critic(url, "other", local).meet()
