"""The skills of a seedling, measured on worlds it never saw: `ddl-train bench seedling`.

Everything is greedy and goes through the terse prompts that the roles use. Shares come with Wilson
95 % intervals, AUCs with those of Hanley and McNeil. A goal is met when the measured value reaches
it, not its lower bound.
"""

import json
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ddl_train.bench.critique import (
    REDERIVED,
    Judged,
    auc_rows,
    by_truth,
    critic_numbers,
    forced,
    proposals,
)
from ddl_train.bench.pairs import Pair, PairSource
from ddl_train.bench.speaker import Speaker, render
from ddl_train.config import ModelConfig
from ddl_train.engines.chat import ChatFormat
from ddl_train.engines.loading import load_base
from ddl_train.probes.statistics import wilson
from ddl_train.records import Progress
from ddl_train.storage.files import check_file, write_text
from ddl_train.world.home import Home
from ddl_train.world.language import write_idea
from ddl_train.world.lessons import NONE, UNKNOWN, Row, context_row, study_row
from ddl_train.world.questions import PROBE_KINDS, STUDY_KINDS, questions, unheard_questions
from ddl_train.world.scenes import Scene, make_scene

SIZES = {
    "composition": 600,
    "drawn": 24_000,
    "hard": 800,
    "study": 200,
    "context": 600,
    "home": 900,
}
PROMPTS_PER_ITEM = 1.35
"""To each that `SIZES` counts, about: kinds of study items, likelihoods of its ideas."""
THRESHOLDS = (0.95, 0.97, 0.98, 0.99)
"""Of `wake.min_rederived`; the quickstart's is among them."""
QUICK_SHARE = 10
"""`quick` asks a tenth of everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillRow:
    """One line of the skills table."""

    skill: str
    value: float
    """NaN where nothing could be asked; null in a file."""
    low: float
    high: float
    num_items: int
    goal: float | None = None
    """None: shown for information."""

    def is_met(self, *, quick: bool = False) -> bool:
        """`quick` asks too little to miss a goal by one answer: it takes the interval's upper end."""
        return self.goal is None or (self.high if quick else self.value) >= self.goal

    def json(self, *, quick: bool) -> dict[str, Any]:
        value = None if math.isnan(self.value) else self.value
        return {**asdict(self), "value": value, "is_met": self.is_met(quick=quick)}


def run(
    model_dir: Path,
    seed: int = 0,
    out: Path | None = None,
    *,
    quick: bool = False,
    progress: Progress,
) -> dict[str, Any]:
    """Measure every skill; `met` tells whether all goals are reached. Written to `out` if given.

    Raises:
        ConfigError: `out` is a folder.
        RunError: `out` cannot be written.
        ModelError: the folder holds no model that can be read and chatted with.
    """
    if out is not None:
        check_file(out)
    base = load_base(ModelConfig(base=str(model_dir), device="cpu", dtype="float32"))
    ChatFormat(base.tokenizer)  # refuses what cannot be chatted with
    sizes = {name: size // (QUICK_SHARE if quick else 1) for name, size in SIZES.items()}
    with progress.stage("seedling", round(PROMPTS_PER_ITEM * sum(sizes.values()))) as bar:
        speaker = Speaker(base.model, base.tokenizer, stage=bar)
        rows = list(measure(speaker, seed, sizes))
        bar.advance(0, total=speaker.num_prompts)
    result = {
        "model": str(model_dir),
        "seed": seed,
        "num_parameters": base.model.num_parameters(),
        "rows": [row.json(quick=quick) for row in rows],
        "met": all(row.is_met(quick=quick) for row in rows),
    }
    if out is not None:
        write_text(out, json.dumps(result, indent=2) + "\n")
    return result


def table(result: dict[str, Any]) -> str:
    """The rows of a result as a Markdown table."""
    lines = ["| skill | value | 95 % interval | n | goal |", "|---|---|---|---|---|"]
    for row in result["rows"]:
        goal = "" if row["goal"] is None else f"{row['goal']:.2f} {_state(row)}"
        value = "-" if row["value"] is None else f"{row['value']:.4f}"
        lines.append(
            f"| {row['skill']} | {value} | {row['low']:.4f} to {row['high']:.4f} "
            f"| {row['num_items']} | {goal} |"
        )
    return "\n".join(lines)


def _state(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "not measured"
    if row["value"] >= row["goal"]:
        return "met"
    return "not missed" if row["is_met"] else "missed"


def measure(speaker: Speaker, seed: int, sizes: dict[str, int]) -> Iterable[SkillRow]:
    """All rows of the table, one skill after another."""
    source = PairSource(seed)
    yield _composing(
        speaker, "composition of two documents' sentences", source.composing(sizes["composition"])
    )
    yield _composing(
        speaker, "composition on an earlier insight", source.on_insights(sizes["composition"])
    )
    drawn = source.drawn(sizes["drawn"])
    is_silent = _is_none(speaker, drawn)
    nothing = [said for pair, said in zip(drawn, is_silent, strict=True) if pair.idea is None]
    yield _share("NONE, any two sentences that do not compose", nothing, 0.99)
    sharing = source.sharing(sizes["hard"])
    yield _share("NONE, two that share a name and do not", _is_none(speaker, sharing), None)
    claimed = [pair for pair, said in zip(drawn, is_silent, strict=True) if not said]
    own = proposals(speaker, source, claimed)
    numbers = critic_numbers(speaker, own)
    yield from _critic("its own ideas", numbers, own, goal=0.99)
    yield from threshold_rows(numbers[REDERIVED], own)
    claims = forced(speaker, source, sizes["composition"])
    yield from _critic("forced ideas", critic_numbers(speaker, claims), claims, goal=None)
    yield from _studying(speaker, random.Random(f"bench/study/{seed}"), sizes["study"])
    yield from _reading(speaker, random.Random(f"bench/context/{seed}"), sizes["context"])
    yield from _remembering(speaker, random.Random(f"bench/home/{seed}"), sizes["home"])


def _critic(
    what: str, numbers: Mapping[str, Sequence[float]], judged: Sequence[Judged], goal: float | None
) -> Iterable[SkillRow]:
    wrong = sum(not is_right for _, _, is_right in judged)
    for name, value, low, high, count in auc_rows(numbers, judged):
        yield SkillRow(
            skill=f"critic AUC on {what} ({wrong} wrong), {name}",
            value=value,
            low=low,
            high=high,
            num_items=count,
            goal=goal if name == REDERIVED else None,
        )


def threshold_rows(values: Sequence[float], judged: Sequence[Judged]) -> Iterable[SkillRow]:
    """What `wake.min_rederived` would do to its own ideas."""
    right, wrong = by_truth(values, judged)
    for least in THRESHOLDS:
        at = f"wake.min_rederived {least:.2f}"
        yield _share(f"right ideas let in, {at}", [value >= least for value in right], None)
        yield _share(f"wrong ideas kept out, {at}", [value < least for value in wrong], None)


def _share(skill: str, hits: Sequence[bool], goal: float | None) -> SkillRow:
    low, high = wilson(sum(hits), len(hits))
    value = sum(hits) / len(hits) if hits else math.nan
    return SkillRow(skill=skill, value=value, low=low, high=high, num_items=len(hits), goal=goal)


def _composing(speaker: Speaker, name: str, pairs: Sequence[Pair]) -> SkillRow:
    """Right is the idea word for word: both premises in order, and the conclusion."""
    replies = speaker.reply([pair.prompt for pair in pairs])
    hits = [
        pair.idea is not None and reply == write_idea(*pair.idea)
        for pair, reply in zip(pairs, replies, strict=True)
    ]
    return _share(name, hits, 0.97)


def _is_none(speaker: Speaker, pairs: Sequence[Pair]) -> list[bool]:
    replies = speaker.reply([pair.prompt for pair in pairs], max_new_tokens=2)
    return [reply == NONE for reply in replies]


def _answered(speaker: Speaker, rows: Sequence[Row]) -> list[bool]:
    replies = speaker.reply([render(row) for row in rows])
    return [reply in (row.completion, *row.right) for row, reply in zip(rows, replies, strict=True)]


def _gather(
    rng: random.Random,
    maker: Callable[[random.Random, Scene], Row],
    wanted: Callable[[Row], bool],
    count: int,
) -> list[Row]:
    rows: list[Row] = []
    while len(rows) < count:
        scene = make_scene(rng)
        if scene.chains:
            rows += [row for row in (maker(rng, scene) for _ in range(6)) if wanted(row)]
    return rows[:count]


def _studying(speaker: Speaker, rng: random.Random, count: int) -> Iterable[SkillRow]:
    """Right is any wording of the kind asked for, about the very conclusion, with its answer."""
    names = [f"study_{kind}" for kind in STUDY_KINDS] + ["probe_forward", "probe_reverse"]
    for name in names:
        rows = _gather(rng, study_row, lambda row, name=name: row.skill == name, count)  # type: ignore[misc]
        goal = 0.97 if name.startswith("study") else None
        yield _share(f"{name.replace('_', ' item: ')}", _answered(speaker, rows), goal)


def _reading(speaker: Speaker, rng: random.Random, count: int) -> Iterable[SkillRow]:
    known = _gather(rng, context_row, lambda row: row.completion != UNKNOWN, count)
    yield _share("answer that the context holds", _answered(speaker, known), None)
    unknown = _gather(rng, context_row, lambda row: row.completion == UNKNOWN, count // 2)
    yield _share("unknown, when it does not", _answered(speaker, unknown), None)


def _remembering(speaker: Speaker, rng: random.Random, count: int) -> Iterable[SkillRow]:
    """Home facts and first conclusions, closed book; the ceiling is 1, any right answer counts."""
    home = Home()
    for wordings, asked, goal in (
        ("study wordings", questions, 0.95),
        ("probe wordings", partial(questions, probe=True), 0.95),
        ("wordings it never heard", unheard_questions, None),
    ):
        rows = []
        for fact in home.statements:
            for kind in PROBE_KINDS:
                for question in asked(fact, kind):
                    right = tuple(home.right_answers(question))
                    slots = {"question": question.text, "context": []}
                    rows.append(
                        Row(
                            skill=kind,
                            template="answer",
                            slots=slots,
                            completion=right[0],
                            right=right,
                        )
                    )
        rows = rng.sample(rows, min(count, len(rows)))
        yield _share(f"home world, {wordings}", _answered(speaker, rows), goal)
