"""The target: more right answers than the adapter in use, beyond what a null night brings.

Three things must hold: enough items; a lower confidence bound of the paired difference above the
noise floor; and an exact paired test at the same alpha, which keeps its word where a bootstrap of a
dozen clusters does not. Uptake is tested on tonight's insights, so that what a night must show does
not grow with all that was learned before; what it takes from earlier ones it must outweigh.
"""

from collections.abc import Sequence

from ddl_train.config import PromoteConfig
from ddl_train.gate.checks import Check, State, gained, interval_of, mean, size_of, suite_of
from ddl_train.probes.statistics import exact_gain_test, items_needed
from ddl_train.records import EvalReport, ItemResult, Promotion

COUNTED = {"uptake": "tonight's insights", "truth": "what was dreamt"}
"""What the items are about that a gain is tested on, by suite."""


def spend_alpha(
    history: Sequence[Promotion], num_nights: int, config: PromoteConfig
) -> tuple[float, Check]:
    """Chance at which tonight may be promoted though it gained nothing, and what it adds up to.

    `alpha` is shared out evenly over the planned nights. A night that was promoted has not used its
    chance up, and leaves it to the next, together with what was left to it (the fallback procedure
    of Wiens 2003; Bretz et al. 2011, doi:10.1002/bimj.201000239): each share is still lost by one night at most, so the sum
    holds whatever was promoted before. What a person decided since ends that. Nights beyond the plan get what an even share of them all
    would have been; the sum then exceeds what was meant, and a warning says so.
    """
    decided = [one for one in history if one.decided_by == "gate"]
    planned = max(num_nights, len(decided) + 1)
    total = config.alpha
    share = total / planned
    is_kept = bool(decided) and decided[-1].promoted and history[-1] is decided[-1]
    left = min(decided[-1].numbers.get("alpha", 0.0), total - share) if is_kept else 0.0
    spent = share + sum(_share_of(one) for one in decided)
    is_over = spent > total * (1 + 1e-9)
    inherited = f", and {100 * left:.3g} % that promoted nights left to it" if left else ""
    sentence = (
        f"a night that gained nothing passes in {100 * (share + left):.3g} % of cases: its share as "
        f"one of {planned} planned{inherited}; {100 * spent:.3g} % of {100 * total:.3g} % are shared "
        "out so far"
    )
    return share + left, Check(
        rule="alpha",
        state="warn" if is_over else "ok",
        sentence=sentence,
        numbers={
            "num_earlier_decisions": float(len(history)),
            "alpha": share + left,
            "alpha_share": share,
            "alpha_spent": spent,
        },
    )


def _share_of(night: Promotion) -> float:
    """Runs from before shares were left to the next night hold no `alpha_share`."""
    return night.numbers.get("alpha_share", night.numbers.get("alpha", 0.0))


def check_gain(
    suite: str, candidate: EvalReport, current: EvalReport, alpha: float, config: PromoteConfig
) -> list[Check]:
    """One check, and a warning with the number of items it would take when too few could tell.

    Args:
        suite: `uptake`, of which tonight's items count, or `truth`, of which those about something
            dreamt do.
        candidate: report of tonight's adapter.
        current: of the adapter in use.
        alpha: chance at which a night may pass that gained nothing.
        config: limits.
    """
    about = COUNTED[suite]
    after, before = _counted(candidate, suite), _counted(current, suite)
    if len(after) < config.min_items:
        sentence = (
            f"{suite} has {len(after)} items about {about}; at least {config.min_items} are needed"
        )
        numbers = {f"{suite}_items": float(len(after))}
        return [Check(rule=suite, state="refused", sentence=sentence, numbers=numbers)]
    differences, clusters = gained(after, before)
    interval = interval_of(differences, clusters, alpha, config)
    p_value = exact_gain_test(differences, clusters)
    floor = config.min_gain or 0.0
    is_shown = interval.is_known and interval.low > floor and p_value <= alpha
    verb = "rose" if interval.mean >= 0 else "fell"
    shares = [mean([float(item.is_correct) for item in items]) for items in (before, after)]
    sentence = (
        f"{suite} of {about} {verb} by {abs(interval.mean):.3f} over the current adapter, from "
        f"{shares[0]:.3f} to {shares[1]:.3f} ({size_of(interval)}), and by {interval.low:+.3f} at least, at "
        f"{100 * (1 - alpha):.4g} % confidence; exact p {p_value:.2g}; a null night may bring "
        + ("0, which was not measured" if config.min_gain is None else f"{floor:.3f}")
    )
    numbers = {
        f"{suite}_gain": interval.mean,
        f"{suite}_gain_low": interval.low,
        f"{suite}_gain_high": interval.high,
        f"{suite}_p": p_value,
        f"{suite}_items": float(interval.num_items),
        f"{suite}_candidate": shares[1],
        f"{suite}_current": shares[0],
        f"{suite}_margin_gain": mean([item.margin for item in after])
        - mean([item.margin for item in before]),
    }
    state: State = "ok" if is_shown else "refused"
    checks = [Check(rule=suite, state=state, sentence=sentence, numbers=numbers)]
    needed = items_needed(interval, config.effect, alpha=alpha)
    if not is_shown and needed and needed > interval.num_items:
        sentence = (
            f"{suite} has {interval.num_items} items about {about}; some {needed} would show a gain of "
            f"{floor + config.effect:g} four times in five"
        )
        checks.append(Check(rule=suite, state="warn", sentence=sentence))
    return checks


def check_earlier(candidate: EvalReport, current: EvalReport) -> list[Check]:
    """Whether a night gives more than it takes: nothing to say where there is no earlier insight."""
    after, before = (suite_of(one, "uptake") for one in (candidate, current))
    was, now = (
        [item.is_correct for item in items if item.is_tonight is False] for items in (before, after)
    )
    if not was:
        return []
    num_before, num_after = (sum(item.is_correct for item in items) for items in (before, after))
    sentence = (
        f"of {len(was)} questions about earlier insights {sum(now)} are right, {sum(was)} under the "
        f"current adapter; with tonight's, {num_after} of {len(after)} and {num_before}"
    )
    numbers = {
        "earlier_gain": (sum(now) - sum(was)) / len(was),
        "uptake_net_gain": (num_after - num_before) / len(after),
    }
    if num_after > num_before:
        return [Check(rule="earlier", state="ok", sentence=sentence, numbers=numbers)]
    sentence += ": the night takes as much as it gives"
    return [Check(rule="earlier", state="refused", sentence=sentence, numbers=numbers)]


def _counted(report: EvalReport, suite: str) -> list[ItemResult]:
    """A night cannot be blamed for what was never dreamt, nor praised for what was known before it."""
    items = suite_of(report, suite)
    if suite == "uptake":
        return [one for one in items if one.is_tonight is not False]
    return [one for one in items if one.is_dreamt is not False]
