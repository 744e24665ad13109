"""A wake on a Ray cluster of several nodes: like the local one's, also when a node dies.

Needs the `ray` extra, which the suite does without: `pip install -e ".[ray]"`, then
`pytest tests/test_workers.py`; a few minutes on two cores. What is done about lost workers is tested
without Ray in `engines/test_fan_out.py`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ddl_train.config import Config, ModelConfig, WorkersConfig, load_config
from ddl_train.cycle import wake_stage
from ddl_train.engines.ray_engine import RayEngine
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.errors import ModelError, WorkerError
from ddl_train.records import (
    BASE,
    JsonObject,
    Progress,
    Sampling,
    SilentProgress,
    StageProgress,
    Verdict,
)
from ddl_train.session import open_run
from tests.engines.test_adapters import make_adapter
from tests.tiny import make_tiny
from tests.worlds import small_world_config

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

CLIENT_PORT = 20001
NOTICE_DEATHS_SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 5,
}
SMALL_STORE = 80_000_000


@dataclass
class Nodes:
    """A head without workers, and nodes with room for one each."""

    cluster: Any
    nodes: list[Any] = field(default_factory=list)

    def add(self) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE))

    def kill_one(self) -> None:
        self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": 0,
        "include_dashboard": False,
        "object_store_memory": SMALL_STORE,
        "ray_client_server_port": CLIENT_PORT,
        "_system_config": NOTICE_DEATHS_SOON,
    }
    cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    made = Nodes(cluster)
    try:
        for _ in range(2):
            made.add()
        yield made
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_world_config(tmp_path_factory.mktemp("world"))


class KillOnce:
    """A `Progress` that has something done while the second batch is under way."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._is_done = False

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[StageProgress]:
        yield self

    def advance(self, n: int, *, total: int | None = None, **facts: float | str) -> None:
        if n and not self._is_done:
            self._is_done = True
            threading.Timer(0.1, self._nodes.kill_one).start()


def wake(config: Config, progress: Progress | None = None) -> tuple[list[Verdict], JsonObject]:
    with open_run(config) as session:
        session.run.start_cycle(0)
        wake_stage(session, 0, progress=progress or SilentProgress())
        return session.memory.verdicts(), session.run.cycles()[0].facts["wake"]


def decisions(verdicts: list[Verdict]) -> list[tuple[str, str | None, bool]]:
    return [(one.proposal.text, one.rationale, one.admitted) for one in verdicts]


def test_a_wake_whose_node_is_killed_midway_ends_as_the_local_one(
    config: Path, nodes: Nodes
) -> None:
    local, _ = wake(load_config(config, ["name=local"]))
    overrides = ["wake.workers.num_workers=2", "wake.workers.chunk_size=2"]
    address = f"wake.workers.address={nodes.cluster.address}"
    far, facts = wake(load_config(config, ["name=far", address, *overrides]), KillOnce(nodes))
    assert decisions(far) == decisions(local)
    assert 0 < sum(one.admitted for one in far) < len(far)
    assert facts["workers"]["num_lost"] >= 1
    assert facts["workers"]["num_workers"] == 2
    nodes.add()


def test_the_ray_client_brings_the_same_texts_under_any_adapter(
    nodes: Nodes, tmp_path: Path
) -> None:
    base = make_tiny(tmp_path / "tiny")
    local = load_engine(ModelConfig(base=str(base), device="cpu", batch_size=4))
    for seed, name in enumerate("ab"):
        local.load_adapter(name, make_adapter(base, tmp_path / name, seed))
    prompts = [f"what may zorol relieve? {'vakase ' * (n % 5)}{n}" for n in range(23)]
    sampling = Sampling(max_new_tokens=12, temperature=0.9)
    address = f"ray://127.0.0.1:{CLIENT_PORT}"
    far = RayEngine(local, WorkersConfig(address=address, num_workers=2, chunk_size=3))
    try:
        texts = []
        for name in (BASE, "a", "b"):
            found, usage = far.generate(prompts, sampling=sampling, adapter=name, seed=5)
            expected, cost = local.generate(prompts, sampling=sampling, adapter=name, seed=5)
            assert found == expected
            assert usage.num_completion_tokens == cost.num_completion_tokens
            texts.append(found)
        assert texts[0] != texts[1] != texts[2]
        with pytest.raises(ModelError, match=r"longer than model\.max_length"):
            far.generate(["too long " * 2000], sampling=sampling, adapter=BASE, seed=0)
        assert far.facts["num_lost"] == 0
    finally:
        far.close()


def test_more_workers_than_there_is_room_for_is_one_sentence(config: Path, nodes: Nodes) -> None:
    overrides = [f"wake.workers.address={nodes.cluster.address}", "wake.workers.num_workers=9"]
    with pytest.raises(WorkerError, match=r"9 workers .* has place for 2"):
        wake(load_config(config, ["name=crowded", *overrides]))


def test_a_cluster_that_is_not_there_is_one_sentence(config: Path) -> None:
    with pytest.raises(WorkerError, match="cannot be joined"):
        wake(load_config(config, ["name=nowhere", "wake.workers=ray://127.0.0.1:1"]))
