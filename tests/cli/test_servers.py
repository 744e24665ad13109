"""A wake whose dreams or verdicts come from a server: like the local one's, and safe when it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ddl_train.config import ModelConfig, load_config
from ddl_train.cycle import wake_stage
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.errors import ServerError
from ddl_train.records import BASE, JsonObject, SilentProgress, Verdict
from ddl_train.session import open_run
from tests.cli.calling import CommandLine, is_one_sentence
from tests.model_server import ModelServer, Seedling
from tests.worlds import SEEDLING, small_world_config


@pytest.fixture(scope="module")
def seedling() -> Seedling:
    return Seedling(load_engine(ModelConfig(base=str(SEEDLING), device="cpu")))


@pytest.fixture
def server(seedling: Seedling) -> Iterator[ModelServer]:
    with ModelServer(seedling) as one:
        yield one


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_world_config(tmp_path_factory.mktemp("world"))


def config_with(world: Path, folder: Path, server: ModelServer, *roles: str) -> Path:
    """The config of the world, its own runs, these roles on the server."""
    values = yaml.safe_load(world.read_text()) | {"checkpoints_dir": str(folder)}
    asked = {"url": server.url, "model": "seedling", "max_retries": 1, "timeout_s": 20}
    values["wake"] |= dict.fromkeys(roles, asked)
    path = folder / "served.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def wake(config: Path, *overrides: str) -> tuple[list[Verdict], JsonObject]:
    """Verdicts of the first wake, and its facts."""
    with open_run(load_config(config, list(overrides))) as session:
        session.run.start_cycle(0)
        wake_stage(session, 0, progress=SilentProgress())
        return session.memory.verdicts(), session.run.cycles()[0].facts["wake"]


def decisions(verdicts: list[Verdict]) -> list[tuple[str, bool]]:
    return [(one.proposal.text, one.admitted) for one in verdicts]


def test_a_critic_on_a_server_decides_as_the_local_one(
    world: Path, tmp_path: Path, server: ModelServer
) -> None:
    config = config_with(world, tmp_path, server, "critic")
    pairs = ("wake.num_pairs=48", "wake.sampler.learn=null")  # it learns from tokens, which differ
    local, _ = wake(config, "name=local", "wake.critic=null", *pairs)
    served, facts = wake(config, *pairs)
    assert decisions(served) == decisions(local)
    assert 0 < sum(one.admitted for one in served) < len(served)
    assert facts["servers"]["critic"]["scores"] == "logprobs"
    server.gives_logprobs = False
    by_text, facts = wake(config, "name=text", *pairs)
    assert decisions(by_text) == decisions(local)
    assert facts["servers"]["critic"]["scores"] == "text"


@pytest.mark.slow
def test_a_cascade_with_both_critics_on_servers_refuses_like_the_local_one(
    world: Path, tmp_path: Path, server: ModelServer
) -> None:
    config = config_with(world, tmp_path, server, "critic")
    pairs = ("wake.num_pairs=48", "wake.batch_size=24", "wake.sampler.learn=null")
    cascade = (
        "wake.cascade.screen={ask: coherence, least: 6}",
        "wake.cascade.audit_share=0.4",
    )
    best = "wake.cascade.second={top_share: 0.5, min_novelty: 9, %s}"
    there = best % f"server: {{url: '{server.url}', model: seedling}}"
    served, facts = wake(config, there, *cascade, *pairs)
    here = best % f"local: {{base: {SEEDLING}, device: cpu}}"
    local, _ = wake(config, "name=local", "wake.critic=null", here, *cascade, *pairs)
    assert decisions(served) == decisions(local)
    assert [one.audit for one in served] == [one.audit for one in local]
    assert any(one.audit is not None for one in served)
    assert any((one.rejected_because or "").startswith("second: novelty") for one in served)
    assert facts["servers"]["second"]["scores"] == "logprobs"


def test_a_server_that_fails_midway_admits_nothing_unjudged_and_the_run_goes_on(
    world: Path, tmp_path: Path, server: ModelServer
) -> None:
    config = config_with(world, tmp_path, server, "generator", "critic")
    overrides = ["wake.num_pairs=18", "wake.batch_size=6"]
    server.fail(after=16, then="garble")  # more than one batch asks, less than all three
    with pytest.raises(ServerError, match="the same command goes on from there"):
        wake(config, *overrides)
    with open_run(load_config(config, overrides)) as session:
        assert len(session.memory.verdicts()) in (6, 12)
    server.faults.clear()
    verdicts, _ = wake(config, *overrides)
    assert len(verdicts) == 18
    assert {one.proposal.adapter for one in verdicts} == {BASE}
    assert all(one.scores is not None for one in verdicts if one.admitted)


def test_a_run_does_not_mix_scores_of_two_kinds_unasked(
    world: Path, tmp_path: Path, server: ModelServer
) -> None:
    config = config_with(world, tmp_path, server, "critic")
    overrides = ["wake.num_pairs=4", "wake.batch_size=4"]
    wake(config, *overrides)
    server.gives_logprobs = False
    for wanted in ("auto", "text"):
        with open_run(load_config(config, [*overrides, f"wake.critic.scores={wanted}"])) as session:
            if wanted == "text":
                assert session.meet_servers()["critic"]["scores"] == "text"
                continue
            with pytest.raises(ServerError, match="by text now and by logprobs in cycle 1"):
                session.meet_servers()


def test_a_dry_run_tells_of_servers_and_does_not_call_them(
    ddl: CommandLine, world: Path, tmp_path: Path, server: ModelServer
) -> None:
    config = config_with(world, tmp_path, server, "generator", "critic")
    called = ddl("run", config, "--dry-run")
    assert called.code == 0
    assert f"wake.generator: seedling at {server.url} (8 requests at once) dreams" in called.err
    assert "it has no adapter of this run, so that no night changes what is dreamt" in called.err
    assert "wake.critic: seedling at" in called.err
    assert server.asked == []


def test_a_server_that_is_down_ends_the_command_in_one_sentence(
    ddl: CommandLine, world: Path, tmp_path: Path, server: ModelServer
) -> None:
    config = config_with(world, tmp_path, server, "critic")
    server.__exit__()
    called = ddl("run", config, "--quiet", "wake.critic.max_retries=0")
    assert called.code == 2
    assert "cannot be reached" in called.err
    assert "Traceback" not in called.err
    missing = ddl("run", config, "--dry-run", "wake.critic.api_key_env=NO_SUCH_KEY")
    assert missing.code == 2
    assert is_one_sentence(missing.err)
