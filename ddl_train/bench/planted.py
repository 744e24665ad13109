"""Results changed by hand, from reports that were measured: harm of a known size, and luck.

Planted harm flips answers of a night that passed, until the loss against the base is a known
multiple of what the gate blocks. Null runs draw nights that had nothing to teach, resampled by
cluster, as a run of many nights would meet them.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ddl_train.config import Bounds, PromoteConfig
from ddl_train.gate.checks import gained, suite_of
from ddl_train.gate.gains import check_gain, spend_alpha
from ddl_train.gate.harms import HARMS, TEXT_HARMS, Harm, text_rises
from ddl_train.probes.statistics import exact_flip_test
from ddl_train.records import EvalReport, ItemResult, Promotion

FORGETTING = ("retention", "skill", "false_memory", "loss", "kl")
COLLAPSE = ("eos", "length", "diversity")
LIVED = Promotion(candidate="", promoted=False, reasons=())
"""A night that is over, and was refused."""


class NullNight(NamedTuple):
    """A night with nothing to teach, and what was in use before it."""

    candidate: EvalReport
    current: EvalReport


def plant(
    report: EvalReport, base: EvalReport, harm: str, size: float, config: PromoteConfig, seed: int
) -> EvalReport | None:
    """The report with a loss against the base of at least `size` times what is blocked.

    None when the suite is missing, or holds too little to lose so much.
    """
    bounds: Bounds = getattr(config, harm)
    wanted = size * bounds.block
    rng = random.Random(f"{harm}/{seed}")
    if harm in TEXT_HARMS:
        return _plant_texts(harm, report, base, wanted)
    rule = next(one for one in HARMS if one.name == harm)
    items, before = list(report.items), list(base.items)
    places = [
        place
        for place, (new, old) in enumerate(zip(items, before, strict=True))
        if new.suite in rule.suites and rule.value(new) is not None and rule.value(old) is not None
    ]
    if not places:
        return None
    rng.shuffle(places)
    harmed: Callable[[ItemResult], ItemResult] = HARMED[harm]
    for place in places:
        if _lost(rule, items, before, places) >= wanted:
            break
        items[place] = harmed(items[place])
    if _lost(rule, items, before, places) < wanted:
        return None
    return replace(report, adapter=f"{report.adapter}, planted", items=tuple(items))


def _wrong(item: ItemResult) -> ItemResult:
    return replace(item, is_correct=False)


HARMED: dict[str, Callable[[ItemResult], ItemResult]] = {
    "retention": _wrong,
    "skill": _wrong,
    "false_memory": lambda item: replace(item, is_correct=True),
    "eos": lambda item: replace(item, is_finished=False),
    "length": lambda item: replace(item, answer=8 * f"{item.answer} "),
    "diversity": lambda item: replace(item, is_correct=False, margin=0.0),
}
"""What the harm does to one item."""


def _lost(
    rule: Harm, items: Sequence[ItemResult], before: Sequence[ItemResult], places: Sequence[int]
) -> float:
    changes = [(rule.value(items[n]) or 0.0) - (rule.value(before[n]) or 0.0) for n in places]
    mean = sum(changes) / len(changes)
    return {"drop": -mean, "rise": mean, "change": abs(mean)}[rule.worse]


def _plant_texts(
    harm: str, report: EvalReport, base: EvalReport, wanted: float
) -> EvalReport | None:
    if not report.losses:
        return None
    name = next(iter(report.losses))
    rises = text_rises(harm, name, report, base)
    more = wanted + 1e-9 - sum(rises) / len(rises)
    field = "losses" if harm == "loss" else "divergences"
    sets: Mapping[str, Sequence[float]] = getattr(report, field)
    planted = {**sets, name: tuple(value + more for value in sets[name])}
    return replace(report, adapter=f"{report.adapter}, planted", **{field: planted})  # type: ignore[arg-type]


def count_promoting_runs(
    nights: Sequence[NullNight],
    config: PromoteConfig,
    *,
    num_runs: int = 1000,
    num_nights: int = 20,
    seed: int = 0,
) -> int:
    """Runs of null nights that promote any of them, harms left aside.

    Each night is drawn from those given and its uptake items are drawn again by cluster. The exact
    test is asked first: where it refuses the gate refuses, and the bootstrap need not be waited for.
    """
    rng = random.Random(seed)
    drawn = [_Drawn(_clusters(night.candidate), _clusters(night.current)) for night in nights]
    return sum(
        any(
            rng.choice(drawn).is_gain(
                rng, spend_alpha([LIVED] * number, num_nights, config)[0], config
            )
            for number in range(num_nights)
        )
        for _ in range(num_runs)
    )


class _Drawn:
    """The clusters of one null night, to be drawn from."""

    def __init__(
        self, after: Sequence[Sequence[ItemResult]], before: Sequence[Sequence[ItemResult]]
    ) -> None:
        self._pairs = list(zip(after, before, strict=True))
        self._gains = [int(sum(gained(new, old)[0])) for new, old in self._pairs]

    def is_gain(self, rng: random.Random, alpha: float, config: PromoteConfig) -> bool:
        """Whether the gate sees a gain in these clusters, drawn again with replacement."""
        places = rng.choices(range(len(self._pairs)), k=len(self._pairs))
        changes = Counter(self._gains[place] for place in places)
        if exact_flip_test(tuple(sorted(changes.items()))) > alpha:
            return False
        candidate, current = (
            EvalReport(adapter="null", cycle=0, items=tuple(self._items(places, side)))
            for side in (0, 1)
        )
        return check_gain("uptake", candidate, current, alpha, config)[0].state == "ok"

    def _items(self, places: Sequence[int], side: int) -> Iterator[ItemResult]:
        for number, place in enumerate(places):
            for item in self._pairs[place][side]:
                yield replace(item, cluster=str(number), probe_id=f"{number}/{item.probe_id}")


def _clusters(report: EvalReport) -> list[list[ItemResult]]:
    groups: dict[str, list[ItemResult]] = {}
    for item in suite_of(report, "uptake"):
        groups.setdefault(item.cluster or item.probe_id, []).append(item)
    return list(groups.values())
