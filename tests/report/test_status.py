"""The object that programs rely on, and the page that people read."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ddl_train.records import BASE, Promotion, Usage
from ddl_train.report.status import read_status
from ddl_train.report.tables import print_status
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import made_config, made_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def status(run_dir: Path) -> dict[str, Any]:
    with Run.read(run_dir) as run:
        return read_status(run)


def page(status: dict[str, Any], width: int = 80) -> str:
    stream = io.StringIO()
    print_status(status, Console(file=stream, width=width, highlight=False, markup=False))
    return stream.getvalue()


def test_the_object_has_the_documented_keys(status: dict[str, Any]) -> None:
    assert list(status) == [
        *("format", "name", "dir", "base", "current", "num_cycles", "next", "memory", "workers"),
        *("cycles", "samplers", "tax", "operators", "cascade", "adapters", "decisions"),
    ]
    assert list(status["cycles"][0]) == [
        *("cycle", "stage", "candidate", "promoted", "reasons", "notes", "counts", "suites"),
        *("losses", "divergences", "missing", "tax"),
    ]
    assert set(status["cycles"][0]["tax"]) == {"roles", "wake", "all", "per", "ratio"}
    documented = read_status.__globals__["__doc__"]
    for key in (*status, *status["cycles"][0], *status["tax"], *status["memory"]):
        assert key in documented, key


def test_the_object_is_plain_json(status: dict[str, Any]) -> None:
    assert json.loads(json.dumps(status, allow_nan=False)) == status


def test_counts_of_a_cycle(status: dict[str, Any]) -> None:
    assert status["cycles"][1]["counts"] == {
        "pairs": 5,
        "revisits": 0,
        "revived": 0,
        "proposals": 3,
        "none": 2,
        "refused": {"coherence": 1},
        "admitted": 2,
        "resting_on_insights": 2,
        "deepest": 2,
        "answered": 0,
    }


def test_a_run_with_one_operator_has_no_table_of_them(status: dict[str, Any]) -> None:
    assert status["operators"] == {
        "connect": {
            **{"pairs": 10, "none": 4, "unread": 0, "ideas": 6, "repeats": 0, "admitted": 4},
            "share": 1.0,
        }
    }
    assert "operator" not in page(status)


def test_several_operators_stand_in_a_table(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    with Run.open(run_dir) as run:
        with transaction(run.database) as database:
            database.execute("UPDATE pairs SET operator = 'analogy' WHERE position = 3")
        found = read_status(run)
    assert found["operators"]["analogy"] == {
        **{"pairs": 2, "none": 0, "unread": 0, "ideas": 2, "repeats": 0, "admitted": 2},
        "share": 0.0,
    }
    shown = [line.split() for line in page(found).splitlines()]
    assert ["analogy", "2", "0", "0", "2", "0", "2", "0", "%"] in shown


def test_promoted_and_refused_nights(status: dict[str, Any]) -> None:
    first, second = status["cycles"]
    assert (first["promoted"], second["promoted"]) == (True, False)
    assert first["candidate"] == status["current"]
    assert second["reasons"][-1] == "refused: uptake fell by 0.1"
    assert status["next"] == {"cycle": 2, "stage": "wake"}


def test_suites_stand_side_by_side_with_their_chance(status: dict[str, Any]) -> None:
    uptake = status["cycles"][0]["suites"]["uptake"]
    assert {place: uptake[place]["accuracy"] for place in uptake} == {
        "candidate": 1.0,
        "current": 0.0,
        "base": 0.0,
    }
    assert (uptake["base"]["n"], uptake["base"]["chance"]) == (4, pytest.approx(0.2))
    assert status["cycles"][0]["suites"]["truth (dreamt)"]["candidate"]["n"] == 1


def test_the_tax_adds_up(status: dict[str, Any]) -> None:
    tax = status["cycles"][0]["tax"]
    wake = 270 + 140 + 50  # generator, critic and rationale, read and written
    assert tax["wake"]["tokens"] == wake
    assert tax["all"]["tokens"] == wake + 220 + 3000
    assert tax["per"]["pair"]["tokens"] == wake / 5
    assert tax["per"]["proposal"]["tokens"] == wake / 3
    assert tax["per"]["admitted"]["tokens"] == wake / 2
    assert tax["per"]["answered"]["tokens"] == (wake + 3220) / 2
    assert tax["wake"]["price"] == pytest.approx(2.0 * wake / 1e6)
    assert tax["ratio"] == wake / 20
    assert status["tax"]["all"]["tokens"] == 2 * tax["all"]["tokens"]


def test_nothing_answered_is_no_division_by_zero(status: dict[str, Any]) -> None:
    assert status["cycles"][1]["tax"]["per"]["answered"] is None


def test_a_run_without_cycles_has_a_status(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    with Run.create(made_config(tmp_path), pack_dir=pack) as run:
        status = read_status(run)
    assert status["cycles"] == []
    assert status["tax"]["per"] == dict.fromkeys(("pair", "proposal", "admitted", "answered"))
    assert "no cycle has begun" in page(status)


def test_a_decision_of_a_person_is_told_apart(tmp_path: Path) -> None:
    with Run.open(made_run(tmp_path)) as run:
        back = Promotion(
            candidate=BASE, promoted=True, reasons=("ok: it lied",), decided_by="person"
        )
        run.record_promotion(1, back)
        status = read_status(run)
    assert status["current"] == BASE
    assert [one["decided_by"] for one in status["decisions"]] == ["gate", "gate", "person"]
    assert status["cycles"][1]["promoted"] is False  # the gate's word about the night stays


@pytest.mark.parametrize("width", [80, 120])
def test_the_page_fits_the_terminal(status: dict[str, Any], width: int) -> None:
    status = {**status, "dir": "checkpoints/made"}
    lines = page(status, width).splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "promoted" in text
    assert "refused: uptake fell by 0.1" in text
    assert "per admitted insight" in text


def test_a_run_without_a_cascade_shows_none(status: dict[str, Any]) -> None:
    assert status["cascade"] is None
    assert "the cascade" not in page(status)


def test_what_the_cascade_saved_and_lost_is_told_of_what_was_audited(tmp_path: Path) -> None:
    run_dir = made_run(tmp_path)
    verdicts = {  # of the five of each cycle the first two are NONE, the third was refused by score
        (0, 2): "rejected_because = 'screen: support 0.1 is below 0.5', novelty = NULL, "
        "coherence = NULL, utility = NULL",
        (0, 3): "audit = ''",
        (1, 2): "rejected_because = 'second: coherence: 2 is below 6', audit = ''",
        (1, 3): "audit = 'screen: support 0.4 is below 0.5'",
        (1, 4): "audit = 'duplicate: cosine 0.99'",
    }
    with Run.open(run_dir) as run:
        with transaction(run.database) as database:
            for (cycle, position), change in verdicts.items():
                database.execute(
                    f"UPDATE verdicts SET {change} WHERE pair_id = "
                    "(SELECT pair_id FROM pairs WHERE cycle = ? AND position = ?)",
                    (cycle, position),
                )
        for role, calls, tokens in (("critic", 5, 500), ("screen", 5, 50), ("second", 1, 70)):
            run.record_usage(0, role, Usage(num_prompt_tokens=tokens), calls, item="batch 0")
        found = read_status(run)
    cascade = found["cascade"]
    assert (cascade["audited"], cascade["good"]) == (4, 3)
    assert cascade["lost"]["n"] == 2
    assert cascade["lost"]["share"] == pytest.approx(2 / 3)
    stages = {one["stage"]: one for one in cascade["stages"]}
    assert list(stages) == ["guards", "near-duplicate", "distance", "short critic"]
    assert stages["near-duplicate"]["lost"]["n"] == stages["short critic"]["lost"]["n"] == 1
    assert stages["guards"]["lost"]["n"] == 0
    assert 0.5 < stages["guards"]["lost"]["high"] < 1, "three ideas prove little"
    short = stages["short critic"]
    assert (short["refused"], short["audited"], short["spent_tokens"]) == (1, 1, 50)
    assert short["saved_tokens"] == 100, "one idea, at 500 tokens for the five that were scored"
    assert cascade["second"] == {"asked": 1, "refused": 1}
    shown = " ".join(page(found).split())
    assert "of 3 good ideas among 4 audited proposals the cascade would have refused 2" in shown
    assert "the larger critic was asked about 1 idea and refused 1" in shown


def test_how_many_workers_the_last_wake_had_is_told(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    workers: dict[str, Any] = {
        "address": "ray://head:10001",
        "num_nodes": 2,
        "num_workers": 2,
        "num_alive": 1,
    }
    workers |= {"num_lost": 1, "num_duplicates": 0}
    with Run.create(made_config(tmp_path), pack_dir=pack) as run:
        assert read_status(run)["workers"] is None
        run.start_cycle(0)
        run.finish_stage(0, "wake", pairs=3, workers=workers)
        status = read_status(run)
    assert status["workers"] == workers
    assert "1 of 2 workers ready at ray://head:10001, 1 lost on the way" in page(status, 200)
