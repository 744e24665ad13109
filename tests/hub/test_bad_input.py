"""What cannot be published ends in one sentence before the Hub is asked anything."""

from pathlib import Path

import pytest

from ddl_train.records import Promotion
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from ddl_train.storage.students import record_distillation
from tests.cli.calling import CommandLine, fingerprint, is_one_sentence
from tests.hub.made import add_lora, publishable_run, report, write_probes
from tests.hub.server import LocalHub

NAME = "ada/dreams"
ASKED = ("--repo-id", NAME, "--base-id", "someone/tiny")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--repo-id", "dreams", "--base-id", "a/b"], "'dreams' is no name of a repository"),
        (["--repo-id", "ada/a b", "--base-id", "a/b"], "is no name of a repository"),
        (["--repo-id", "ada/x/y", "--base-id", "a/b"], "is no name of a repository"),
        (["--repo-id", NAME], "--base-id"),
        (["--repo-id", NAME, "--base-id", "/home"], "is no model of the Hub"),
        ([], "--repo-id OWNER/NAME is missing"),
        ([*ASKED, "--adapter", "distilled"], "no adapter of this run was distilled"),
        ([*ASKED, "--adapter", "nope"], "has no adapter 'nope'"),
        ([*ASKED, "--license", "base=unknown"], "is no licence"),
        ([*ASKED, "--license", "model=mit"], "expected ID, base=ID or sources=ID"),
        ([*ASKED, "--license", "sources=cc-by-4.0"], "--license ID"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_the_run_as_it_was(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, options: list[str], words: str
) -> None:
    before = fingerprint(run_dir)
    called = ddl("publish", run_dir, *options)
    assert called.code == 2
    assert is_one_sentence(called.err), called.err
    assert words in called.err
    assert fingerprint(run_dir) == before
    assert hub.asked == []


def test_without_a_promoted_adapter_there_is_nothing_to_publish(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    ddl("rollback", run_dir)
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "no adapter is promoted" in called.err
    assert f"`ddl-train status {run_dir}`" in called.err


def test_an_adapter_that_was_never_promoted_is_not_published(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, made_once: Path
) -> None:
    with Run.open(run_dir) as run:
        other = add_lora(run, made_once / "tiny", seed=1, insight_ids=[])
    called = ddl("publish", run_dir, *ASKED, "--adapter", other)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "was never promoted" in called.err


def test_the_beginning_of_a_version_is_enough(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    with Run.read(run_dir) as run:
        current = run.current
    called = ddl("publish", run_dir, *ASKED, "--adapter", current[:6])
    assert called.code == 0, called.err
    assert current in hub.repo(NAME).files()["README.md"].decode()


def test_an_adapter_without_an_evaluation_is_not_published(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, made_once: Path
) -> None:
    with Run.open(run_dir) as run:
        other = add_lora(run, made_once / "tiny", seed=1, insight_ids=[])
        why = Promotion(candidate=other, promoted=True, reasons=("ok: so",), decided_by="person")
        run.record_promotion(0, why)
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "no evidence to publish" in called.err


def test_the_newest_student_is_what_distilled_means(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, made_once: Path
) -> None:
    with Run.open(run_dir) as run:
        student = add_lora(run, made_once / "tiny", seed=1, insight_ids=[])
        passed = Promotion(
            candidate=student, promoted=True, reasons=("ok: it kept 0.95",), numbers={"kept": 0.95}
        )
        sizes = {"base_parameters": 9000, "adapter_parameters": 400, "tokens_per_second": 30.0}
        bought = {
            "teacher": sizes | {"adapter_bytes": 4000},
            "student": sizes | {"adapter_parameters": 200, "adapter_bytes": 2100},
        }
        record_distillation(run.database, passed, teacher=run.current, facts={"bought": bought})
        run.save_report(report(made_once, student))
    called = ddl("publish", run_dir, *ASKED, "--adapter", "distilled")
    assert called.code == 0, called.err
    card = hub.repo(NAME).files()["README.md"].decode()
    assert f"version `{student}`." in card
    assert "It was distilled from adapter" in card
    assert "it has 200 parameters to the 400 of its teacher" in card
    assert "a file of 2,100 bytes to 4,000" in card
    assert "keeps 95.0 % of its gain" in card
    assert "- ok: it kept 0.95" in card


def test_questions_that_changed_since_promotion_stop_it(
    ddl: CommandLine, hub: LocalHub, tmp_path: Path
) -> None:
    run_dir = publishable_run(tmp_path / "own")
    write_probes(tmp_path / "own" / "retention.jsonl", answer="another")
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "8 of 8 questions of retention were changed" in called.err
    assert hub.asked == []


def test_questions_that_are_gone_are_said_in_words_of_publish(
    ddl: CommandLine, hub: LocalHub, tmp_path: Path
) -> None:
    run_dir = publishable_run(tmp_path / "own")
    (tmp_path / "own" / "retention.jsonl").unlink()
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "the questions of retention that" in called.err
    assert "retention.jsonl is missing); put the file back" in called.err
    assert "--probes" not in called.err
    assert hub.asked == []


def test_questions_that_cannot_be_read_are_said_with_the_line(
    ddl: CommandLine, hub: LocalHub, tmp_path: Path
) -> None:
    run_dir = publishable_run(tmp_path / "own")
    (tmp_path / "own" / "retention.jsonl").write_text("no json\n")
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "retention.jsonl:1: not JSON" in called.err
    assert "put the file back" in called.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--repo-id", NAME], "--base-id OWNER/NAME@COMMIT"),
        (["--repo-id", NAME, "--base-id", "a/b/c"], "'a/b/c' is no model of the Hub"),
        ([*ASKED, "--license", "no such one"], "'no such one' is no licence"),
        (["--repo-id", "ada/" + "d" * 90, "--base-id", "a/b", "--dataset"], "is no name of a"),
    ],
)
def test_what_was_typed_is_looked_at_before_any_probe_file(
    ddl: CommandLine, hub: LocalHub, tmp_path: Path, options: list[str], words: str
) -> None:
    run_dir = publishable_run(tmp_path / "own")
    (tmp_path / "own" / "retention.jsonl").unlink()
    called = ddl("publish", run_dir, *options)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert words in called.err


def test_a_licence_that_nobody_knows_stops_it_and_says_how_to_state_it(
    ddl: CommandLine, hub: LocalHub, tmp_path: Path
) -> None:
    memory = {"sources": ["docs"], "held_out_share": 0.0}
    run_dir = publishable_run(tmp_path / "own", memory=memory)
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "memory.license" in called.err
    assert "--license sources=ID" in called.err
    assert ddl("publish", run_dir, *ASKED, "--license", "sources=apache-2.0").code == 0


def write_into_insight(run_dir: Path, conclusion: str) -> None:
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("UPDATE proposals SET conclusion = ? WHERE rowid = 1", (conclusion,))


@pytest.mark.parametrize(
    "secret",
    [
        "the key is hf_" + "aB3" * 12,
        "write to jane.doe@hospital.org about it",
        "her account is GB82 WEST 1234 5698 7654 32",
        "call +44 20 7946 0958 at night",
    ],
)
def test_secrets_and_personal_data_in_insights_are_listed_and_not_published(
    ddl: CommandLine, hub: LocalHub, run_dir: Path, secret: str
) -> None:
    write_into_insight(run_dir, secret)
    called = ddl("publish", run_dir, *ASKED, "--dataset")
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert called.out.startswith("! insight 1, conclusion:1: ")
    assert secret not in called.out + called.err
    assert hub.asked == []
    assert list((run_dir / "outbox").iterdir()) == []
    accepted = called.out.split()[-1]
    assert ddl("publish", run_dir, *ASKED, "--dataset", "--accept", accepted).code == 0


QUOTE = (
    "the tides follow the moon and the salt marshes breathe with the tides while the herons wait"
)


def quoting(run_dir: Path) -> None:
    write_into_insight(run_dir, f"As is known, {QUOTE}.")
    with Run.open(run_dir) as run, transaction(run.database) as database:
        database.execute("UPDATE concepts SET text = ? WHERE concept_id = 1", (QUOTE.upper(),))


def test_a_long_quotation_is_listed_and_blocked(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    quoting(run_dir)
    called = ddl("publish", run_dir, *ASKED)
    assert (called.code, is_one_sentence(called.err)) == (2, True)
    assert "! insight 1: 17 words in a row from doc0.md" in called.out
    assert "--allow-quotes" in called.err
    assert hub.asked == []


def test_quotations_go_where_they_are_allowed_and_the_sources_with_them(
    ddl: CommandLine, hub: LocalHub, run_dir: Path
) -> None:
    quoting(run_dir)
    called = ddl("publish", run_dir, *ASKED, "--dataset", "--allow-quotes")
    assert called.code == 0, called.err
    card = hub.repo(f"{NAME}-insights", "dataset").files()["README.md"].decode()
    assert "`parent_a`" in card
