"""What a person asked `eval` for, and how much of it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddl_train.cli.boundary import say
from ddl_train.config import EvaluateConfig
from ddl_train.errors import ProbeError, ResourceError
from ddl_train.records import EvalReport

if TYPE_CHECKING:
    from ddl_train.engines.transformers_engine import TransformersEngine
    from ddl_train.probes.suites import Suites
    from ddl_train.records import Prompts

HARNESS = "lm_eval"
"""Suite, alone or before a task: `lm_eval:arc_easy`."""


LEAST_SHARE = 1e-3
"""Of the items: of every suite one is always asked."""


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


def wanted_config(config: EvaluateConfig, wanted: Wanted) -> EvaluateConfig:
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


def load_tasks(wanted: Wanted, config: EvaluateConfig) -> dict[str, Any]:
    """Tasks of lm-evaluation-harness that are wanted, with their data; they have no sealed third.

    Called before a local base takes the network away.

    Raises:
        ProbeError: none is named, or one cannot be asked.
        ResourceError: the library is not installed.
    """
    names = [one.partition(":")[2] for one in wanted.suites if one.startswith(f"{HARNESS}:")]
    if not wanted.suites or HARNESS in wanted.suites:
        names += config.lm_eval
    if HARNESS in wanted.suites and not names:
        raise ProbeError(
            f"{HARNESS}: no task is named; say --suite {HARNESS}:TASK, or evaluate.lm_eval: [TASK]"
        )
    if not names or wanted.is_sealed:
        return {}
    if find_spec("lm_eval") is None:
        raise ResourceError(
            f"{HARNESS}: tasks of lm-evaluation-harness need the extra `lm-eval`; "
            "pip install 'ddl-train[lm-eval]'"
        )
    from ddl_train.probes.harness import load_tasks as load

    return load(list(dict.fromkeys(names)))


def with_tasks(
    engine: "TransformersEngine",
    reports: Sequence[EvalReport],
    tasks: dict[str, Any],
    *,
    limit: int,
) -> list[EvalReport]:
    """Each report and what its adapter made of the tasks, of which the first `limit` are asked."""
    if not tasks:
        return list(reports)
    from ddl_train.probes.harness import ask_tasks

    more = []
    for report in reports:
        items, figures, usage = ask_tasks(engine, report.adapter, tasks, limit=limit)
        more.append(
            replace(
                report,
                items=(*report.items, *items),
                figures={**report.figures, **figures},
                usage=report.usage + usage,
            )
        )
    return more


def fit(
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
        everything, share = suites, wanted.max_tokens / total
        suites = thin(everything, share)
        while cost(suites) > wanted.max_tokens and suites.num_items > 1 and share > LEAST_SHARE:
            share *= 0.95  # what was chosen is longer than the rest
            suites = thin(everything, share)
        say(
            f"all {everything.num_items:,} items would take about {total:,} tokens; asking "
            f"{suites.num_items:,}, about {cost(suites):,}"
        )
    elif suites.num_items and not wanted.is_quiet:
        say(f"{suites.num_items:,} items for {num_adapters} adapters, at most {total:,} tokens")
    return suites


def load_adapter(engine: "TransformersEngine", name: str) -> None:
    """Make an adapter of no run of ours known to an engine: a folder, or one of the Hub.

    Raises:
        AdapterError: there is none, it is damaged, or it does not fit the base.
    """
    from ddl_train.engines.fetching import check_tokenizer, fetch_adapter

    folder = fetch_adapter(name)
    check_tokenizer(folder, engine.tokenizer)
    engine.load_adapter(name, folder, base_sha256=_base_sha256(folder))


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
