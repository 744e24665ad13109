"""Several ideas in one answer: whatever a model writes, it is read, and one of them is taken."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl_train.roles.prompts import load_pack
from ddl_train.roles.verbalised import Answer, read_answers, read_probability, take_one

PACK = load_pack("default")
IDEA = "Reasoning: bees {n} pack.\nHypothesis: sleep {n} packs."
HEADINGS = [
    "Answer {n} (probability {p})\n",
    "**Answer {n}** (Probability: {p}):\n",
    "### Idea {n}\nProbability: {p}\n",
    "> Response {n}. probability = {p}\n\n",
    "answer {n} - **Probability {p}**\n",
]
words = st.lists(st.sampled_from(["bees", "pack", "sleep", "5", "half", "wax"]), min_size=1)


def an_answer(conclusion: str, probability: float | None, **changes: bool) -> Answer:
    return Answer(
        text=conclusion,
        reasoning="because",
        conclusion=conclusion,
        is_none=changes.pop("is_none", False),
        probability=probability,
        **changes,
    )


@pytest.mark.parametrize("heading", HEADINGS)
def test_headings_are_found_as_chat_models_write_them(heading: str) -> None:
    text = "\n\n".join(heading.format(n=n, p=0.01 * n) + IDEA.format(n=n) for n in (1, 2, 3))
    answers = read_answers(text, PACK, num_ideas=3)
    assert [one.conclusion for one in answers] == [f"sleep {n} packs." for n in (1, 2, 3)]
    assert [one.probability for one in answers] == [0.01, 0.02, 0.03]


@given(
    ideas=st.lists(st.tuples(words, words, st.none() | st.floats(0, 1)), min_size=1, max_size=6),
    heading=st.sampled_from(HEADINGS),
)
@settings(deadline=None)
def test_what_was_written_in_the_form_is_read_whole(
    ideas: list[tuple[list[str], list[str], float | None]], heading: str
) -> None:
    text = "".join(
        (heading.format(n=n, p=f"{p:.4f}") if p is not None else f"Answer {n}:\n")
        + f"Reasoning: {' '.join(why)}\nHypothesis: {' '.join(what)}\n"
        for n, (why, what, p) in enumerate(ideas, 1)
    )
    answers = read_answers(text, PACK, num_ideas=6)
    assert [(one.reasoning, one.conclusion) for one in answers] == [
        (" ".join(why), " ".join(what)) for why, what, _ in ideas
    ]
    for one, (_, _, stated) in zip(answers, ideas, strict=True):
        assert (one.probability is None) == (stated is None)
        assert PACK.parse_idea(one.text) == (one.reasoning, one.conclusion)


fragments = st.sampled_from(
    [
        *(
            "Answer 1",
            "answer 2 (probability",
            "Idea 3:",
            "(probability 0.05)",
            "Probability: high",
        ),
        *("Reasoning: a", "Hypothesis: b", "NONE", "\n", "\n\n", "**", "0.5", "7 %", "...", "蜜蜂"),
    ]
)


@given(
    text=st.lists(fragments | st.text(max_size=12), max_size=12).map(" ".join),
    num_ideas=st.integers(2, 5),
    is_finished=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=150)
def test_any_text_gives_one_answer_that_parses_or_has_no_conclusion(
    text: str, num_ideas: int, is_finished: bool, seed: int
) -> None:
    answers = read_answers(text, PACK, num_ideas=num_ideas, is_finished=is_finished)
    assert 1 <= len(answers) <= num_ideas
    for one in answers:
        assert one.probability is None or 0 <= one.probability <= 1
        assert not (one.is_none and one.conclusion)
        if one.conclusion:
            assert PACK.parse_idea(one.text) == (one.reasoning, one.conclusion)
    taken = take_one(answers, tail=0.1, rng=random.Random(seed))
    assert taken in answers
    assert bool(taken.conclusion) == any(one.conclusion for one in answers)


def test_an_answer_without_headings_is_one_idea() -> None:
    text = "Sure!\n" + IDEA.format(n=1)
    assert [one.conclusion for one in read_answers(text, PACK, num_ideas=5)] == [""]
    text = IDEA.format(n=1) + "\n\n" + IDEA.format(n=2)
    (one,) = read_answers(text, PACK, num_ideas=5)
    assert (one.conclusion, one.text) == ("sleep 1 packs.", IDEA.format(n=1))


def test_more_ideas_than_asked_for_are_left() -> None:
    text = "\n".join(f"Answer {n}\n{IDEA.format(n=n)}" for n in range(1, 8))
    assert len(read_answers(text, PACK, num_ideas=5)) == 5


def test_the_idea_that_was_cut_off_is_taken_last() -> None:
    text = (
        f"Answer 1 (probability 0.9)\n{IDEA.format(n=1)}\nAnswer 2 (probability 0.01)\n{IDEA[:40]}"
    )
    answers = read_answers(text, PACK, num_ideas=5, is_finished=False)
    assert [one.is_whole for one in answers] == [True, False]
    taken = {take_one(answers, tail=0.1, rng=random.Random(n)).text for n in range(50)}
    assert taken == {IDEA.format(n=1)}


def test_none_is_taken_only_where_there_is_no_idea() -> None:
    text = f"Answer 1 (probability 0.99)\nNONE\n\nAnswer 2\n{IDEA.format(n=2)}"
    answers = read_answers(text, PACK, num_ideas=2)
    assert take_one(answers, tail=0.1, rng=random.Random(0)).conclusion == "sleep 2 packs."
    answers = read_answers("Answer 1: hm\nAnswer 2: NONE.", PACK, num_ideas=2)
    assert take_one(answers, tail=0.1, rng=random.Random(0)).is_none


def test_the_draw_is_weighted_to_the_tail() -> None:
    answers = [an_answer("rare", 0.02), an_answer("common", 0.8), an_answer("odd", 0.1)]
    taken = Counter(
        take_one(answers, tail=0.1, rng=random.Random(n)).conclusion for n in range(4000)
    )
    assert taken["rare"] / 4000 == pytest.approx(8 / 17, abs=0.03)
    assert taken["odd"] / 4000 == pytest.approx(8 / 17, abs=0.03)
    assert taken["common"] / 4000 == pytest.approx(1 / 17, abs=0.02)


def test_ideas_without_a_probability_are_drawn_alike() -> None:
    answers = [an_answer(name, None) for name in "abcd"]
    taken = Counter(
        take_one(answers, tail=0.1, rng=random.Random(n)).conclusion for n in range(4000)
    )
    assert all(abs(number / 4000 - 0.25) < 0.03 for number in taken.values())


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        ("0.07", 0.07),
        (".5", 0.5),
        ("7 %", 0.07),
        ("**12**%", 0.12),
        ("1", 1.0),
        ("1.5", None),
        ("5", None),
        ("", None),
        (None, None),
    ],
)
def test_probabilities_as_they_are_stated(stated: str | None, value: float | None) -> None:
    assert read_probability(stated) == (None if value is None else pytest.approx(value))


def test_the_example_of_the_template_is_in_the_form_that_is_read() -> None:
    text = PACK.render("verbalised", question="?", k=5, tail="0.1")
    answers = read_answers(text[re.search("Answer 1", text).start() :], PACK, num_ideas=5)  # type: ignore[union-attr]
    assert [one.probability for one in answers] == [0.05, 0.02]
    assert [one.conclusion for one in answers] == ["...", "..."]
