"""A session: a run with its memory and its model in hand, each loaded once.

Everything that `cycle.py` and the command line need of a run stands here, wired and nothing more.
Memory's embedder, the generator and the critic share one engine, so the base is loaded once. In
wake a server may dream or judge in their place, and the workers of a cluster do what is left to the
base; what sleeps and is measured is always the local base.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ddl_train.config import Config, CriticServerConfig, Moment
from ddl_train.engines.embedders import load_embedder
from ddl_train.engines.ray_engine import RayEngine
from ddl_train.engines.server_engine import ServerEngine
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.engines.vllm_engine import VllmEngine
from ddl_train.errors import ServerError
from ddl_train.memory.reading import longest_texts
from ddl_train.memory.store import Memory
from ddl_train.records import (
    BASE,
    ConceptPair,
    Critic,
    Embedder,
    Generator,
    JsonObject,
)
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.elsewhere import load_larger, make_servers, make_vllm, second_critic
from ddl_train.roles.generator import ModelGenerator, check_pack, dream_prompt
from ddl_train.roles.prompts import PromptPack, load_pack
from ddl_train.storage.run import Run


def never() -> bool:
    """The answer of a run that nobody asks to stop."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A run that can be worked on."""

    run: Run
    memory: Memory
    engine: TransformersEngine
    embedder: Embedder
    pack: PromptPack
    generator: Generator
    """The local model, which can carry every adapter: what is measured."""
    critic: Critic
    second: Critic | None = None
    """A larger critic for the best of what the first would let in."""
    servers: Mapping[str, ServerEngine] = field(default_factory=dict)
    """Models elsewhere that dream (`generator`) or judge (`critic`, `second`) in wake."""
    vllm: VllmEngine | None = None
    """The base a second time, run by vLLM, for the roles of `wake.vllm`."""
    workers: RayEngine | None = None
    """The base on other machines, which wake asks in place of the local one."""
    waking_critic: Critic | None = None
    """Who judges in wake where it is not `critic`."""
    should_stop: Callable[[], bool] = never
    """Asked between batches and training steps; True saves and stops."""

    @property
    def config(self) -> Config:
        return self.run.config

    def use(self, version: str) -> str:
        """Make an adapter known to the engine, and return its name; `base` needs nothing."""
        if version != BASE and version not in self.engine.adapters:
            adapter = self.run.adapter(version)
            self.engine.load_adapter(version, adapter.path, base_sha256=adapter.base_sha256)
        return version

    def dreamer(self, moment: Moment) -> Generator:
        """Who dreams a batch: a server, the workers, or the local model."""
        config = self.config.wake
        if elsewhere := self.servers.get("generator") or self.workers:
            return ModelGenerator(elsewhere, self.pack, config, moment)
        if self.vllm is not None and "generator" in self.vllm.config.roles:
            return ModelGenerator(self.vllm, self.pack, config, moment)
        if config.has_schedule:
            return ModelGenerator(self.engine, self.pack, config, moment)
        return self.generator

    def rest(self) -> None:
        """Leave the device to training: vLLM sleeps until it is asked again."""
        if self.vllm is not None:
            self.vllm.rest()

    def moment(self, cycle: int, batch: int, num_pairs: int) -> Moment:
        """The place of a batch in the run, for schedules; `num_pairs`: of its wake."""
        return Moment(
            cycle=cycle,
            num_cycles=self.config.num_cycles,
            batch=batch,
            num_batches=-(-num_pairs // self.config.wake.batch_size),
        )

    def note_batch(self, moment: Moment, pairs: Sequence[ConceptPair]) -> None:
        """Write down, for plots, how a batch was dreamt, where batches differ in that."""
        config = self.config.wake
        if config.has_schedule or len(config.operators) > 1:
            sampled: JsonObject = {
                "temperature": config.temperature_at(moment),
                "min_p": config.min_p_at(moment),
                "operators": dict(Counter(pair.operator for pair in pairs)),
            }
            place = {"cycle": moment.cycle, "stage": "wake", "batch": moment.batch}
            self.run.metrics(place | sampled)

    @property
    def judge(self) -> Critic:
        """Who judges in wake: on a server, the workers, or the local base."""
        return self.waking_critic or self.critic

    @property
    def dreaming_adapter(self) -> str:
        """Version that dreams in wake: the current one, unless a server dreams without it."""
        server = self.servers.get("generator")
        if server is None:
            adapter = self.use(self.run.current)
            if self.workers is not None and adapter != BASE:
                self.workers.ship_adapter(adapter)
            if self.vllm is not None and adapter != BASE:
                self.vllm.load_adapter(adapter, self.run.adapter(adapter).path)
            return adapter
        return self.run.current if server.has_adapters else BASE

    def settle_batching(self, moment: Moment, pairs: Sequence[ConceptPair], adapter: str) -> None:
        """Decide, before the first dreams of a run, how its texts are written; and remember it."""
        dreamer = self.dreamer(moment)
        if isinstance(dreamer, ModelGenerator) and dreamer.engine is self.engine:
            prompts = dreamer.prompts(pairs)
            self.engine.settle_batching(prompts, sampling=dreamer.sampling, adapter=adapter)
            self.keep_engine()

    def keep_engine(self) -> None:
        """Remember in the run what the engine has found out about this machine."""
        if self.engine.found != self.run.engine:
            self.run.keep_engine(self.engine.found)

    def meet_servers(self) -> JsonObject:
        """Ask each server what it can do; by role, which model it is and how it gives scores.

        Workers, where there are any, are waited for.

        Raises:
            ServerError: one does not answer as it should, or a critic gives its scores in another
                way than in an earlier cycle.
            WorkerError: the cluster cannot be joined, or has no worker that is like this machine.
        """
        if self.workers is not None:
            self.workers.meet()
        facts: JsonObject = {}
        for role, server in self.servers.items():
            server.meet()
            facts[role] = {"model": server.config.model, "url": server.config.url}
            if isinstance(server.config, CriticServerConfig):
                facts[role]["scores"] = server.reads_scores_by
                if server.config.scores == "auto":
                    self._check_scores(role, server.where, facts[role])
        return facts

    def _check_scores(self, role: str, where: str, now: JsonObject) -> None:
        for cycle in self.run.cycles():
            before = cycle.facts.get("wake", {}).get("servers", {}).get(role)
            alike = before is not None and {**before, "scores": now["scores"]} == now
            if alike and before != now:
                raise ServerError(
                    f"{where}: the server at {now['url']} gives scores by {now['scores']} now "
                    f"and by {before['scores']} in cycle {cycle.cycle + 1}; set {where}.scores "
                    f"to {now['scores']} to go on with scores of another kind"
                )

    @property
    def machine_facts(self) -> JsonObject:
        """What is worth noting of the workers and of what the engine found out; else empty."""
        facts: JsonObject = {}
        facts |= {"workers": self.workers.facts} if self.workers is not None else {}
        facts |= {"engine": found} if (found := self.engine.found) else {}
        return facts

    def seed(self, *parts: str | int) -> int:
        """A seed for one purpose of this run, stable across resumes."""
        text = "/".join(str(part) for part in (self.config.seed, *parts))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@contextmanager
def open_run(config: Config, *, should_stop: Callable[[], bool] = never) -> Iterator[Session]:
    """Create the run of a config, or take it up again, and load its model.

    Args:
        config: from `load_config`.
        should_stop: asked between batches and training steps; True saves and raises Interrupted.

    Raises:
        DdlTrainError: in one sentence, whatever is wrong with the config, the sources, the model
            or the run directory.
    """
    pack = load_pack(config.wake.prompts)
    check_pack(pack, config.wake)
    with (
        Run.propose(config, pack_dir=pack.dir) as run,
        open_session(run, should_stop=should_stop) as session,
    ):
        yield session


@contextmanager
def open_session(
    run: Run, *, critic: Critic | None = None, should_stop: Callable[[], bool] = never
) -> Iterator[Session]:
    """Load the model of a run and open its memory; then keep the changes proposed to the run.

    Args:
        run: open for writing.
        critic: judges instead of the model; an oracle, a server, a fake.
        should_stop: asked between batches and training steps.
    """
    config = run.config
    check_pack(load_pack(run.prompts_dir), config.wake)
    engine = load_engine(config.model)
    engine.take_up(run.engine)
    larger = load_larger(config.wake)
    embedder = load_embedder(config.memory.embedder, engine)
    _check_longest_prompt(run, engine)
    run.keep_changes()
    pack = load_pack(run.prompts_dir)
    memory = Memory(run, embedder)
    servers = make_servers(config.wake, engine)
    vllm = make_vllm(config.wake, engine)
    judging = vllm if vllm is not None and "critic" in vllm.config.roles else engine
    workers = None if config.wake.workers is None else RayEngine(engine, config.wake.workers)
    session = Session(
        run=run,
        memory=memory,
        engine=engine,
        embedder=embedder,
        pack=pack,
        generator=ModelGenerator(engine, pack, config.wake),
        critic=critic or LogitCritic(judging, pack, config.wake, judge=servers.get("critic")),
        second=second_critic(config.wake, engine, pack, larger or servers.get("second")),
        servers=servers,
        vllm=vllm,
        workers=workers,
        waking_critic=None
        if workers is None or critic is not None
        else LogitCritic(workers, pack, config.wake, judge=servers.get("critic")),
        should_stop=should_stop,
    )
    with ExitStack() as ending:  # each happens, whatever becomes of the others
        if workers is not None:
            ending.callback(workers.close)
        ending.callback(memory.close)
        ending.callback(session.keep_engine)
        yield session


_PROMPT_KEYS = (
    "model.",
    "wake.prompts",
    "wake.operators",
    "wake.verbalised",
    "wake.max_new_tokens",
)


def _check_longest_prompt(run: Run, engine: TransformersEngine) -> None:
    """Where prompts or the model's limits change: the two longest concepts must fit still.

    Raises:
        ModelError: they do not.
    """
    config = run.config.wake
    changed = [key for key, _, _ in run.changes if key.startswith(_PROMPT_KEYS)]
    texts = longest_texts(run.database, 2)
    if changed and len(texts) == 2 and config.generator is None:
        pack = load_pack(run.prompts_dir)
        for operator in config.operators:
            prompt = dream_prompt(pack, operator, *texts, verbalised=config.verbalised)
            engine.prompt_ids(prompt, room=config.max_answer_tokens)
