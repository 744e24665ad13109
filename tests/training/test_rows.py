"""A night is mixed as the config says, whatever the order of what it is given."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ddl_train.config import SleepConfig
from ddl_train.records import Concept, Insight, Scores, StudyItem, TrainingRow
from ddl_train.training.rows import build_night, build_rows, keep_insights

KINDS = ["restate", "forward", "reverse", "propose"]


@dataclass(frozen=True)
class PlainPrompts:
    none: str = "NONE"

    def render(self, template: str, **variables: Any) -> str:
        return f"{template}: {variables}"


def insight(number: int, *, strength: float = 1.0) -> Insight:
    return Insight(
        insight_id=number,
        concept_id=100 + number,
        text=f"reasons {number}, so idea {number}",
        reasoning=f"reasons {number}",
        conclusion=f"idea {number}",
        parents=(1, 2),
        depth=1,
        cycle=0,
        adapter="base",
        scores=Scores(novelty=7, coherence=7, utility=7),
        rationale=None,
        parent_texts=(f"left {number}", f"right {number}"),
        strength=strength,
    )


def items_of(*numbers: int) -> list[StudyItem]:
    return [
        StudyItem(insight_id=number, kind=kind, question=f"{kind} {number}?", answer=f"a{number}")
        for number in numbers
        for kind in KINDS
        if kind != "propose"
    ]


def concept(number: int) -> Concept:
    return Concept(
        concept_id=number,
        text=f"concept {number}",
        kind="document",
        source="notes.md",
        position=number,
        sha256=str(number),
    )


GENERAL = [TrainingRow(prompt="", completion=f"text {n}", origin="general") for n in range(100)]
REJECTED = [(concept(n), concept(n + 1)) for n in range(100)]


def mix(
    tonight: list[Insight],
    earlier: list[Insight],
    items: list[StudyItem],
    *,
    general: list[TrainingRow] = GENERAL,
    rejected: list[tuple[Concept, Concept]] = REJECTED,
    seed: int = 0,
    again: Collection[int] = (),
    epoch: int = 0,
    **changes: Any,
) -> list[TrainingRow]:
    return build_rows(
        tonight,
        earlier,
        items,
        general=general,
        rejected=rejected,
        prompts=PlainPrompts(),
        config=SleepConfig(**({"kinds": KINDS} | changes)),
        seed=seed,
        again=again,
        epoch=epoch,
    )


def count(rows: list[TrainingRow], origin: str) -> int:
    return sum(row.origin == origin for row in rows)


def test_from_base_trains_every_row_of_every_kept_insight() -> None:
    new, old = [insight(1), insight(2)], [insight(n) for n in range(3, 9)]
    rows = mix(new, old, items_of(*range(1, 9)))
    assert count(rows, "new") == 2 * len(KINDS)
    assert count(rows, "replay") == 6 * len(KINDS)
    assert count(rows, "general") == count(rows, "no_link") == 4
    assert len(rows) == 40


def test_continue_fills_its_share_with_replay() -> None:
    new, old = [insight(n) for n in range(12)], [insight(n) for n in range(12, 40)]
    rows = mix(new, old, items_of(*range(40)), method="continue")
    assert count(rows, "new") == 12 * len(KINDS)
    assert count(rows, "replay") == 0.2 * len(rows)
    assert count(rows, "general") == count(rows, "no_link") == 0.1 * len(rows)


def test_what_was_learned_before_comes_half_as_often_as_what_is_new() -> None:
    new, old = [insight(n) for n in range(12)], [insight(n) for n in range(12, 18)]
    epochs = [
        mix(new, old, items_of(*range(18)), method="continue", epoch=epoch) for epoch in (0, 1)
    ]
    for rows in epochs:
        assert count(rows, "new") == 12 * len(KINDS)
        assert count(rows, "replay") == 3 * len(KINDS)
        assert count(rows, "general") == count(rows, "no_link") == round(0.1 * len(rows))
    replayed = [{row for row in rows if row.origin == "replay"} for rows in epochs]
    assert len(replayed[0] | replayed[1]) == 6 * len(KINDS)


def test_what_there_is_nothing_of_leaves_room_for_the_rest() -> None:
    rows = mix([insight(1)], [], items_of(1), general=[], rejected=[])
    assert [row.origin for row in rows] == ["new"] * len(KINDS)


@pytest.mark.parametrize(("method", "times"), [("from_base", 2), ("continue", 1), ("merge", 1)])
def test_what_is_studied_again_weighs_twice_as_much_as_other_earlier_insights(
    method: str, times: int
) -> None:
    new, old = [insight(1), insight(2)], [insight(n) for n in range(3, 20)]
    given = (new, old, items_of(*range(1, 20)))
    epochs = [mix(*given, again={7}, method=method, replay_share=0.6, epoch=n) for n in range(4)]
    often = Counter(row.insight_id for rows in epochs for row in rows)
    assert often[7] == 4 * times * len(KINDS)
    others = sum(often[number] for number in range(3, 20) if number != 7) / 16
    assert 1.9 < often[7] / others < 2.1
    assert all(count(rows, "general") == round(0.1 * len(rows)) for rows in epochs)


def test_studying_nothing_again_changes_nothing() -> None:
    given = ([insight(1), insight(2)], [insight(3)], items_of(1, 2, 3))
    assert mix(*given, again={99}) == mix(*given)


def test_nothing_is_repeated_to_fill_a_share() -> None:
    new = [insight(n) for n in range(20)]
    rows = mix(new, [], items_of(*range(20)), general=GENERAL[:3], rejected=REJECTED[:2])
    assert count(rows, "general") == 3
    assert count(rows, "no_link") == 2


def test_without_insights_there_is_no_night() -> None:
    assert mix([], [], []) == []


def test_a_row_asks_closed_book_and_remembers_its_insight() -> None:
    rows = mix([insight(1)], [], items_of(1), kinds=["forward"], general=[], rejected=[])
    asked = PlainPrompts().render("answer", question="forward 1?", context=[])
    assert rows == [TrainingRow(prompt=asked, completion="a1", origin="new", insight_id=1)]


def test_the_dream_itself_is_a_row_when_asked_for() -> None:
    rows = mix([insight(1)], [], [], kinds=["propose"], general=[], rejected=[])
    assert [row.completion for row in rows] == ["reasons 1, so idea 1"]
    assert "left 1" in rows[0].prompt


def test_a_rejected_pair_is_answered_none() -> None:
    rows = mix([insight(1)], [], items_of(1), general=[], no_link_share=0.5)
    decoys = [row for row in rows if row.origin == "no_link"]
    assert len(decoys) == len(KINDS)
    assert {row.completion for row in decoys} == {"NONE"}


@pytest.mark.parametrize("change", [{"family": "probe"}, {"is_checked": False}, {"kind": "own"}])
def test_probe_items_and_failed_ones_are_never_trained_on(change: dict[str, Any]) -> None:
    item = replace(items_of(1)[0], **change)
    assert mix([insight(1)], [], [item], kinds=["restate"]) == []


def test_order_depends_on_the_seed_and_on_nothing_else() -> None:
    new, old, items = [insight(1), insight(2)], [insight(3)], items_of(1, 2, 3)
    rows = mix(new, old, items)
    assert mix(new[::-1], old, items[::-1], general=GENERAL[::-1]) == rows
    assert mix(new, old, items, seed=1) != rows


def test_tonight_comes_first_and_then_the_strongest() -> None:
    new = [insight(1), insight(2)]
    old = [insight(3, strength=1), insight(4, strength=3), insight(5, strength=2), insight(1)]
    assert kept_ids(new, old, 4) == [[2, 1], [4, 5]]
    assert kept_ids(new, old, 1) == [[2], []]


@pytest.mark.parametrize("method", ["continue", "merge"])
def test_nights_that_go_on_take_turns_through_what_was_before(method: str) -> None:
    new, old = [insight(1)], [insight(n, strength=n) for n in range(2, 42)]
    kept = [kept_ids(new, old, 11, method=method, seed=seed)[1] for seed in range(20)]
    assert {len(ids) for ids in kept} == {10}
    assert set().union(*kept) == set(range(2, 42))


def test_what_the_last_night_did_not_answer_comes_first() -> None:
    new, old = [insight(1)], [insight(n) for n in range(2, 42)]
    kept = kept_ids(new, old, 5, method="continue", again={7, 30})[1]
    assert {7, 30} < set(kept)
    assert len(kept) == 4


def kept_ids(
    new: list[Insight],
    old: list[Insight],
    max_insights: int,
    *,
    seed: int = 0,
    again: Collection[int] = (),
    **changes: Any,
) -> list[list[int]]:
    config = SleepConfig(max_insights=max_insights, **changes)
    kept = keep_insights(new, old, config, seed=seed, again=again)
    return [[one.insight_id for one in part] for part in kept]


def test_an_expression_for_target_modules_must_be_one() -> None:
    with pytest.raises(ValueError, match="is no regular expression: missing"):
        SleepConfig(target_modules="layers.(1|2")


def test_shares_must_leave_room_for_what_is_new() -> None:
    with pytest.raises(ValueError, match="leave nothing for new insights"):
        SleepConfig(replay_share=0.5, general_share=0.3, no_link_share=0.2)


def a_night(
    num_train_epochs: float, *, num_general: int = 100, max_steps: int | None = None
) -> list[TrainingRow]:
    return build_night(
        [insight(1), insight(2)],
        [],
        items_of(1, 2),
        general=GENERAL[:num_general],
        rejected=[],
        prompts=PlainPrompts(),
        config=SleepConfig(
            kinds=KINDS,
            num_train_epochs=num_train_epochs,
            max_steps=max_steps,
            general_share=0.5,
            no_link_share=0,
        ),
        seed=0,
    )


def test_every_epoch_has_every_study_row() -> None:
    counts = Counter(row for row in a_night(3) if row.origin == "new")
    assert len(counts) == 8
    assert set(counts.values()) == {3}


def test_epochs_draw_on_through_general_text() -> None:
    general = [row for row in a_night(3) if row.origin == "general"]
    assert len(set(general)) == len(general) == 24


def test_general_text_comes_again_only_when_all_of_it_was_had() -> None:
    counts = Counter(row for row in a_night(3, num_general=12) if row.origin == "general")
    assert len(counts) == 12
    assert set(counts.values()) == {2}


def test_a_night_ends_where_its_steps_do() -> None:
    assert a_night(3, max_steps=5) == a_night(3)[: 5 * SleepConfig().rows_per_step]
    assert a_night(3, max_steps=100) == a_night(3)


def test_steps_of_packs_cannot_be_counted_before() -> None:
    with pytest.raises(ValueError, match="set packing to false or leave max_steps out"):
        SleepConfig(packing=True, max_steps=10)


def test_half_an_epoch_is_half_of_its_rows() -> None:
    assert len(a_night(1.5)) == 1.5 * len(a_night(1))
