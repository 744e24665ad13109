"""M7, lived small: both ways of scoring are raced, and what they know is compared where it can be."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from ddl_train.bench.speed_critic import SHARE_OF_LIMIT, critic_speed
from ddl_train.config import load_config, parse_config
from ddl_train.records import SilentProgress
from tests.tiny import make_tiny
from tests.worlds import ROOT, SEEDLING

QUIET = SilentProgress()


def test_a_verdict_and_one_question_are_raced_against_their_bound(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for number in range(5):
        (tmp_path / "notes" / f"{number}.md").write_text(
            f"Note {number} is about bees and trees.\n"
        )
    values = {
        "name": "tiny",
        "model": {"base": str(make_tiny(tmp_path / "tiny")), "max_length": 3000, "device": "cpu"},
        "memory": {"sources": [str(tmp_path / "notes")], "unit": "sentence"},
    }
    config = parse_config(values, where="test")
    figures = critic_speed(config, num_ideas=3, num_rounds=1, progress=QUIET)
    assert [figure.name for figure in figures] == [
        "M7 critic, logits over generated scores, a whole verdict",
        "M7 critic, logits over generated scores, one question",
    ]
    assert len(json.loads(json.dumps([asdict(figure) for figure in figures]))) == 2
    for figure in figures:
        limit = float(figure.detail.split("limit ")[1].split()[0])
        assert limit > 1
        goal = float(figure.goal.split("x")[0])
        assert goal == pytest.approx(SHARE_OF_LIMIT * limit, rel=0.01)
        assert figure.is_met == (figure.value >= goal)


@pytest.mark.slow
def test_what_the_logits_know_is_held_against_what_is_written() -> None:
    config = load_config(ROOT / "configs" / "quickstart.yaml", [f"model.base={SEEDLING}"])
    *_, known = critic_speed(config, num_ideas=30, num_rounds=1, progress=QUIET)
    assert known.name == "M7 AUROC of coherence, logits less generated"
    assert known.is_met, known.detail
    by_logits = float(known.detail.split()[0])
    assert by_logits > 0.9
