"""What the engine found out about the machine is said when work ends."""

from types import SimpleNamespace
from typing import Any

import pytest

from ddl_train.cli.working import _say_notes


def said(found: Any, capsys: pytest.CaptureFixture[str], *notes: str) -> str:
    engine: Any = SimpleNamespace(found=found, room=SimpleNamespace(notes=list(notes)))
    session: Any = SimpleNamespace(engine=engine)
    _say_notes(session)
    return " ".join(capsys.readouterr().err.split())


def batching(device: str) -> Any:
    because = "continuous batching wrote 30 tokens a second and static batches 10"
    return {"batching": {"asked": "auto", "device": device, "kind": "static", "because": because}}


def test_a_gpu_is_told_how_texts_are_written_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert "texts are written in static batches: continuous batching wrote 30 tokens a second" in (
        said(batching("cuda"), capsys)
    )


def test_a_cpu_which_has_no_choice_is_told_what_is_new_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(batching("cpu"), capsys) == ""
    assert "memory ran out" in said({}, capsys, "memory ran out at batches of 64 sequences")
