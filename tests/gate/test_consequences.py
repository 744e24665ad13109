"""What was not learned is studied again; three refusals in a row make the next night gentler."""

import pytest

from ddl_train.config import SleepConfig
from ddl_train.gate.consequences import gentler_recipe, insight_stages, next_night
from ddl_train.records import EvalReport, ItemResult, Promotion

CONFIG = SleepConfig(learning_rate=1e-3, general_share=0.1, replay_share=0.2, no_link_share=0.1)
KEPT = Promotion(candidate="a", promoted=True, reasons=())
REFUSED = Promotion(candidate="b", promoted=False, reasons=())
BY_HAND = Promotion(candidate="b", promoted=True, reasons=(), decided_by="person")


def night(**answers: tuple[bool, ...]) -> EvalReport:
    """The report of one night: i3=(True, False) got one of two questions about insight 3 right."""
    return EvalReport(
        adapter="night",
        cycle=0,
        items=tuple(
            ItemResult(
                probe_id=f"{name}-{number}",
                suite="uptake",
                kind="forward",
                is_correct=is_correct,
                margin=0.0,
                chance=0.2,
                cluster=f"insight {name[1:]}",
            )
            for name, given in answers.items()
            for number, is_correct in enumerate(given)
        ),
    )


def test_an_insight_advances_while_all_its_questions_are_answered() -> None:
    good, bad = (True, True), (True, False)
    assert insight_stages([night(i3=good)]) == {3: 1}
    assert insight_stages([night(i3=good)] * 5) == {3: 3}
    assert insight_stages([night(i3=good), night(i3=bad)]) == {3: 0}
    assert insight_stages([night(i3=bad), night(i3=good)]) == {3: 1}


def test_an_insight_that_nobody_asked_about_keeps_its_stage() -> None:
    nights = [night(i3=(True,), i4=(False,)), night(i4=(True,))]
    assert insight_stages(nights) == {3: 1, 4: 1}


def test_what_the_last_night_did_not_answer_is_studied_again() -> None:
    found = next_night([night(i3=(True,), i4=(False,), i5=(False, True))], [REFUSED], CONFIG)
    assert found.again == {4, 5}
    assert found.notes == (
        "2 insights are studied again: the last night that was asked did not answer",
    )
    assert found.config == CONFIG
    assert next_night([], [], CONFIG) == (CONFIG, frozenset(), ())


@pytest.mark.parametrize(
    ("history", "num_steps"),
    [
        ([REFUSED, REFUSED], 0),
        ([REFUSED, REFUSED, REFUSED], 1),
        ([REFUSED, REFUSED, KEPT, REFUSED], 0),
        ([REFUSED, BY_HAND, REFUSED, REFUSED], 1),
        ([REFUSED] * 5, 1),
        ([REFUSED] * 6, 2),
        ([*[REFUSED] * 3, KEPT, KEPT], 1),  # the recipe that was refused thrice does not come back
    ],
)
def test_three_refusals_in_a_row_make_the_night_gentler(
    history: list[Promotion], num_steps: int
) -> None:
    config, why = gentler_recipe(history, CONFIG)
    assert config.learning_rate == pytest.approx(1e-3 / 2**num_steps)
    assert config.replay_share == pytest.approx(0.2 + 0.1 * num_steps)
    assert config.general_share == pytest.approx(0.1 + 0.1 * num_steps)
    assert (why is None) == (num_steps == 0)


def test_a_gentler_night_says_what_changed_and_leaves_room_for_insights() -> None:
    config, why = gentler_recipe([REFUSED] * 3, CONFIG)
    assert why == (
        "3 nights in a row were refused: learning_rate 0.001 -> 0.0005, replay_share 0.2 -> 0.3, "
        "general_share 0.1 -> 0.2"
    )
    for num_refused in (3, 30):
        config, _ = gentler_recipe([REFUSED] * num_refused, CONFIG)
        assert config.replay_share + config.general_share + config.no_link_share <= 0.8 + 1e-6
    full = CONFIG.model_copy(update={"general_share": 0.6})
    config, why = gentler_recipe([REFUSED] * 3, full)
    assert config.general_share == 0.6
    assert why == "3 nights in a row were refused: learning_rate 0.001 -> 0.0005"
