"""What `eval` measures: adapters of a run beside its base, or any adapter beside any base."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddl_train.cli.arguments import side_output
from ddl_train.cli.boundary import say
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.config import Config, EvaluateConfig, load_config, parse_config
from ddl_train.errors import ProbeError
from ddl_train.records import BASE, EvalReport, Usage

if TYPE_CHECKING:
    from ddl_train.engines.transformers_engine import TransformersEngine
    from ddl_train.probes.examination import Examination
    from ddl_train.probes.suites import Suites
    from ddl_train.records import Prompts
    from ddl_train.session import Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a person asked `eval` for."""

    adapter: str | None = None
    against: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    """All when empty."""
    files: tuple[str, ...] = ()
    """`suite=file`, asked beside those of the config."""
    max_items: int | None = None
    max_tokens: int | None = None
    is_sealed: bool = False
    is_quiet: bool = False

    @property
    def is_plain(self) -> bool:
        """Nothing was asked for but the evaluation itself."""
        return self == Wanted(is_quiet=self.is_quiet)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What came of it."""

    reports: list[EvalReport]
    """The base first."""
    examination: "Examination | None"
    usage: Usage


CRITIC = "critic"
FEWEST = 24
"""Canaries of each kind when a person asks for the critic."""


def measure_run(session: "Session", wanted: Wanted) -> Measured:
    """Adapters of a run, and others of its base, beside the base.

    Raises:
        AdapterError: there is no such adapter, or it does not fit the base.
        ProbeError: a probe file cannot be used, or nothing is left to ask.
    """
    from ddl_train.engines.fetching import check_tokenizer, fetch_adapter
    from ddl_train.measure import cycle_suites, evaluate_adapter, examine_critic
    from ddl_train.probes.budget import narrow
    from ddl_train.probes.suites import check_leaks
    from ddl_train.report.progress import make_progress
    from ddl_train.storage.openings import record_opening

    progress = make_progress(side_output(), is_quiet=wanted.is_quiet)
    run = session.run
    if wanted.files:
        texts = [concept.text for concept in session.memory.concepts()]
        check_leaks(_config(EvaluateConfig(), wanted), texts)
    cycle = max(run.next_cycle - 1, 0)
    versions = [BASE]
    for name in (wanted.adapter or "current", *wanted.against):
        version = run.current if name == "current" else name
        if version != BASE and version not in {one.version for one in run.adapters()}:
            if name == wanted.adapter:
                run.adapter(version)
            path = fetch_adapter(version)
            check_tokenizer(path, session.engine.tokenizer)
            session.engine.load_adapter(version, path, base_sha256=_base_sha256(path))
        versions.append(version)
    versions = list(dict.fromkeys(versions))
    examination, usage, reports = None, Usage(), []
    if (not wanted.suites or CRITIC in wanted.suites) and not wanted.is_sealed:
        per_kind = FEWEST if CRITIC in wanted.suites else None
        examined = examine_critic(session, cycle, progress=progress, per_kind=per_kind)
        if examined:
            examination, usage = examined
    if set(wanted.suites) != {CRITIC}:
        config = _config(session.config.evaluate, wanted)
        suites = cycle_suites(session, config=config, is_sealed=wanted.is_sealed)
        suites = _fit(
            narrow(suites, wanted.suites),
            session.engine,
            session.pack,
            config,
            len(versions),
            wanted,
        )
        if wanted.is_sealed:
            record_opening(
                run.database,
                cycle=cycle,
                adapters=versions,
                suites=sorted({one.suite for one in suites.asked}),
                num_items=len(suites.asked),
            )
            say(f"the seal is broken; {run.dir} keeps a note of it")
        reports = [
            evaluate_adapter(session, one, suites, cycle=cycle, progress=progress)
            for one in versions
        ]
    return Measured(
        reports=reports,
        examination=examination,
        usage=sum((report.usage for report in reports), usage),
    )


def measure_outside(
    target: str, *, base: str | None, config: Path | None, wanted: Wanted
) -> Measured:
    """An adapter with its base, or a base by itself, on probe files and puzzles.

    Raises:
        AdapterError: there is no such adapter, or it does not fit the base.
        ModelError: the base cannot be loaded.
        ProbeError: a probe file cannot be used, or nothing is left to ask.
    """
    from ddl_train.engines.fetching import base_of, check_tokenizer, fetch_adapter

    path = None
    if base is not None or (Path(target) / "adapter_config.json").is_file():
        path = fetch_adapter(target)
        base = base or base_of(path)
    chosen = _outside_config(base or target, config)
    go_offline_if_local(chosen)
    from ddl_train.engines.transformers_engine import load_engine
    from ddl_train.evaluate import evaluate
    from ddl_train.probes.budget import narrow
    from ddl_train.probes.suites import build_suites
    from ddl_train.report.progress import make_progress
    from ddl_train.roles.prompts import load_pack

    asked = _config(chosen.evaluate, wanted)
    suites = build_suites(
        asked,
        tonight=(),
        earlier=(),
        items=(),
        held_out=(),
        statements=(),
        seed=chosen.seed,
        is_sealed=wanted.is_sealed,
    )
    suites = narrow(replace(suites, missing=()), wanted.suites)
    if not suites.num_items:
        raise ProbeError(
            "nothing is left to ask: without a run, name probe files with --probes SUITE=FILE or "
            "--config, or ask for --suite iteration"
        )
    engine, pack = load_engine(chosen.model), load_pack(chosen.wake.prompts)
    versions = [BASE]
    for name in ([target] if path else []) + list(wanted.against):
        folder = path if path and name == target else fetch_adapter(name)
        check_tokenizer(folder, engine.tokenizer)
        engine.load_adapter(name, folder, base_sha256=_base_sha256(folder))
        versions.append(name)
    suites = _fit(suites, engine, pack, asked, len(versions), wanted)
    progress = make_progress(side_output(), is_quiet=wanted.is_quiet)
    reports = []
    for version in dict.fromkeys(versions):
        with progress.stage(f"evaluate {version[-24:]}", suites.num_items) as bar:
            reports.append(
                evaluate(
                    engine,
                    version,
                    suites,
                    cycle=0,
                    prompts=pack,
                    config=asked,
                    progress=bar.advance,
                )
            )
    return Measured(
        reports=reports,
        examination=None,
        usage=sum((report.usage for report in reports), Usage()),
    )


def _config(config: EvaluateConfig, wanted: Wanted) -> EvaluateConfig:
    """The run's, with the files and the cap that were asked for."""
    from ddl_train.probes.suites import FILE_SUITES

    changes: dict[str, object] = {}
    for one in wanted.files:
        suite, equals, path = one.partition("=")
        if not equals or suite not in FILE_SUITES or not path:
            raise ProbeError(
                f"--probes {one!r}: expected SUITE=FILE with one of {', '.join(FILE_SUITES)}"
            )
        before = changes.get(suite, getattr(config, suite))
        assert isinstance(before, list)
        changes[suite] = [*before, path]
    if wanted.max_items is not None:
        changes["max_items"] = wanted.max_items
        if config.num_context is not None:
            changes["num_context"] = min(config.num_context, wanted.max_items)
    if "iteration" in wanted.suites and config.iteration is None:
        changes["iteration"] = 2
    return config.model_copy(update=changes)


def _outside_config(base: str, config: Path | None) -> Config:
    """The config that was named, on another base; or the defaults on this one."""
    if config is None:
        values = {"name": "eval", "model": {"base": base}, "memory": {"sources": ["."]}}
        return parse_config(values, where="eval")
    found = load_config(config)
    return found.model_copy(update={"model": found.model.model_copy(update={"base": base})})


def _fit(
    suites: "Suites",
    engine: "TransformersEngine",
    pack: "Prompts",
    config: EvaluateConfig,
    num_adapters: int,
    wanted: Wanted,
) -> "Suites":
    """Say what it will cost, and ask less where that is more than allowed."""
    from ddl_train.probes.budget import count_tokens, thin

    def cost(asked: "Suites") -> int:
        return num_adapters * count_tokens(
            asked,
            prompts=pack,
            count=lambda text: len(engine.chat.text_ids(text)),
            count_prompt=lambda text: len(engine.chat.prompt_ids(text)),
            max_new_tokens=config.max_new_tokens,
            dream_tokens=config.max_new_tokens,
        )

    total = cost(suites)
    if wanted.max_tokens is not None and total > wanted.max_tokens:
        everything = suites.num_items
        suites = thin(suites, wanted.max_tokens / total)
        say(
            f"all {everything:,} items would take about {total:,} tokens; asking "
            f"{suites.num_items:,}, about {cost(suites):,}"
        )
    elif not wanted.is_quiet:
        say(f"{suites.num_items:,} items for {num_adapters} adapters, at most {total:,} tokens")
    return suites


def _base_sha256(path: Path) -> str | None:
    """Fingerprint of the base that an adapter of another run was made for."""
    from contextlib import closing

    from ddl_train.storage.adapters import read_adapters
    from ddl_train.storage.create import DATABASE_NAME, is_run
    from ddl_train.storage.database import open_database

    path = path.resolve()
    run_dir = path.parent.parent
    if path.parent.name != "adapters" or not is_run(run_dir):
        return None
    with closing(open_database(run_dir / DATABASE_NAME, is_read_only=True)) as database:
        known = read_adapters(database, path.parent)
    return next((one.base_sha256 for one in known if one.version == path.name), None)
