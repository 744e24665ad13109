"""A smaller evaluation asks a part of the larger one."""

import pytest

from ddl_train.errors import ProbeError
from ddl_train.probes.budget import check_names, count_tokens, narrow, thin
from ddl_train.probes.score import Asked
from ddl_train.probes.suites import HELD_OUT, Suites
from ddl_train.records import Probe
from tests.fakes import a_pair
from tests.probes.fakes import PlainPrompts


def suites(num_truth: int = 40, num_skill: int = 8) -> Suites:
    return Suites(
        asked=tuple(
            Asked(
                suite,
                Probe(
                    probe_id=f"{suite}{n}", prompt="two words", answers=("one",), choices=choices
                ),
            )
            for suite, num, choices in (
                ("truth", num_truth, ("a", "b")),
                ("skill", num_skill, ()),
            )
            for n in range(num)
        ),
        texts={HELD_OUT: tuple(f"text number {n}" for n in range(10))},
        dreamt={},
        missing=("uptake: nothing can be asked", "retention: no text"),
        pairs=tuple(a_pair(f"a{n}", f"b{n}") for n in range(10)),
    )


def count(text: str) -> int:
    return len(text.split())


def cost(asked: Suites) -> int:
    return count_tokens(
        asked,
        prompts=PlainPrompts(),
        count=count,
        count_prompt=lambda text: 10 + count(text),
        max_new_tokens=5,
        dream_tokens=5,
    )


def test_only_what_is_wanted_is_kept() -> None:
    only = narrow(suites(), ["truth"])
    assert {one.suite for one in only.asked} == {"truth"}
    assert (only.texts, only.pairs, only.missing) == ({}, (), ())
    assert len(narrow(suites(), ["wake"]).pairs) == 10
    assert narrow(suites(), ["retention"]).texts == suites().texts
    assert narrow(suites(), ["uptake"]).missing == ("uptake: nothing can be asked",)
    assert narrow(suites(), []) == suites()


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(ProbeError, match=r"no suite 'truths'.*truth"):
        check_names(["truth", "truths"])


def test_a_share_of_every_suite_is_kept_and_the_rest_of_it_is_a_part() -> None:
    half, tenth = thin(suites(), 0.5), thin(suites(), 0.1)
    assert [len(half.asked), len(half.pairs), len(half.texts[HELD_OUT])] == [24, 5, 5]
    assert {one.suite for one in tenth.asked} == {"truth", "skill"}
    assert set(tenth.asked) <= set(half.asked) <= set(suites().asked)
    assert thin(suites(), 1.5) == suites()


def test_tokens_are_counted_once_for_ranked_and_twice_for_written_answers() -> None:
    empty = Suites(asked=(), texts={}, dreamt={})
    assert cost(empty) == 0
    ranked = Suites(asked=suites().asked[:1], texts={}, dreamt={})
    assert cost(ranked) == 3 * 12 + 1 + 2
    written = Suites(asked=suites().asked[-1:], texts={}, dreamt={})
    assert cost(written) == 12 + 1 + 12 + 5


def test_a_short_question_is_read_again_for_every_answer_and_a_long_one_once() -> None:
    def of(words: int) -> int:
        choices = ("a", "b", "c")
        probe = Probe(probe_id="x", prompt="word " * words, answers=("one",), choices=choices)
        return cost(Suites(asked=(Asked("truth", probe),), texts={}, dreamt={}))

    assert of(6) == 4 * (10 + 6) + 4
    assert of(7) == (10 + 7) + 4


def test_texts_are_read_under_the_adapter_and_under_the_base() -> None:
    texts = {HELD_OUT: ("three words long", "two words")}
    assert cost(Suites(asked=(), texts=texts, dreamt={})) == 2 * (3 + 2)


def test_thinning_makes_it_cheaper() -> None:
    assert cost(thin(suites(), 0.5)) < 0.6 * cost(suites())
