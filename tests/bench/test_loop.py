"""The bench of the loop, lived small: every race is run, and a goal is met by its figure alone."""

import pytest

from ddl_train.bench.figures import Figure
from ddl_train.bench.loop import MAX_OVERHEAD, bench_loop
from ddl_train.config import parse_config
from ddl_train.records import SilentProgress
from tests.tiny import make_tiny


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[Figure]:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "notes").mkdir()
    for number in range(6):
        (folder / "notes" / f"{number}.md").write_text(f"Note {number} is about bees and trees.\n")
    values = {
        "name": "tiny",
        "model": {"base": str(make_tiny(folder / "tiny")), "max_length": 2000, "device": "cpu"},
        "memory": {"sources": [str(folder / "notes")], "unit": "sentence"},
        "wake": {
            "num_pairs": 2,
            "batch_size": 2,
            "max_new_tokens": 4,
            "quota": 1,
            "guards": {"is_enabled": False},
            "explain": False,
            "max_disagreement": None,
        },
        "sleep": {"num_train_epochs": 1, "max_length": 2000, "kinds": ["propose"]},
    }
    config = parse_config(values, where="test")
    return bench_loop(config, num_pairs=4, num_rounds=1, progress=SilentProgress())


def test_overhead_both_ways_of_dreaming_and_the_critic_are_measured(figures: list[Figure]) -> None:
    assert [figure.name for figure in figures] == [
        "wall time outside model compute",
        "dreams, a batch of 4 over one at a time",
        "dreams, batches of 2 over one at a time",
        "critic, logits over generated scores",
    ]
    assert all(figure.value > 0 for figure in figures)


def test_overhead_meets_its_goal_when_it_is_small(figures: list[Figure]) -> None:
    assert figures[0].is_met == (figures[0].value <= MAX_OVERHEAD)


def test_batches_of_the_config_have_no_goal(figures: list[Figure]) -> None:
    assert [bool(figure.goal) for figure in figures] == [True, True, False, True]
