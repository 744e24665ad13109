"""The promotion gate: may tonight's adapter become the current one?

Pure: the same reports give the same decision. It fails closed: whatever is missing, unequal, no
number or too little is a refusal. Every check is a sentence, and all are made even after one
refused, so that a person sees the whole picture. The rules, each in its file under `gate/`:

    complete      the reports hold the same items and texts in the same order, all finite, with no
                  suite missing
    uptake        more right answers about tonight's insights than the current adapter: the lower
                  confidence bound of the paired difference is above the noise floor of null nights,
                  an exact paired test agrees, and there are at least `min_items` items
    earlier       more right answers about all insights together: what a night takes from earlier
                  ones it outweighs
    truth         as uptake, for `mode: strict`, on questions not known to be about undreamt things
    harms         retention, skill, false memories, diversity, the critic's canaries, the form of
                  answers, token loss and divergence: within bounds against the current adapter and
                  against the base (`gate/harms.py` has the table)

Accuracy decides, not the margin of likelihoods: an adapter that only makes the model surer of what
it thinks anyway moves every margin and no answer. Margins are reported beside it.

The chance of promoting a night that gained nothing is spread evenly over the planned nights, so
that a run of twenty null nights promotes one of them about as often as `promote.alpha` says. Nights
that are promoted leave theirs to the next.
"""

import math
from collections.abc import Sequence

from ddl_train.config import PromoteConfig
from ddl_train.gate.checks import Check, check_completeness
from ddl_train.gate.decision import decide
from ddl_train.gate.gains import check_earlier, check_gain, spend_alpha
from ddl_train.gate.harms import check_harms, is_forgetting
from ddl_train.gate.scaling import CHOOSE, DECIDE, half_of
from ddl_train.records import EvalReport, Promotion


def promote(
    candidate: EvalReport,
    current: EvalReport,
    base: EvalReport,
    history: Sequence[Promotion],
    config: PromoteConfig,
    *,
    num_nights: int = 1,
) -> Promotion:
    """Decide about one night.

    Args:
        candidate: report of tonight's adapter.
        current: of the adapter in use; the base's report again when there is none.
        base: of the untouched base.
        history: earlier decisions of this run, oldest first.
        config: limits.
        num_nights: planned for the whole run; the confidence is spread over them.
    """
    checks = check_night(candidate, current, base, history, config, num_nights=num_nights)
    return decide(candidate.adapter, checks)


def check_night(
    candidate: EvalReport,
    current: EvalReport,
    base: EvalReport,
    history: Sequence[Promotion],
    config: PromoteConfig,
    *,
    num_nights: int = 1,
) -> list[Check]:
    """Every check of `promote`, in order."""
    checks = check_completeness(candidate, current, base)
    if any(check.state == "refused" for check in checks):
        return checks
    alpha, luck = spend_alpha(history, num_nights, config)
    checks += [luck, *check_gain("uptake", candidate, current, alpha, config)]
    checks += check_earlier(candidate, current)
    if config.mode == "strict":
        checks += check_gain("truth", candidate, current, alpha, config)
    return checks + check_harms(candidate, current, base, config)


def decide_by_halves(
    candidate: EvalReport,
    current: EvalReport,
    base: EvalReport,
    history: Sequence[Promotion],
    config: PromoteConfig,
    *,
    num_nights: int = 1,
) -> tuple[Promotion, Promotion]:
    """The decision by the half of the items that chooses a share of a delta, and by the other.

    Half of `min_items` is asked of each. Arguments as of `promote`.
    """
    limits = config.model_copy(update={"min_items": math.ceil(config.min_items / 2)})
    choice, decision = (
        promote(
            half_of(candidate, half),
            half_of(current, half),
            half_of(base, half),
            history,
            limits,
            num_nights=num_nights,
        )
        for half in (CHOOSE, DECIDE)
    )
    return choice, decision


def failed_only_by_forgetting(checks: Sequence[Check]) -> bool:
    """Whether a smaller delta of the same night might pass."""
    refused = [check for check in checks if check.state == "refused"]
    return bool(refused) and all(is_forgetting(check.rule) for check in refused)
