"""The gate of distilling: has the student kept the teacher's gain, and forgotten no more than allowed?

The gain of each is over its own untouched base, question by question, and the lower confidence
bound of (student's gain - share x teacher's gain) must be above zero: 0.9 for a lower rank, 0.75
for a smaller base. The questions are those of uptake, and of truth about what was dreamt. Harms are
those of the promotion gate: against the student's base, and for a lower rank against the teacher
too, which is a model of the same size.

Every student of one teacher is another draw at the same bound. The k-th is decided at 1 / (k (k + 1))
of `1 - confidence`: a half, a sixth, a twelfth, so that all of them together, however many, let one
through that kept too little in no more cases than `1 - confidence`.

Pure and closed, as the promotion gate: what is missing, unequal or too little is a refusal.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.config import DistillConfig, PromoteConfig
from ddl_train.gate.checks import Check, State, check_completeness, gained, interval_of, size_of
from ddl_train.gate.decision import decide
from ddl_train.gate.harms import check_harms
from ddl_train.records import EvalReport, ItemResult, Promotion


def decide_student(
    student: EvalReport,
    teacher: EvalReport,
    base: EvalReport,
    teacher_base: EvalReport | None,
    config: PromoteConfig,
    distill: DistillConfig,
    *,
    attempt: int = 1,
) -> Promotion:
    """Decide about one student.

    Args:
        student: report of the distilled adapter.
        teacher: of the adapter it was distilled from.
        base: of the student's untouched base.
        teacher_base: of the teacher's, where that is another; None where it is the same.
        config: limits of the promotion gate.
        distill: share to keep, and least number of items.
        attempt: which student of this teacher it is, from 1.
    """
    is_smaller = teacher_base is not None
    checks = check_completeness(student, base if is_smaller else teacher, base)
    if is_smaller and [one.probe_id for one in teacher.items] != [
        one.probe_id for one in student.items
    ]:
        sentence = "the teacher was not asked the same items in the same order"
        checks.append(Check(rule="complete", state="refused", sentence=sentence))
    if all(check.state != "refused" for check in checks):
        share = distill.min_kept_smaller if is_smaller else distill.min_kept
        alpha, spent = spend_on(attempt, config)
        checks += [
            spent,
            *check_kept(
                student, teacher, base, teacher_base or base, share, alpha, config, distill
            ),
            *check_harms(student, base if is_smaller else teacher, base, config),
        ]
    return decide(student.adapter, [_in_words(check) for check in checks])


def spend_on(attempt: int, config: PromoteConfig) -> tuple[float, Check]:
    """Chance at which this student may be let through though it kept too little."""
    total = 1 - config.confidence
    alpha = total / (attempt * (attempt + 1))
    sentence = (
        f"a student that kept too little is let through in {100 * alpha:.3g} % of cases; this is "
        f"number {attempt} of its teacher, and all that there may be come to {100 * total:.3g} %"
    )
    numbers = {"attempt": float(attempt), "alpha": alpha}
    return alpha, Check(rule="alpha", state="ok", sentence=sentence, numbers=numbers)


def check_kept(
    student: EvalReport,
    teacher: EvalReport,
    base: EvalReport,
    teacher_base: EvalReport,
    share: float,
    alpha: float,
    config: PromoteConfig,
    distill: DistillConfig,
) -> list[Check]:
    """Enough items, a teacher that gained something, and enough of it kept, at `alpha`."""
    items = [_counted(one) for one in (student, base, teacher, teacher_base)]
    count = len(items[0])
    if not count:
        return [Check(rule="kept", state="refused", sentence=_too_few(0, distill.min_items))]
    mine, clusters = gained(items[0], items[1])
    theirs, _ = gained(items[2], items[3])
    excess = [a - share * b for a, b in zip(mine, theirs, strict=True)]
    found = interval_of(excess, clusters, alpha, config)
    whole = interval_of(theirs, clusters, alpha, config)
    own = interval_of(mine, clusters, alpha, config)
    kept = own.mean / whole.mean if whole.mean > 0 else math.nan
    numbers = {
        "kept": kept,
        "kept_excess": found.mean,
        "kept_excess_low": found.low,
        "student_gain": own.mean,
        "teacher_gain": whole.mean,
        "kept_items": float(count),
    }
    checks = []
    if count < distill.min_items:
        sentence = _too_few(count, distill.min_items)
        checks.append(Check(rule="items", state="refused", sentence=sentence))
    if not (whole.is_known and whole.low > 0):
        sentence = (
            f"the teacher itself has gained {whole.mean:+.3f} over its base, {whole.low:+.3f} at "
            f"least ({size_of(whole)}), so that nothing is known to be kept"
        )
        checks.append(Check(rule="kept", state="refused", sentence=sentence, numbers=numbers))
        return checks
    sentence = (
        f"the student has gained {own.mean:+.3f} over its base and the teacher {whole.mean:+.3f}, "
        f"{100 * kept:.1f} % of it; beyond {share:g} of the teacher's gain it is {found.mean:+.3f}, "
        f"{found.low:+.3f} at least, at {100 * (1 - alpha):.4g} % confidence ({size_of(found)})"
    )
    state: State = "ok" if found.is_known and found.low > 0 else "refused"
    return [*checks, Check(rule="kept", state=state, sentence=sentence, numbers=numbers)]


def _counted(report: EvalReport) -> Sequence[ItemResult]:
    return [
        one
        for one in report.items
        if one.suite == "uptake" or (one.suite == "truth" and one.is_dreamt is not False)
    ]


def _too_few(count: int, needed: int) -> str:
    return (
        f"uptake, and truth about what was dreamt, have {count} items; at least {needed} are "
        "needed: dream on more pairs, or name more questions in evaluate.truth (each insight gives "
        "two or three questions of uptake)"
    )


def _in_words(check: Check) -> Check:
    """The harms speak of the night's candidate and the adapter in use: here the teacher."""
    sentence = check.sentence.replace("against the current adapter", "against the teacher")
    return replace(check, sentence=sentence)
