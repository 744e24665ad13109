"""The gate promotes what learned something and lost nothing, and fails closed on all else."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from ddl_train.config import PromoteConfig
from ddl_train.promote import promote
from ddl_train.records import BASE, EvalReport, ItemResult, Promotion

CONFIG = PromoteConfig(num_resamples=500)
STRICT = PromoteConfig(num_resamples=500, mode="strict")


def items(
    suite: str, num_items: int, num_right: int, *, is_dreamt: bool | None = None
) -> list[ItemResult]:
    return [
        ItemResult(
            probe_id=f"{suite}-{number}",
            suite=suite,
            kind="forward",
            is_correct=number < num_right,
            margin=1.0 if number < num_right else -1.0,
            chance=0.2,
            cluster=f"insight {number // 2}" if suite == "uptake" else f"{number}",
            is_dreamt=is_dreamt,
        )
        for number in range(num_items)
    ]


def report(adapter: str, *, uptake: int, truth: int = 10, loss: float = 2.0) -> EvalReport:
    return EvalReport(
        adapter=adapter,
        cycle=0,
        items=(
            *items("uptake", 40, uptake),
            *items("truth", 40, truth, is_dreamt=True),
            *items("retention", 100, 90),
            *items("skill", 100, 95),
            *items("false_memory", 100, 5),
        ),
        losses={"held-out documents": (loss, loss + 1), "book.txt": (loss, loss)},
    )


CURRENT = report("current", uptake=12)
BASE_REPORT = report(BASE, uptake=8)
GOOD = report("tonight", uptake=34, truth=30)


def decide(
    candidate: EvalReport = GOOD,
    current: EvalReport = CURRENT,
    base: EvalReport = BASE_REPORT,
    config: PromoteConfig = CONFIG,
) -> Promotion:
    return promote(candidate, current, base, [], config)


def with_suite(of: EvalReport, suite: str, changed: list[ItemResult]) -> EvalReport:
    """The report with other results for one suite, in its place."""
    others = [item for item in of.items if item.suite != suite]
    first = next(number for number, item in enumerate(of.items) if item.suite == suite)
    return replace(of, items=(*others[:first], *changed, *others[first:]))


def test_a_night_that_learned_and_forgot_nothing_is_promoted() -> None:
    promotion = decide()
    assert promotion.promoted, promotion.reasons
    assert promotion.candidate == "tonight"
    assert promotion.numbers["uptake_gain"] == pytest.approx(22 / 40)
    assert promotion.numbers["uptake_gain_low"] > 0.3
    assert all(reason.startswith("ok: ") for reason in promotion.reasons)
    assert decide(config=STRICT).promoted


def test_the_first_night_is_compared_with_the_base_twice() -> None:
    assert decide(current=BASE_REPORT).promoted


Change = Callable[[EvalReport], EvalReport]


def all_three(change: Change) -> Promotion:
    return promote(change(GOOD), change(CURRENT), change(BASE_REPORT), [], CONFIG)


def first_margin_is(value: float) -> Change:
    return lambda of: replace(of, items=(replace(of.items[0], margin=value), *of.items[1:]))


def without(suite: str) -> Change:
    return lambda of: replace(of, items=tuple(one for one in of.items if one.suite != suite))


def only_items(keep: Callable[[ItemResult], bool]) -> Change:
    return lambda of: replace(of, items=tuple(filter(keep, of.items)))


@pytest.mark.parametrize(
    ("promotion", "reason"),
    [
        # nothing to go by
        (all_three(lambda of: replace(of, items=())), "uptake has 0 items"),
        (all_three(lambda of: replace(of, items=(), losses={})), "retention was not measured"),
        (all_three(without("uptake")), "uptake has 0 items"),
        (
            all_three(only_items(lambda one: one.probe_id[-2:] <= "-8" or one.suite != "uptake")),
            "at least 10 are needed",
        ),
        # something missing
        (decide(replace(GOOD, missing=("truth: gone.jsonl is gone",))), "truth: gone.jsonl"),
        (decide(base=replace(BASE_REPORT, missing=("uptake: x",))), "not measured: uptake: x"),
        (decide(replace(GOOD, losses={"book.txt": (2.0, 2.0)})), "not measured on the same texts"),
        (decide(current=replace(CURRENT, losses={})), "current was not measured on the same"),
        (all_three(lambda of: replace(of, losses={"book.txt": ()})), "no loss of the candidate"),
        # no numbers
        (decide(first_margin_is(math.nan)(GOOD)), "likelihoods of the candidate are no numbers"),
        (decide(first_margin_is(-math.inf)(GOOD)), "likelihoods of the candidate are no numbers"),
        (decide(base=first_margin_is(math.nan)(BASE_REPORT)), "likelihoods of the base"),
        (
            decide(replace(GOOD, losses={**GOOD.losses, "book.txt": (math.nan, 2.0)})),
            "a loss of the candidate on book.txt is no number",
        ),
        # reports that are not of the same thing
        (decide(replace(GOOD, items=GOOD.items[:-1])), "current was not asked the same items"),
        (decide(base=replace(BASE_REPORT, items=BASE_REPORT.items[::-1])), "in the same order"),
        (all_three(lambda of: replace(of, items=of.items * 2)), "holds an item twice"),
        (decide(replace(GOOD, adapter="current")), "is already in use"),
        (decide(replace(GOOD, adapter=BASE)), "is already in use"),
        (decide(base=replace(BASE_REPORT, adapter="other")), "report of the base is one of other"),
        # no gain
        (decide(replace(CURRENT, adapter="tonight")), "uptake rose by 0.000"),
        (decide(report("tonight", uptake=13)), "uptake rose by 0.025"),
        (decide(report("tonight", uptake=4)), "uptake fell by 0.200"),
        (decide(report("tonight", uptake=34), config=STRICT), "truth rose by 0.000"),
        (
            decide(
                without("truth")(GOOD),
                without("truth")(CURRENT),
                without("truth")(BASE_REPORT),
                STRICT,
            ),
            "truth has 0 items",
        ),
        # harm
        (decide(with_suite(GOOD, "retention", items("retention", 100, 84))), "retention drop"),
        (decide(with_suite(GOOD, "skill", items("skill", 100, 89))), "skill drop"),
        (decide(with_suite(GOOD, "false_memory", items("false_memory", 100, 11))), "rise"),
        (decide(report("tonight", uptake=34, loss=2.2)), "token loss on held-out documents"),
    ],
)
def test_everything_else_is_refused_and_says_why(promotion: Promotion, reason: str) -> None:
    assert not promotion.promoted
    refusals = [one for one in promotion.reasons if one.startswith("refused: ")]
    assert any(reason in one for one in refusals), promotion.reasons


@pytest.mark.parametrize(
    ("num_items", "num_lost", "promoted"),
    [
        (100, 5, True),  # at the limit
        (100, 6, False),  # over it
        (1000, 50, True),
        (1000, 51, False),
        (20, 0, True),
        (20, 1, False),  # within the limit, but 20 items cannot exclude twice as much
        (60, 1, True),
    ],
)
def test_a_loss_must_be_small_and_known_to_be_small(
    num_items: int, num_lost: int, promoted: bool
) -> None:
    before = items("retention", num_items, num_items)
    after = items("retention", num_items, num_items - num_lost)
    promotion = decide(
        with_suite(GOOD, "retention", after),
        with_suite(CURRENT, "retention", before),
        with_suite(BASE_REPORT, "retention", before),
    )
    assert promotion.promoted is promoted, promotion.reasons


def test_a_suite_too_small_to_tell_says_how_many_items_would() -> None:
    before, after = items("skill", 20, 20), items("skill", 20, 19)
    promotion = decide(
        with_suite(GOOD, "skill", after),
        with_suite(CURRENT, "skill", before),
        with_suite(BASE_REPORT, "skill", before),
    )
    (refusal,) = [one for one in promotion.reasons if one.startswith("refused")]
    assert "does not exclude 0.100: about" in refusal


def test_what_was_never_dreamt_is_no_truth_to_gain() -> None:
    def with_undreamt(of: EvalReport) -> EvalReport:
        more = [
            replace(item, probe_id=f"undreamt {item.probe_id}")
            for item in items("truth", 400, 0, is_dreamt=False)
        ]
        return replace(of, items=(*of.items, *more))

    promotion = promote(
        with_undreamt(GOOD), with_undreamt(CURRENT), with_undreamt(BASE_REPORT), [], STRICT
    )
    assert promotion.promoted, promotion.reasons
    assert promotion.numbers["truth_items"] == 40
    assert promotion.numbers["truth_gain"] == pytest.approx(0.5)


def test_surer_is_not_better() -> None:
    surer = tuple(replace(item, margin=10 * item.margin) for item in CURRENT.items)
    assert not decide(replace(CURRENT, adapter="tonight", items=surer)).promoted


def test_wordings_of_one_insight_are_one_piece_of_evidence() -> None:
    def of_one_insight(of: EvalReport) -> EvalReport:
        return with_suite(
            of,
            "uptake",
            [
                replace(item, cluster="a" if number < 36 else "b")
                for number, item in enumerate(one for one in of.items if one.suite == "uptake")
            ],
        )

    # 22 more right answers, but from two insights, one of which gained nothing
    promotion = promote(
        of_one_insight(GOOD), of_one_insight(CURRENT), of_one_insight(BASE_REPORT), [], CONFIG
    )
    assert not promotion.promoted


def test_what_is_missing_everywhere_is_said_once() -> None:
    assert all_three(lambda of: replace(of, missing=("uptake: too few",))).reasons == (
        "refused: not measured: uptake: too few",
    )


def test_the_same_reports_give_the_same_decision() -> None:
    assert decide() == decide()


def test_earlier_decisions_are_counted() -> None:
    assert (
        promote(GOOD, CURRENT, BASE_REPORT, [decide()] * 3, CONFIG).numbers["num_earlier_decisions"]
        == 3
    )
