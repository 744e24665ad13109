"""Ctrl-C and SIGTERM at any moment: one line, and exit code 130 or 143."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ddl_train.cli.ending import Ending, ending
from ddl_train.cli.stopping import stoppable

NOTHING = "ddl-train: stopped; nothing was changed\n"
BEGUN = "ddl-train: stopped; what was finished before is kept\n"
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
CALL = """
import os, sys
class Stopper:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {signum})
sys.meta_path.insert(0, Stopper())
from ddl_train.cli.main import main
main()
"""


def stopped_while_importing(
    module: str, signum: int, *arguments: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Call `ddl-train`, which gets a signal when it comes to import a module."""
    code = CALL.format(module=module, signum=int(signum))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=folder
    )


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
@pytest.mark.parametrize("module", ["typer", "pydantic", "torch"])
def test_a_run_stopped_before_it_begins_says_that_nothing_was_changed(
    tmp_path: Path, module: str, signum: int, code: int
) -> None:
    (tmp_path / "notes.md").write_text("Bees dance.\n\nTides follow the moon.\n")
    (tmp_path / "mine.yaml").write_text("model: {base: a/b}\nmemory: {sources: [notes.md]}\n")
    done = stopped_while_importing(module, signum, "run", "mine.yaml", folder=tmp_path)
    assert (done.returncode, done.stderr) == (code, NOTHING)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "notes.md"]


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_command_that_writes_does_not_say_that_nothing_was_changed(
    tmp_path: Path, signum: int, code: int
) -> None:
    done = stopped_while_importing(
        "ddl_train.world.writer", signum, "world", "out", folder=tmp_path
    )
    assert (done.returncode, done.stderr) == (code, BEGUN)


def test_a_forked_child_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with ending():
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    assert capfd.readouterr().err == ""


def test_after_work_on_a_run_something_may_have_been_changed(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ending():
        handler = signal.getsignal(signal.SIGTERM)
        assert isinstance(handler, Ending) and not handler.has_begun
        with stoppable(tmp_path):
            assert not isinstance(signal.getsignal(signal.SIGTERM), Ending)
        handler = signal.getsignal(signal.SIGTERM)
        assert isinstance(handler, Ending) and handler.has_begun
    assert signal.getsignal(signal.SIGTERM) == before
