"""The commands on a real run: a tiny model at random weights, guards off, a quota."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.calling import CommandLine
from tests.tiny import make_tiny

pytestmark = pytest.mark.slow

CONFIG = """
num_cycles: 1
model: {base: tiny, max_length: 2000, batch_size: 16, device: cpu}
memory: {sources: [notes], unit: sentence, held_out_share: 0.2}
wake:
  {num_pairs: 8, batch_size: 4, max_new_tokens: 8, quota: 4, guards: {is_enabled: false},
   explain: false, max_disagreement: null}
sleep: {num_train_epochs: 1, max_length: 2000, kinds: [propose], general: [general.jsonl]}
"""
COMMAND = [sys.executable, "-c", "from ddl_train.cli.main import main; main()"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_tiny(tmp_path / "tiny")
    (tmp_path / "notes").mkdir()
    for number in range(6):
        text = f"Note {number} is about bees. 睡眠中大脑会整理记忆{number}。\n"
        (tmp_path / "notes" / f"{number}.md").write_text(text)
    (tmp_path / "general.jsonl").write_text('{"prompt": "hello", "completion": "hello you"}\n')
    (tmp_path / "mine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def test_a_run_by_commands(ddl: CommandLine, project: Path) -> None:
    whole = ddl("run", "mine.yaml")
    assert whole.code == 0, whole.err
    assert "mine: 1 day and night, 0 promoted" in whole.out
    assert "wake 1: 8/8" in whole.err

    status = json.loads(ddl("status", "mine", "--json").out)
    assert status["cycles"][0]["counts"]["admitted"] == 4
    assert status["cycles"][0]["promoted"] is False
    candidate = status["cycles"][0]["candidate"]

    again = ddl("run", "mine.yaml", "--quiet")
    assert (again.code, again.err) == (0, "")

    alone = ddl("ask", "mine", "what is sleep?", "--compare", "--max-new-tokens", "4", "--json")
    assert list(json.loads(alone.out)["answers"]) == ["base"]
    promoted = ddl("promote", "mine", candidate[:6], "--why", "to see what happens")
    assert f"in use now: {candidate}" in promoted.out, promoted.err
    asked = ddl("ask", "mine", "what is sleep?", "--compare", "--max-new-tokens", "4", "--json")
    assert list(json.loads(asked.out)["answers"]) == ["base", f"current ({candidate})"]
    measured = ddl("eval", "mine", "--adapter", candidate[:6], "--json", "--quiet")
    assert json.loads(measured.out)["adapters"] == ["base", candidate]

    (project / "whales.txt").write_text("Whales sing. Their songs change from year to year.\n")
    assert "2 new concepts" in ddl("ingest", "mine", "whales.txt").out
    assert "dreamt on 4 pairs" in ddl("wake", "mine", "--pairs", "4").out
    early = ddl("wake", "mine")
    assert (early.code, "`ddl-train sleep" in early.err) == (2, True)
    assert "the night made adapter" in ddl("sleep", "mine").out
    assert ddl("eval", "mine").code == 0
    decisions = json.loads(ddl("status", "mine", "--json").out)["decisions"]
    assert [one["decided_by"] for one in decisions] == ["gate", "person", "gate"]

    forgotten = ddl("forget", "mine", "--source", "*0.md")
    assert forgotten.code == 0, forgotten.err
    assert "forgot 1 source" in forgotten.out
    assert ddl("fsck", "mine").code == 0
    assert ddl("export", "mine", "--out", "out").code == 0
    assert (project / "out" / "data" / "insights.parquet").is_file()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_asked_to_stop_saves_and_goes_on(
    ddl: CommandLine, project: Path, signum: signal.Signals, code: int
) -> None:
    command = [*COMMAND, "run", "mine.yaml", "wake.num_pairs=100000", "wake.batch_size=2"]
    database = project / "checkpoints" / "mine" / "run.sqlite"
    deadline = time.monotonic() + 300
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while num_verdicts(database) < 4 and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            second = ddl("promote", "mine", "base", "--why", "two at once")
            process.send_signal(signum)
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (second.code, str(process.pid) in second.err) == (2, True)
    assert process.returncode == code, error
    assert "saved at cycle 1, stage wake" in error
    assert "Traceback" not in error

    kept = num_verdicts(database)
    resumed = ddl("run", "mine.yaml", f"wake.num_pairs={kept + 2}", "wake.batch_size=2")
    assert resumed.code == 0, resumed.err
    assert num_verdicts(database) == kept + 2


def num_verdicts(database: Path) -> int:
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM verdicts").fetchone()[0])
    finally:
        connection.close()
