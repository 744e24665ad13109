"""What a run measured, cycle by cycle: suites and token losses with intervals, dreams, diversity.

Everything is read from stored reports and verdicts. A curve holds a point only where something was
measured: a gap is a gap, never a zero.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from ddl_train.probes.diversity import distinct
from ddl_train.probes.statistics import paired_interval, wilson
from ddl_train.probes.text import units
from ddl_train.records import BASE, EvalReport, ItemResult, JsonObject, Verdict
from ddl_train.report.suites import DREAMT, NOT_DREAMT, group_items
from ddl_train.report.summary import SUITES
from ddl_train.storage.run import Run

CONFIDENCE = 0.95
"""Two-sided, of every interval here."""
NUM_RESAMPLES = 2000
MIN_IDEAS = 20
"""Fewer ideas in a cycle say nothing about their diversity."""
OPENING_UNITS = 3
"""Words (characters, in scripts without spaces) that count as an idea's opening."""
LESS_IS_BETTER = ("false_memory",)
CONTEXT = "context"
MORE_TITLES = {
    "context (told)": "its own ideas, told them in the prompt",
    "context (retrieved)": "its own ideas, with what memory finds",
    "wake": "fixed pairs: ideas admitted",
    "diversity": "fixed pairs: ideas unlike all others",
    "iteration": "puzzles of many small steps",
}
"""Suites that `summary.SUITES` does not name."""
FIGURE_TITLES = {
    "diversity/vendi_score": "Vendi score",
    "diversity/self_bleu": "self-BLEU",
    "diversity/commonest_opening": "share of the commonest opening",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One suite or text set under one adapter in one cycle."""

    cycle: int
    n: int
    """Items asked, or texts read."""
    value: float
    """Share right, 0 to 1; of texts the mean change against the base, in nats."""
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One suite or text set over the cycles: each night's candidate, and the untouched base."""

    name: str
    """Of the suite, or of the text set."""
    title: str
    unit: str
    """`share`, `nats`, or `number` for a figure of a whole suite, which has no interval."""
    candidate: tuple[Point, ...]
    base: tuple[Point, ...]
    chance: float | None
    """Share right by guessing, in the last cycle; None where nothing can be guessed."""
    margins: tuple[tuple[int, float], ...] = ()
    """(cycle, mean log-likelihood of right over wrong answers) of each candidate, nats a token."""
    is_less_better: bool = False
    is_difference: bool = False
    """True when values are differences from the base, which then is the line at 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diversity:
    """How different the ideas of one cycle are, on as many ideas in every cycle."""

    cycle: int
    n: int
    """Ideas counted: a fixed sample of those there were."""
    distinct_1: float
    """Different words over all words (Li et al. 2016); characters in scripts without spaces."""
    distinct_2: float
    """Different pairs of neighbouring words over all such pairs."""
    opening: str
    """The commonest opening, as it was written in one of the ideas."""
    opening_share: float


def suite_curves(run: Run, cycles: Sequence[JsonObject]) -> list[Curve]:
    """Accuracy of every suite over the cycles, suites for people first.

    Args:
        run: open for reading.
        cycles: of `read_status`.
    """
    found: dict[str, dict[str, list[Point]]] = {}
    chances: dict[str, float] = {}
    margins: dict[str, list[tuple[int, float]]] = {}
    for cycle in cycles:
        number, candidate = cycle["cycle"], cycle["candidate"]
        for report in run.reports(number):
            if report.adapter not in (candidate, BASE):
                continue
            for suite, items in _groups(report).items():
                role = "base" if report.adapter == BASE else "candidate"
                points = found.setdefault(suite, {"base": [], "candidate": []})
                points[role].append(_share(number, items))
                chances[suite] = sum(item.chance for item in items) / len(items)
                if role == "candidate":
                    margin = sum(item.margin for item in items) / len(items)
                    margins.setdefault(suite, []).append((number, margin))
    if DREAMT in found or NOT_DREAMT in found:
        found.pop("truth", None)
    return [
        Curve(
            name=suite,
            title=suite_title(suite),
            unit="share",
            candidate=tuple(found[suite]["candidate"]),
            base=tuple(found[suite]["base"]),
            chance=chances[suite] or None,
            margins=tuple(pair for pair in margins.get(suite, ()) if math.isfinite(pair[1])),
            is_less_better=suite in LESS_IS_BETTER,
        )
        for suite in [
            *(name for name in (*SUITES, *MORE_TITLES) if name in found),
            *(name for name in found if name not in SUITES and name not in MORE_TITLES),
        ]
    ]


def loss_curves(run: Run, cycles: Sequence[JsonObject]) -> list[Curve]:
    """Token loss of every set of retention texts against the base, text by text, over the cycles.

    Texts differ far more from each other than one text under two adapters: only the paired
    difference tells anything.
    """
    return _text_curves(run, cycles, "losses", "token loss")


def divergence_curves(run: Run, cycles: Sequence[JsonObject]) -> list[Curve]:
    """Mean token KL(adapter || base) on every set of retention texts, over the cycles."""
    return _text_curves(run, cycles, "divergences", "KL to the base")


def _text_curves(run: Run, cycles: Sequence[JsonObject], field: str, title: str) -> list[Curve]:
    found: dict[str, list[Point]] = {}
    for cycle in cycles:
        reports = {report.adapter: report for report in run.reports(cycle["cycle"])}
        if cycle["candidate"] not in reports or BASE not in reports:
            continue
        for name, values in getattr(reports[cycle["candidate"]], field).items():
            before = getattr(reports[BASE], field).get(name, ())
            rises = [new - old for new, old in zip(values, before, strict=False)]
            if len(values) == len(before) > 0 and all(map(math.isfinite, rises)):
                found.setdefault(name, []).append(_rise(cycle["cycle"], rises))
    return [
        Curve(
            name=name,
            title=f"{title}, {name}",
            unit="nats",
            candidate=tuple(points),
            base=(),
            chance=None,
            is_less_better=True,
            is_difference=True,
        )
        for name, points in found.items()
    ]


def figure_curves(run: Run, cycles: Sequence[JsonObject]) -> list[Curve]:
    """Figures of whole suites (`diversity/vendi_score`) over the cycles."""
    found: dict[str, dict[str, list[Point]]] = {}
    for cycle in cycles:
        number = cycle["cycle"]
        for report in run.reports(number):
            if report.adapter not in (cycle["candidate"], BASE):
                continue
            role = "base" if report.adapter == BASE else "candidate"
            for name, value in report.figures.items():
                if math.isfinite(value):
                    points = found.setdefault(name, {"base": [], "candidate": []})
                    points[role].append(
                        Point(cycle=number, n=1, value=value, low=value, high=value)
                    )
    return [
        Curve(
            name=name,
            title=FIGURE_TITLES.get(name, name.replace("_", " ").replace("/", ": ")),
            unit="number",
            candidate=tuple(points["candidate"]),
            base=tuple(points["base"]),
            chance=None,
        )
        for name, points in found.items()
    ]


def suite_title(suite: str) -> str:
    """A suite's name for people."""
    names = MORE_TITLES | SUITES
    return names.get(suite, suite.replace("_", " ")).removesuffix(" (less is better)")


def diversity(verdicts: Mapping[int, Sequence[Verdict]]) -> list[Diversity]:
    """Diversity of the ideas of each cycle, before any of them was refused.

    Shares of distinct words fall with the number of words, so each cycle is counted on the same
    number of ideas: as many as the poorest cycle had. Cycles with fewer than `MIN_IDEAS` are left
    out.

    Args:
        verdicts: cycle -> every verdict of it.
    """
    ideas = {
        cycle: [one.proposal.text for one in given if not one.proposal.is_none]
        for cycle, given in verdicts.items()
    }
    ideas = {cycle: texts for cycle, texts in ideas.items() if len(texts) >= MIN_IDEAS}
    n = min(map(len, ideas.values()), default=0)
    return [_diversity(cycle, Random(cycle).sample(texts, n)) for cycle, texts in ideas.items()]


def _diversity(cycle: int, texts: Sequence[str]) -> Diversity:
    split = [units(text) for text in texts]
    openings = [tuple(words[:OPENING_UNITS]) for words in split]
    commonest, times = Counter(openings).most_common(1)[0]
    example = texts[openings.index(commonest)]
    return Diversity(
        cycle=cycle,
        n=len(texts),
        distinct_1=distinct(split, 1),
        distinct_2=distinct(split, 2),
        opening=_beginning(example, len("".join(commonest))),
        opening_share=times / len(texts),
    )


def _groups(report: EvalReport) -> dict[str, list[ItemResult]]:
    """As `group_items`, with `context` told apart by what stood in the prompt."""
    groups = group_items(report)
    for item in groups.pop(CONTEXT, []):
        groups.setdefault(f"{CONTEXT} ({item.kind})", []).append(item)
    return groups


def _beginning(text: str, num_letters: int) -> str:
    """The first of a text that holds so many letters and digits."""
    seen = 0
    for place, letter in enumerate(text, start=1):
        seen += letter.isalnum()
        if seen >= num_letters:
            return text[:place]
    return text


def _share(cycle: int, items: Sequence[ItemResult]) -> Point:
    """Share right, with an interval resampled by cluster.

    Where resampling knows no spread (all right, all wrong, one cluster), Wilson's interval over
    the clusters.
    """
    hits = [float(item.is_correct) for item in items]
    clusters = [item.cluster or item.probe_id for item in items]
    found = paired_interval(
        hits, clusters, confidence=0.5 + CONFIDENCE / 2, num_resamples=NUM_RESAMPLES
    )
    low, high = found.low, found.high
    if not found.is_known or low == high:
        num_clusters = len(set(clusters))
        low, high = wilson(round(found.mean * num_clusters), num_clusters, confidence=CONFIDENCE)
    return Point(cycle=cycle, n=len(items), value=found.mean, low=low, high=high)


def _rise(cycle: int, rises: Sequence[float]) -> Point:
    found = paired_interval(
        rises,
        [str(number) for number in range(len(rises))],
        confidence=0.5 + CONFIDENCE / 2,
        num_resamples=NUM_RESAMPLES,
    )
    return Point(cycle=cycle, n=len(rises), value=found.mean, low=found.low, high=found.high)
