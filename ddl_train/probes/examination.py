"""What an examination of the critic shows, and whether a night may be built on it.

Rates carry exact (Clopper-Pearson, 1934) 95 % intervals, so that none of many is no certainty; the
area under the curve carries that of Hanley and McNeil (1982).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest, mannwhitneyu

from ddl_train.config import EvaluateConfig
from ddl_train.probes.canaries import GOOD, Canary
from ddl_train.records import AXES, JsonObject, Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One canary and what became of it."""

    canary: Canary
    scores: Scores | None
    """None when there was nothing to score."""
    refused_with_guards: str | None
    """Rule that refused it, as in `Verdict.rejected_because`; None when it was let in."""
    refused_without_guards: str | None
    """The same by the critic and the gate alone."""

    @property
    def is_good(self) -> bool:
        return self.canary.kind == GOOD

    @property
    def merit(self) -> float:
        """Of what was scored; 0 for the rest."""
        if self.scores is None:
            return 0.0
        return merit(self.scores)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """A share with its two-sided interval."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.total if self.total else math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of attack, or all of them."""

    name: str
    with_guards: Rate
    """Let in although the guards stood before the critic."""
    without_guards: Rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """All trials of one critic."""

    trials: tuple[Trial, ...]

    @property
    def attacks(self) -> list[Trial]:
        return [trial for trial in self.trials if not trial.is_good]

    @property
    def good(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.is_good]

    def kinds(self) -> list[Kind]:
        """Every kind of attack, the worst first."""
        names = dict.fromkeys(trial.canary.kind for trial in self.attacks)
        found = [
            _kind(name, [trial for trial in self.attacks if trial.canary.kind == name])
            for name in names
        ]
        return sorted(found, key=lambda k: (-k.with_guards.value, -k.without_guards.value, k.name))

    def all_attacks(self) -> Kind:
        return _kind("all", self.attacks)

    def kept(self) -> Kind:
        """Good ideas that are let in, as they should be."""
        return _kind(GOOD, self.good)

    def auc(self, *, has_guards: bool) -> tuple[float, float, float]:
        """Chance that a good idea ranks above an attack, with its interval; NaN without both.

        With guards, what a guard refuses ranks below everything.
        """
        good = [_rank(trial, has_guards) for trial in self.good]
        bad = [_rank(trial, has_guards) for trial in self.attacks]
        if not good or not bad:
            return math.nan, 0.0, 1.0
        value = float(mannwhitneyu(good, bad).statistic) / (len(good) * len(bad))
        return (value, *_auc_interval(value, len(good), len(bad)))

    def failure(
        self, *, max_false_accepts: float | None, min_good_kept: float | None, min_trials: int
    ) -> str | None:
        """Why no night may be built on this critic, and how to mend it; None when one may.

        A bound binds from `min_trials` trials on; None does not bind.
        """
        let_in, kept = self.all_attacks().with_guards, self.kept().with_guards
        if (
            max_false_accepts is not None
            and let_in.total >= min_trials
            and let_in.value > max_false_accepts
        ):
            worst = self.kinds()[0]
            return (
                f"the critic let in {let_in.count} of {let_in.total} canaries "
                f"({let_in.value:.1%}, {max_false_accepts:.1%} allowed), most of the kind "
                f"{worst.name}; raise wake.min_coherence, wake.min_support or wake.min_rederived, "
                "switch on wake.guards, or use a larger base; `eval RUN --suite critic` shows each "
                "kind"
            )
        if min_good_kept is not None and kept.total >= min_trials and kept.value < min_good_kept:
            return (
                f"the critic keeps {kept.count} of {kept.total} ideas that it has admitted "
                f"({kept.value:.1%}, {min_good_kept:.1%} needed); lower the thresholds of wake to "
                "what they were admitted at; `eval RUN --suite critic` shows what is refused"
            )
        return None

    def failure_under(self, config: EvaluateConfig) -> str | None:
        """`failure` within the bounds of a config."""
        return self.failure(
            max_false_accepts=config.max_false_accepts,
            min_good_kept=config.min_good_kept,
            min_trials=config.min_trials,
        )

    def as_json(self) -> JsonObject:
        """The figures, without the texts."""
        return {
            "kinds": {kind.name: _kind_json(kind) for kind in self.kinds()},
            "all": _kind_json(self.all_attacks()),
            "good": _kind_json(self.kept()),
            "auc_with_guards": _known(self.auc(has_guards=True)),
            "auc_without_guards": _known(self.auc(has_guards=False)),
        }


def merit(scores: Scores) -> float:
    """Mean of the axes, times the likelihoods that were asked for."""
    mean = sum(float(getattr(scores, axis)) for axis in AXES) / len(AXES)
    return mean * scores.likelihood


def rate(count: int, total: int) -> Rate:
    """Exact two-sided 95 % interval; 0 to 1 when there were none."""
    if total == 0:
        return Rate(count=0, total=0, low=0.0, high=1.0)
    interval = binomtest(count, total).proportion_ci(confidence_level=0.95, method="exact")
    return Rate(count=count, total=total, low=float(interval.low), high=float(interval.high))


def _kind(name: str, trials: Sequence[Trial]) -> Kind:
    return Kind(
        name=name,
        with_guards=rate(sum(t.refused_with_guards is None for t in trials), len(trials)),
        without_guards=rate(sum(t.refused_without_guards is None for t in trials), len(trials)),
    )


def _known(values: tuple[float, float, float]) -> list[float] | None:
    return None if math.isnan(values[0]) else list(values)


def _kind_json(kind: Kind) -> JsonObject:
    return {
        "total": kind.with_guards.total,
        "with_guards": kind.with_guards.count,
        "with_guards_interval": [kind.with_guards.low, kind.with_guards.high],
        "without_guards": kind.without_guards.count,
        "without_guards_interval": [kind.without_guards.low, kind.without_guards.high],
    }


def _rank(trial: Trial, has_guards: bool) -> float:
    is_guarded = (
        has_guards
        and trial.refused_with_guards is not None
        and trial.refused_with_guards != trial.refused_without_guards
    )
    return -1.0 if is_guarded else trial.merit


def _auc_interval(value: float, num_good: int, num_bad: int) -> tuple[float, float]:
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = (
        value * (1 - value) + (num_good - 1) * (q1 - value**2) + (num_bad - 1) * (q2 - value**2)
    )
    spread = 1.96 * math.sqrt(max(variance, 0.0) / (num_good * num_bad))
    return max(0.0, value - spread), min(1.0, value + spread)
