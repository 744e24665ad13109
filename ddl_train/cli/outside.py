"""What `eval` measures without a run: any adapter with its base, or a base by itself."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddl_train.cli.arguments import side_output
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.cli.measuring import Measured
from ddl_train.cli.wanted import (
    Wanted,
    fit,
    load_adapter,
    load_tasks,
    wanted_config,
    with_tasks,
)
from ddl_train.config import Config, EvaluateConfig, load_config, parse_config
from ddl_train.errors import ProbeError
from ddl_train.records import BASE, Usage

if TYPE_CHECKING:
    from ddl_train.probes.suites import Suites


def measure_outside(
    target: str, *, base: str | None, config: Path | None, wanted: Wanted
) -> Measured:
    """An adapter with its base, or a base by itself, on probe files, puzzles and tasks.

    Raises:
        AdapterError: there is no such adapter, or it does not fit the base.
        ModelError: the base cannot be loaded.
        ProbeError: a probe file cannot be used, or nothing is left to ask.
    """
    from ddl_train.engines.fetching import base_of, fetch_adapter

    is_adapter = base is not None or (Path(target) / "adapter_config.json").is_file()
    if is_adapter:
        folder = fetch_adapter(target)
        base = base or base_of(folder)
    chosen = _outside_config(base or target, config)
    asked = wanted_config(chosen.evaluate, wanted)
    tasks = load_tasks(wanted, asked)
    suites = _choose(asked, wanted, chosen.seed)
    if not suites.num_items and not tasks:
        raise ProbeError(
            "nothing is left to ask: without a run, name probe files with --probes SUITE=FILE or "
            "--config, or ask for --suite iteration or lm_eval:TASK"
        )
    go_offline_if_local(chosen)
    from ddl_train.engines.transformers_engine import load_engine
    from ddl_train.evaluate import evaluate
    from ddl_train.report.progress import make_progress
    from ddl_train.roles.prompts import load_pack

    engine, pack = load_engine(chosen.model), load_pack(chosen.wake.prompts)
    names = list(dict.fromkeys([*([target] if is_adapter else []), *wanted.against]))
    for name in names:
        load_adapter(engine, name)
    suites = fit(suites, engine, pack, asked, 1 + len(names), wanted)
    progress = make_progress(side_output(), is_quiet=wanted.is_quiet)
    reports = []
    for version in (BASE, *names):
        with progress.stage(f"evaluate {Path(version).name}", suites.num_items) as bar:
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
    reports = with_tasks(engine, reports, tasks, limit=asked.max_items)
    usage = sum((report.usage for report in reports), Usage())
    return Measured(reports=reports, examination=None, usage=usage)


def _choose(asked: EvaluateConfig, wanted: Wanted, seed: int) -> "Suites":
    """What can be asked without a memory."""
    from ddl_train.probes.budget import narrow
    from ddl_train.probes.suites import build_suites

    suites = build_suites(
        asked,
        tonight=(),
        earlier=(),
        items=(),
        held_out=(),
        statements=(),
        seed=seed,
        is_sealed=wanted.is_sealed,
    )
    # without a memory nothing is known of what was dreamt
    return narrow(replace(suites, missing=(), dreamt={}), wanted.suites)


def _outside_config(base: str, config: Path | None) -> Config:
    """The config that was named, on another base; or the defaults on this one."""
    if config is None:
        values = {"name": "eval", "model": {"base": base}, "memory": {"sources": ["."]}}
        return parse_config(values, where="eval")
    found = load_config(config)
    return found.model_copy(update={"model": found.model.model_copy(update={"base": base})})
