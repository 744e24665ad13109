"""The tax: M9, tokens per true admitted insight at recall 0.8 of what is reachable.

Three arms dream in invented worlds of their own seeds, each in a fresh run from the same base: the
learned cascade; uniform sampling with the full critic on everything that is proposed; and plain
nearest neighbours, with that critic too. All end with the same critic and the same thresholds, those
of the config. The first has guards, near-duplicates, embedding novelty and a short critic before it
and learns where to look; the other two have none of these. An insight is a concept for the next batch in every
arm, as in any run.

Reachable is what two concepts of the documents compose to, if it is true and no document states it:
different statements, by the world's truth, over all pairs of what memory holds before the first
dream. An arm dreams until it has admitted 0.8 of these. Its tokens are all that wake read and wrote
by then (generator and every critic; the rationale is off), and its insights all the different true
statements that it has admitted by then, reachable in one step or in more. What is admitted decides
what is learned; the world's truth only counts.
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from ddl_train.bench.cells import SUITES, WORLD_SEEDS
from ddl_train.bench.discovery import opportunity
from ddl_train.bench.figures import Figure, middle
from ddl_train.config import Config
from ddl_train.config.parsing import override_section, parse_config
from ddl_train.cycle import wake_stage
from ddl_train.errors import Interrupted
from ddl_train.records import Progress, SilentProgress
from ddl_train.records.progress import StageProgress
from ddl_train.roles.prompts import load_pack
from ddl_train.session import open_session
from ddl_train.storage.run import Run
from ddl_train.world.documents import load_world
from ddl_train.world.language import Fact
from ddl_train.world.oracle import Oracle
from ddl_train.world.writer import DOCS, write_world

RECALL = 0.8
GOALS = {"uniform": 10.0, "neighbours": 2.0}
"""Arm -> how many times the tokens of the learned one it is to cost."""
_EVERYTHING = ("wake.guards.is_enabled=false", "wake.cascade={}")
ARMS: Mapping[str, tuple[str, ...]] = {
    "learned": (
        "wake.batch_size=40",
        "wake.sampler={uniform: 0.3, near_other_source: 0.5, insight: 0.2, "
        "learn: {candidates: 24, floor: 0.05}}",
        "wake.cascade={distance: {least: 0.1}, screen: {ask: support, least: 0.5}}",
    ),
    "uniform": ("wake.batch_size=240", "wake.sampler={uniform: 1.0}", *_EVERYTHING),
    "neighbours": (
        "wake.batch_size=40",
        "wake.sampler={uniform: 0.0, near_other_source: 1.0}",
        *_EVERYTHING,
    ),
}
"""Arm -> what it changes in the config."""
WORLD = "world"
_FIRST_SEED = WORLD_SEEDS + 900
_ALL = 10**9
"""Pairs: more than there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What an arm had spent when it stopped, and what it had found."""

    num_pairs: int
    num_tokens: int
    num_true: int
    """Different true statements that were admitted."""
    num_false: int
    """Admitted, and not true."""
    recall: float

    @property
    def tax(self) -> float:
        return self.num_tokens / max(self.num_true, 1)


def tax_of_looking(
    config: Config,
    preset: str,
    *,
    num_worlds: int,
    progress: Progress,
    has_goal: bool = True,
    recall: float = RECALL,
) -> list[Figure]:
    """M9.

    Args:
        config: whose base, prompts, thresholds and seed are used.
        preset: of the worlds.
        num_worlds: over which medians are taken.
        progress: told of the arms.
        has_goal: False for worlds in which there is next to nothing to look through.
        recall: of what is reachable, at which an arm stops.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in ARMS}
    for world in range(num_worlds):
        with tempfile.TemporaryDirectory(prefix="ddl-bench-") as folder:
            seed = _FIRST_SEED + config.seed + world
            write_world(Path(folder) / WORLD, seed=seed, preset=preset)
            for name in ARMS:
                spent[name].append(_live(config, Path(folder), name, recall, progress))
    return [
        _figure(name, goal if has_goal else None, spent, preset, recall)
        for name, goal in GOALS.items()
    ]


def _live(config: Config, folder: Path, name: str, recall: float, progress: Progress) -> Spent:
    """One arm in the world of a folder, until it has found enough or nothing is left."""
    own = arm_config(config, folder, name)
    oracle = Oracle.of(load_world(folder / WORLD))
    with (
        Run.create(own, pack_dir=load_pack(own.wake.prompts).dir) as run,
        progress.stage(f"M9 {name}", 100) as bar,
    ):
        hunt = _Hunt(run, oracle, recall, bar)
        with open_session(run, should_stop=hunt.is_over) as session:
            run.start_cycle(0)
            with suppress(Interrupted):
                wake_stage(session, 0, progress=SilentProgress(), num_pairs=_ALL)
        hunt.is_over()
        return Spent(
            num_pairs=run.database.execute("SELECT count(*) FROM verdicts").fetchone()[0],
            num_tokens=sum(row.usage.num_tokens for row in run.usage()),
            num_true=len(hunt.true),
            num_false=hunt.num_false,
            recall=hunt.recall,
        )


def arm_config(config: Config, folder: Path, name: str) -> Config:
    """The config of an arm in the world of a folder."""
    values = config.model_dump()
    values |= {"name": name, "checkpoints_dir": str(folder), "num_cycles": 1}
    values["memory"]["sources"] = [str(folder / WORLD / DOCS)]
    values["evaluate"] |= {suite: [] for suite in SUITES}
    values["wake"] |= {"explain": False, "revisit_share": 0.0}
    alone = parse_config(values, where="the bench's config")
    return override_section(alone, "wake", ARMS[name])


class _Hunt:
    """What an arm has found so far, and whether that is enough."""

    def __init__(self, run: Run, oracle: Oracle, enough: float, bar: StageProgress) -> None:
        self._run = run
        self._oracle = oracle
        self._enough = enough
        self._bar = bar
        self._last = 0
        self._wanted: frozenset[Fact] = frozenset()
        self.true: set[Fact] = set()
        self.num_false = 0
        self.recall = 0.0

    def is_over(self) -> bool:
        """Asked between batches; the first time there are the documents and nothing else."""
        self._wanted = self._wanted or reachable(self._run, self._oracle)
        rows = self._run.database.execute(
            "SELECT insight_id, conclusion FROM insights JOIN proposals USING (pair_id) "
            "WHERE insight_id > ? ORDER BY insight_id",
            (self._last,),
        )
        for self._last, conclusion in rows.fetchall():
            judged = self._oracle.judge(conclusion)
            if judged.truth == "true" and judged.fact is not None:
                self.true.add(judged.fact)
            else:
                self.num_false += 1
        recall = len(self.true & self._wanted) / max(len(self._wanted), 1)
        self._bar.advance(int(100 * recall) - int(100 * self.recall), found=len(self.true))
        self.recall = recall
        return recall >= self._enough


def reachable(run: Run, oracle: Oracle) -> frozenset[Fact]:
    """What two concepts of documents that may be drawn compose to, if true and not stated."""
    rows = run.database.execute(
        "SELECT text FROM concepts c WHERE kind = 'document' AND EXISTS (SELECT 1 FROM pieces p "
        "JOIN sources s USING (source) WHERE p.sha256 = c.sha256 AND NOT s.is_held_out)"
    )
    pairs = combinations([row["text"] for row in rows], 2)
    found = (opportunity(a, b, oracle) for a, b in pairs)
    return frozenset(fact for fact in found if fact is not None)


def _figure(
    name: str, goal: float | None, spent: Mapping[str, Sequence[Spent]], preset: str, recall: float
) -> Figure:
    ratios = [
        plain.tax / ours.tax for ours, plain in zip(spent["learned"], spent[name], strict=True)
    ]
    value = statistics.median(ratios)
    reached = all(one.recall >= recall for arm in ("learned", name) for one in spent[arm])
    words = "; ".join(f"{arm}: {_words(spent[arm])}" for arm in ("learned", name))
    return Figure(
        name=f"M9 tokens per true insight, {name} over learned",
        value=value,
        goal="" if goal is None else f"{goal:g}x or more",
        is_met=goal is None or (reached and value >= goal),
        detail=f"{middle(ratios)}; {preset} world, {len(ratios)} of them; {words}"
        + ("" if reached else f"; recall {recall:g} was not reached"),
    )


def _words(runs: Sequence[Spent]) -> str:
    tokens, pairs, true, false = (
        statistics.median(values)
        for values in zip(
            *((one.tax, one.num_pairs, one.num_true, one.num_false) for one in runs), strict=True
        )
    )
    return f"{tokens:,.0f} tokens, {pairs:,.0f} pairs, {true:g} true, {false:g} not"
