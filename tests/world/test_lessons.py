"""Rows that the seedling is raised on."""

import json
import random
import re
from collections import Counter

import pytest

from ddl_train.roles.prompts import load_pack
from ddl_train.world.home import Home
from ddl_train.world.language import chain, parse, parse_idea, write_idea
from ddl_train.world.lessons import NONE, UNKNOWN, Row, skill_rows
from ddl_train.world.questions import FORWARD, REVERSE, STUDY_KINDS, is_kept_back, questions
from tests.worlds import SEEDLING


def rows_of(seed: int, scenes: int = 40) -> list[Row]:
    rng = random.Random(seed)
    return [row for _ in range(scenes) for row in skill_rows(rng)]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return rows_of(0)


def test_rows_are_the_same_for_the_same_seed(rows: list[Row]) -> None:
    assert rows == rows_of(0)
    assert rows != rows_of(1)


def test_what_composes_is_composed_and_what_does_not_is_none(rows: list[Row]) -> None:
    for row in rows:
        if row.template == "propose":
            a, b = parse(row.slots["a"]), parse(row.slots["b"])
            assert a is not None and b is not None
            found = chain(a, b)
            assert row.completion == (NONE if found is None else write_idea(*found))


def test_only_right_ideas_are_called_coherent(rows: list[Row]) -> None:
    for row in rows:
        if row.skill == "score" and row.slots["axis"] == "coherence":
            a, b = parse(row.slots["a"]), parse(row.slots["b"])
            assert a is not None and b is not None
            right = parse_idea(row.slots["idea"])
            truth = right is not None and chain(a, b) == right
            assert row.truth is truth
            assert (int(row.completion) >= 9) is truth


def test_every_score_from_one_to_ten_is_used_at_both_ends(rows: list[Row]) -> None:
    scores = Counter(row.completion for row in rows_of(2, 150) if row.skill == "score")
    assert {"1", "2", "4", "5", "7", "8", "9", "10"} <= scores.keys()


def test_a_study_row_never_holds_a_probe_wording(rows: list[Row]) -> None:
    studied = [row for row in rows if row.template.startswith("study")]
    assert studied
    assert not [row for row in studied if is_kept_back(row.completion)]


def test_an_unknown_answer_is_not_in_the_context(rows: list[Row]) -> None:
    asked = [row for row in rows if row.skill == "context"]
    assert {True, False} == {row.completion == UNKNOWN for row in asked}


def test_of_a_quarter_of_the_home_world_nothing_is_ever_replayed() -> None:
    home = Home()
    replayed = {(row["prompt"], row["completion"]) for row in home.replay_rows()}
    assert len(replayed) > 500
    assert not [prompt for prompt, _ in replayed if is_kept_back(prompt)]
    answered = {
        fact: {(one.text, one.answer) for kind in STUDY_KINDS for one in questions(fact, kind)}
        for fact in home.statements
    }
    shares = [len(rows & replayed) / len(rows) for rows in answered.values()]
    assert set(shares) == {0.0, 1.0}
    assert shares.count(0.0) / len(shares) == pytest.approx(0.25, abs=0.01)


def test_a_replayed_question_comes_with_each_of_its_right_answers() -> None:
    home = Home()
    replayed = {(row["prompt"], row["completion"]) for row in home.replay_rows()}
    asked = [
        question
        for fact in home.statements
        for kind in (FORWARD, REVERSE)
        for question in questions(fact, kind)
        if home.is_replayed(question)
    ]
    due = {(one.text, answer) for one in asked for answer in home.right_answers(one)}
    assert due <= replayed
    assert len(due) > 1.5 * len({one.text for one in asked})


@pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling")
def test_the_seedling_comes_with_these_rows_with_skills_and_with_made_up_answers() -> None:
    lines = (SEEDLING / "general.jsonl").read_text(encoding="utf-8").splitlines()
    shipped = [json.loads(line) for line in lines]
    of_home = Home().replay_rows()
    assert shipped[: len(of_home)] == of_home
    assert len(shipped) - len(of_home) == 1000 + 1500


@pytest.mark.skipif(not SEEDLING.is_dir(), reason="needs checkpoints/seedling")
def test_made_up_answers_are_to_questions_about_nothing_and_name_what_is_never_replayed() -> None:
    home = Home()
    known = {name for fact in home.statements for name in fact.names}
    replayed = {row["completion"].split()[-1] for row in home.replay_rows()}
    lines = (SEEDLING / "general.jsonl").read_text(encoding="utf-8").splitlines()[-1500:]
    made_up = [json.loads(line) for line in lines]
    assert not [row for row in made_up if known & set(re.findall(r"\w+", row["prompt"]))]
    assert not [row for row in made_up if is_kept_back(row["prompt"])]
    said = {row["completion"].split()[-1] for row in made_up}
    assert (known - replayed) & said


def test_every_row_renders_through_the_prompts_of_the_roles(rows: list[Row]) -> None:
    pack = load_pack("terse")
    for row in rows:
        if row.template:
            message = pack.render(row.template, **row.slots)
            assert message and "\n" not in message


def test_ideas_and_items_are_read_by_the_pack(rows: list[Row]) -> None:
    pack = load_pack("terse")
    for row in rows:
        if row.skill == "compose":
            assert pack.parse_idea(row.completion) is not None
        elif row.template.startswith(("study", "probe")):
            assert pack.parse_qa(row.completion) is not None
