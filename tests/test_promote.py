"""The gate promotes what learned something and lost nothing, and fails closed on all else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ddl_train.config import PromoteConfig
from ddl_train.promote import check_night, failed_only_by_forgetting, promote
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
            answer="so it is" if suite == "skill" else None,
            is_finished=True if suite == "skill" else None,
        )
        for number in range(num_items)
    ]


def report(
    adapter: str, *, uptake: int, truth: int = 10, loss: float = 2.0, kl: float = 0.05
) -> EvalReport:
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
        divergences=at_distance(0.0 if adapter == BASE else kl),
    )


def at_distance(kl: float) -> dict[str, tuple[float, ...]]:
    return {"held-out documents": (kl, kl), "book.txt": (kl, kl)}


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
    assert not any(reason.startswith("refused: ") for reason in promotion.reasons)
    assert decide(config=STRICT).promoted


def after_a_night(adapter: str, *, tonight: int, earlier: int) -> EvalReport:
    """So many right of 20 questions about 10 insights of tonight, and of 200 about earlier ones."""
    new = [replace(one, is_tonight=True) for one in items("uptake", 20, tonight)]
    old = [
        replace(one, probe_id=f"old {one.probe_id}", cluster=f"old {one.cluster}", is_tonight=False)
        for one in items("uptake", 200, earlier)
    ]
    return with_suite(report(adapter, uptake=0), "uptake", [*new, *old])


SINCE = after_a_night("current", tonight=4, earlier=190)


def test_what_a_night_must_show_does_not_grow_with_what_was_learned_before() -> None:
    night = after_a_night("tonight", tonight=20, earlier=180)
    promotion = decide(night, SINCE, after_a_night(BASE, tonight=4, earlier=40))
    assert promotion.promoted, promotion.reasons
    assert promotion.numbers["uptake_gain"] == pytest.approx(16 / 20)
    assert promotion.numbers["earlier_gain"] == pytest.approx(-10 / 200)
    assert promotion.numbers["uptake_net_gain"] == pytest.approx(6 / 220)
    assert (
        "ok: of 200 questions about earlier insights 180 are right, 190 under the current adapter; "
        "with tonight's, 200 of 220 and 194"
    ) in promotion.reasons


def test_a_gain_in_earlier_insights_alone_is_no_night() -> None:
    before = after_a_night("current", tonight=4, earlier=100)
    night = after_a_night("tonight", tonight=4, earlier=200)
    checks = check_night(night, before, after_a_night(BASE, tonight=4, earlier=40), [], CONFIG)
    assert {one.rule for one in checks if one.state == "refused"} == {"uptake"}


@pytest.mark.parametrize("earlier", [174, 100])
def test_a_night_that_takes_as_much_as_it_gives_is_refused_and_tried_with_less(
    earlier: int,
) -> None:
    night = after_a_night("tonight", tonight=20, earlier=earlier)
    checks = check_night(night, SINCE, after_a_night(BASE, tonight=4, earlier=40), [], CONFIG)
    (refused,) = [one for one in checks if one.state == "refused"]
    assert refused.sentence.endswith(": the night takes as much as it gives")
    assert failed_only_by_forgetting(checks)


def test_the_first_night_is_compared_with_the_base_once() -> None:
    promotion = decide(current=BASE_REPORT)
    assert promotion.promoted
    assert sum("retention" in reason for reason in promotion.reasons) == 1
    assert sum("retention" in reason for reason in decide().reasons) == 2


Change = Callable[[EvalReport], EvalReport]


def all_three(change: Change) -> Promotion:
    return promote(change(GOOD), change(CURRENT), change(BASE_REPORT), [], CONFIG)


def first_margin_is(value: float) -> Change:
    return lambda of: replace(of, items=(replace(of.items[0], margin=value), *of.items[1:]))


def without(suite: str) -> Change:
    return lambda of: replace(of, items=tuple(one for one in of.items if one.suite != suite))


def only_items(keep: Callable[[ItemResult], bool]) -> Change:
    return lambda of: replace(of, items=tuple(filter(keep, of.items)))


def answering(of: EvalReport, **changes: Any) -> EvalReport:
    """The report with other generated answers to its skill items."""
    return replace(
        of,
        items=tuple(replace(one, **changes) if one.suite == "skill" else one for one in of.items),
    )


def with_canaries(of: EvalReport, num_right: int) -> EvalReport:
    return replace(of, items=(*of.items, *items("critic", 100, num_right)))


def test_canaries_among_the_items_are_held_to_their_bounds() -> None:
    before, base = with_canaries(CURRENT, 100), with_canaries(BASE_REPORT, 100)
    assert promote(with_canaries(GOOD, 100), before, base, [], CONFIG).promoted
    refused = promote(with_canaries(GOOD, 95), before, base, [], CONFIG)
    # against the current adapter and against the base
    assert len(said(refused, "refused", "")) == 2, refused.reasons


@pytest.mark.parametrize(
    ("current", "kl", "state", "num_said"),
    [
        (0.05, 0.09, "ok", 2),
        (0.05, 0.16, "warn", 2),  # 0.11 more than the adapter in use, and 0.16 from the base
        (0.10, 0.18, "warn", 1),  # 0.08 more than before, but 0.18 from the base
        (0.05, 0.36, "refused", 2),
        (0.25, 0.31, "refused", 1),  # a small step more, and beyond what all nights may cost
    ],
)
def test_divergence_from_the_base_is_bounded_by_night_and_in_sum(
    current: float, kl: float, state: str, num_said: int
) -> None:
    def at(of: EvalReport, kl: float) -> EvalReport:
        return replace(of, losses={"notes": (2.0,) * 12}, divergences={"notes": (kl,) * 12})

    promotion = decide(at(GOOD, kl), at(CURRENT, current), at(BASE_REPORT, 0.0))
    assert promotion.promoted is (state != "refused"), promotion.reasons
    assert len(said(promotion, state, "rise of KL to the base on")) == num_said, promotion.reasons
    key = "kl_rise/notes"
    assert promotion.numbers[key] == pytest.approx(kl)
    assert promotion.numbers[f"{key}_of_night"] == pytest.approx(kl - current)


def test_a_night_refused_for_its_divergence_alone_may_pass_with_less_of_its_delta() -> None:
    far = report("tonight", uptake=34, kl=1.0)
    checks = check_night(far, CURRENT, BASE_REPORT, [], CONFIG)
    assert {one.rule for one in checks if one.state == "refused"} == {"kl"}
    assert failed_only_by_forgetting(checks)


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
        (decide(replace(GOOD, divergences={})), "the KL to the base of the candidate on book.txt"),
        (decide(base=replace(BASE_REPORT, divergences={})), "the KL to the base of the base on"),
        (
            all_three(lambda of: replace(of, divergences={"book.txt": (0.0,)})),
            "of the candidate, the current and the base on book.txt was not measured",
        ),
        (
            decide(replace(GOOD, divergences={**GOOD.divergences, "book.txt": (math.nan, 0.0)})),
            "a KL to the base of the candidate on book.txt is no number",
        ),
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
        (decide(replace(CURRENT, adapter="tonight")), "uptake of tonight's insights rose by 0.000"),
        (decide(config=CONFIG.model_copy(update={"min_gain": 0.5})), "null night may bring 0.500"),
        (decide(report("tonight", uptake=13)), "uptake of tonight's insights rose by 0.025"),
        (decide(report("tonight", uptake=4)), "uptake of tonight's insights fell by 0.200"),
        (
            decide(report("tonight", uptake=34), config=STRICT),
            "truth of what was dreamt rose by 0.000",
        ),
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
        (decide(with_suite(GOOD, "false_memory", items("false_memory", 100, 16))), "rise"),
        (decide(report("tonight", uptake=34, loss=2.2)), "token loss on held-out documents"),
        (decide(answering(GOOD, is_finished=False)), "eos drop"),
        (decide(answering(GOOD, answer="so " * 20)), "length change"),
        (decide(answering(GOOD, answer="")), "length change"),
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


def decide_on(suite: str, before: list[ItemResult], after: list[ItemResult]) -> Promotion:
    """The good night, with other results in one suite."""
    return decide(
        with_suite(GOOD, suite, after),
        with_suite(CURRENT, suite, before),
        with_suite(BASE_REPORT, suite, before),
    )


def said(promotion: Promotion, state: str, words: str) -> list[str]:
    return [one for one in promotion.reasons if one.startswith(f"{state}: ") and words in one]


def test_a_suite_too_small_to_tell_says_how_many_items_would() -> None:
    promotion = decide_on("skill", items("skill", 20, 20), items("skill", 20, 19))
    assert len(said(promotion, "refused", "does not exclude 0.100; about")) == 2
    untouched = items("skill", 20, 20)
    assert said(decide_on("skill", untouched, untouched), "warn", "about 29 items would tell")
    few = items("skill", 5, 5)
    assert said(decide_on("skill", few, few), "refused", "skill has 5 items; at least 10")


def test_a_loss_between_warn_and_block_is_said_and_passes() -> None:
    promotion = decide_on("skill", items("skill", 1000, 1000), items("skill", 1000, 970))
    assert promotion.promoted, promotion.reasons
    assert said(promotion, "warn", "more than 0.025")


def test_small_losses_add_up_against_the_base() -> None:
    before, now, after = (items("retention", 1000, right) for right in (1000, 970, 940))
    promotion = decide(
        with_suite(GOOD, "retention", after),
        with_suite(CURRENT, "retention", now),
        with_suite(BASE_REPORT, "retention", before),
    )
    assert not said(promotion, "refused", "against the current adapter")
    assert said(promotion, "refused", "retention drop against the base")


def test_a_night_may_not_lose_what_earlier_nights_had_won() -> None:
    before, now, after = (items("retention", 1000, right) for right in (900, 980, 910))
    promotion = decide(
        with_suite(GOOD, "retention", after),
        with_suite(CURRENT, "retention", now),
        with_suite(BASE_REPORT, "retention", before),
    )
    assert said(promotion, "refused", "retention drop against the current adapter")
    assert not said(promotion, "refused", "against the base")


def test_too_few_items_to_see_a_gain_say_how_many_would() -> None:
    others = items("uptake", 40, 40 - 13)  # 13 right answers, and not those of before
    others = [replace(one, is_correct=not one.is_correct) for one in others]
    promotion = decide(with_suite(GOOD, "uptake", others))
    assert said(promotion, "warn", "would show a gain of 0.1 four times in five")


def test_what_nobody_measured_is_named_once() -> None:
    assert said(decide(), "warn", "not measured") == [
        "warn: not measured, so nothing is known about it: diversity"
    ]


def test_a_few_texts_are_held_to_their_mean_alone() -> None:
    def with_losses(of: EvalReport, *losses: float) -> EvalReport:
        kept = tuple(0.0 for _ in losses)
        return replace(of, losses={"notes": losses}, divergences={"notes": kept})

    def decide_rises(rises: Sequence[float]) -> Promotion:
        return promote(
            with_losses(GOOD, *(2.0 + rise for rise in rises)),
            with_losses(CURRENT, *(2.0 for _ in rises)),
            with_losses(BASE_REPORT, *(2.0 for _ in rises)),
            [],
            CONFIG,
        )

    one_bad = decide_rises([0.0, 0.0, 0.36])
    assert one_bad.promoted
    assert said(one_bad, "warn", "rise of token loss on notes")
    assert not decide_rises([0.0, 0.0, 1.0]).promoted
    assert decide_rises([0.0, 0.0, 0.36] * 10).promoted
    # 0.125 on average, and that does not exclude 0.3
    assert not decide_rises([0.0] * 11 + [1.5]).promoted


def alphas(nights: Sequence[str], *, num_nights: int) -> list[float]:
    """Of each night of a run in which these were promoted or refused."""
    history: list[Promotion] = []
    for fate in nights:
        night = promote(GOOD, CURRENT, BASE_REPORT, history, CONFIG, num_nights=num_nights)
        history.append(replace(night, promoted=fate == "promoted"))
    return [one.numbers["alpha"] for one in history]


def test_a_promoted_night_leaves_its_chance_of_luck_to_the_next() -> None:
    fates = ["promoted", "promoted", "refused", "promoted"]
    assert alphas(fates, num_nights=4) == pytest.approx(
        [0.025 / 4, 2 * 0.025 / 4, 3 * 0.025 / 4, 0.025 / 4]
    )


def test_nothing_is_left_beyond_the_whole_chance_nor_past_what_a_person_decided() -> None:
    assert max(alphas(["promoted"] * 6, num_nights=3)) == pytest.approx(0.025)
    by_hand = replace(decide(), decided_by="person")
    after = promote(GOOD, CURRENT, BASE_REPORT, [decide(), by_hand], CONFIG, num_nights=4)
    assert after.numbers["alpha"] == pytest.approx(0.025 / 4)


def test_the_chance_of_luck_is_spread_over_the_planned_nights() -> None:
    assert alphas(["refused"] * 20, num_nights=20) == pytest.approx([0.00125] * 20)
    assert alphas(["refused"] * 3, num_nights=2) == pytest.approx([0.0125, 0.0125, 0.025 / 3])
    by_hand = replace(decide(), decided_by="person")
    assert promote(GOOD, CURRENT, BASE_REPORT, [by_hand], CONFIG).numbers["alpha"] == (
        pytest.approx(0.025)
    )


def test_more_nights_than_planned_are_said_to_take_more_chances() -> None:
    history = [decide()]
    promotion = promote(GOOD, CURRENT, BASE_REPORT, history, CONFIG, num_nights=1)
    assert said(promotion, "warn", "3.75 % of 2.5 % are shared out so far")


def test_a_gain_that_is_luck_in_one_of_fifty_nights_passes_alone_and_not_among_twenty() -> None:
    lucky = report("tonight", uptake=24)  # 12 more, in 6 insights: p 1/64
    assert decide(lucky).promoted
    among = promote(lucky, CURRENT, BASE_REPORT, [], CONFIG, num_nights=20)
    assert said(among, "refused", "exact p 0.016")


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
    nothing: dict[str, tuple[float, ...]] = {"book.txt": ()}
    assert all_three(lambda of: replace(of, losses=nothing, divergences=nothing)).reasons == (
        "refused: no loss of the candidate, the current and the base on book.txt",
    )


def test_the_same_reports_give_the_same_decision() -> None:
    assert decide() == decide()
