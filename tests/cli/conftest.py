import pytest

from tests.cli.calling import CommandLine


@pytest.fixture
def ddl(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "100")
    return CommandLine(monkeypatch, capfd)
