"""The story of a run says what happened, and nothing that was not measured."""

from pathlib import Path

import pytest

from ddl_train.records import BASE, JsonObject, Promotion
from ddl_train.report.curves import suite_curves
from ddl_train.report.nights import canaries, nights
from ddl_train.report.status import read_status
from ddl_train.report.story import headlines, tell
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import empty_run, made_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("run"))


def story(run_dir: Path) -> str:
    with Run.read(run_dir) as run:
        status = read_status(run)
        return " ".join(tell(status, suite_curves(run, status["cycles"])))


def status_of(run_dir: Path) -> JsonObject:
    with Run.read(run_dir) as run:
        return read_status(run)


def test_it_tells_dreams_nights_knowledge_and_cost(run_dir: Path) -> None:
    assert story(run_dir) == (
        "made has lived 2 of 3 planned cycles of a day and a night on the base /nowhere/base, with "
        "a memory that began as 5 pieces of 5 documents. Awake it dreamt on 10 pairs of concepts: "
        "6 ideas came of it and 4 were admitted as insights. 2 insights rest on earlier insights; "
        "the deepest stands 2 steps above the documents. Of 2 nights the gate promoted 1 and "
        "refused 1; the adapter in use was made in night 1. Of questions about its own ideas in "
        "new words it answers 100 % right, the base 0 %; guessing gives 20 %. Of true questions "
        "about what it dreamt of it answers 100 % right, the base 0 %; guessing gives 50 %. Of "
        "questions about what it knew before it answers 50 % right, the base 100 %; guessing gives "
        "25 %. Dreaming cost 920 tokens, 230 for each admitted insight; the models worked for 52 s "
        "in all."
    )


def test_a_run_that_has_begun_nothing_has_a_short_story(tmp_path: Path) -> None:
    run_dir = empty_run(tmp_path)
    assert story(run_dir) == "No cycle of this run has begun; its memory is empty."
    assert headlines(status_of(run_dir), []) == []


def test_what_was_not_measured_is_not_told(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("DELETE FROM reports")
    assert "answers" not in story(run_dir)


def test_a_night_that_is_not_in_use_is_told_as_such(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        run.rollback("it feels wrong")
    text = story(run_dir)
    assert "the untouched base is in use" in text
    assert "What follows was measured on the night of cycle 2, which is not in use." in text


def test_headlines_are_counted_from_the_run(run_dir: Path) -> None:
    with Run.read(run_dir) as run:
        status = read_status(run)
        found = headlines(status, suite_curves(run, status["cycles"]))
    assert [(one.value, one.what) for one in found] == [
        ("4", "insights admitted"),
        ("2", "lineage depth"),
        ("230", "tokens for each insight"),
        ("1 of 2", "nights promoted"),
        ("100 %", "right on its own ideas, in new words"),
        ("50 %", "right on what it knew before"),
    ]


def test_the_gate_is_told_night_by_night(run_dir: Path) -> None:
    first, second = nights(status_of(run_dir))
    assert (first.verdict, second.verdict) == ("promoted", "refused")
    assert [(one.standing, one.sentence) for one in second.reasons] == [
        ("ok", "all three reports hold the same 6 items"),
        ("refused", "uptake fell by 0.1"),
    ]


def test_a_warning_is_a_warning_and_an_unknown_word_is_kept() -> None:
    reasons = ["warn: 12 items are few", "perhaps: it is fine"]
    (night,) = nights({"cycles": [cycle(reasons=reasons, promoted=True)], "decisions": []})
    assert [(one.standing, one.sentence) for one in night.reasons] == [
        ("warn", "12 items are few"),
        ("", "perhaps: it is fine"),
    ]


def test_a_cycle_without_a_night_says_why() -> None:
    notes = {"sleep": {"skipped": "nothing was admitted"}}
    (night,) = nights({"cycles": [cycle(notes=notes, missing=["truth: no file"])], "decisions": []})
    assert night.verdict == "no night"
    assert night.notes == ("no night: nothing was admitted", "not measured: truth: no file")


def test_what_a_person_decided_stands_under_the_night(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        run.rollback("it feels wrong")
        version = run.adapters()[1].version
        by_hand = Promotion(
            candidate=version, promoted=True, reasons=("ok: I insist",), decided_by="person"
        )
        run.record_promotion(1, by_hand)
    decisions = nights(status_of(run_dir))[1].decisions
    assert [(one.words, one.why) for one in decisions] == [
        (f"rolled back to {BASE}", "rollback, it feels wrong"),
        (f"put in use {version}", "I insist"),
    ]


def test_the_last_examination_of_the_critic_is_shown() -> None:
    counts = {
        "total": 20,
        "with_guards": 1,
        "with_guards_interval": [0.001, 0.249],
        "without_guards": 5,
        "without_guards_interval": [0.087, 0.491],
    }
    critic = {"kinds": {"gibberish": counts}, "all": counts, "good": counts | {"with_guards": 18}}
    given = {"cycles": [cycle(notes={"sleep": {"critic": critic}}), cycle()]}
    found = canaries(given)
    assert found is not None
    assert (found.cycle, found.total, found.let_in, found.kept) == (0, 20, 1, 18)
    assert found.kinds[0].without_guards == "5 (9 to 49 %)"
    assert canaries({"cycles": [cycle()]}) is None


def cycle(**facts: object) -> JsonObject:
    return {
        "cycle": 0,
        "stage": "done",
        "candidate": None,
        "promoted": None,
        "reasons": [],
        "notes": {},
        "missing": [],
    } | facts
