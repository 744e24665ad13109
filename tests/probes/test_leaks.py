"""A probe that a text holds is found; one that shares only common words is not."""

import pytest

from ddl_train.probes.leaks import find_leaks, leaked
from ddl_train.records import Probe, TrainingRow

LONG = (
    "which of the two treatments that were tried in the northern valley lowers the pressure of "
    "blood in older patients?"
)


def probe(prompt: str, *, is_raw: bool = False) -> Probe:
    return Probe(probe_id="p", prompt=prompt, answers=("a",), is_raw=is_raw)


@pytest.mark.parametrize(
    ("prompt", "text", "leaks"),
    [
        ("What raises blood pressure?", "we ask: what raises  BLOOD pressure - salt", True),
        ("What raises blood pressure?", "what raises pressure in blood?", False),
        ("What raises blood pressure?", "salt raises blood pressure", False),
        ("Why salt?", "Why? Salt keeps.", False),  # too short to be found inside a text
        ("Why salt?", "why salt", True),
        (LONG, LONG, True),
        (
            LONG,
            "treatments that were tried in the northern valley lowers the pressure of blood",
            True,
        ),
        (LONG, "treatments that were tried in the northern valley lowers the pressure", False),
        ("盐会升高什么?", "问题:盐会升高什么,以及为什么", True),
        ("盐会升高什么?", "盐会升高血压", False),
    ],
)
def test_a_leak_is_the_whole_question_or_a_long_piece_of_it(
    prompt: str, text: str, leaks: bool
) -> None:
    assert bool(leaked([probe(prompt)], ["something else", text])) is leaks


def test_of_a_raw_prompt_only_the_whole_counts() -> None:
    template = "look at these two notes and say in one sentence what follows from both of them: "
    row = TrainingRow(prompt=template + "bees and hives", completion="NONE", origin="no_link")
    assert find_leaks([probe(template + "salt and blood", is_raw=True)], [], [row]) == []
    assert len(find_leaks([probe(template + "bees and hives", is_raw=True)], [], [row])) == 1


def test_a_leak_is_told_with_its_place() -> None:
    row = TrainingRow(prompt="answer: what raises blood pressure?", completion="x", origin="new")
    question = probe("what raises blood pressure?")
    (in_row,) = find_leaks([question], [], [row])
    assert in_row.startswith("probe p ('what raises blood pressure?') stands in a training row")
    (in_memory,) = find_leaks([question], ["What raises blood pressure? Salt."])
    assert "stands in memory: 'What raises blood pressure? Salt.'" in in_memory


def test_many_probes_and_texts_are_found_in_one_pass() -> None:
    probes = [
        Probe(probe_id=str(n), prompt=f"what may substance{n} relieve in the end?", answers=("a",))
        for n in range(2000)
    ]
    texts = [f"so what may substance{n} relieve in the end? ail{n}" for n in range(0, 20_000, 100)]
    assert list(leaked(probes, texts)) == [str(n) for n in range(0, 2000, 100)]
