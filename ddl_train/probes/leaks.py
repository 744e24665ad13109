"""Leaks: probes that are no longer held out, because a text holds them.

A probe leaks into a text that contains its whole question, normalised, or, when the question is
long, any window of 13 words of it (25 characters in scripts without spaces). A question of fewer
than four words leaks only into a text that is nothing else. Of a raw prompt only the whole counts:
the instructions around it are the template's, and stand in training rows too.

Not covered: paraphrases.
"""

from collections.abc import Iterable, Sequence

from ddl_train.probes.text import is_unspaced, units
from ddl_train.records import Probe, TrainingRow

NUM_WORDS = 13
NUM_CHARACTERS = 25
MIN_UNITS = 4

Window = tuple[str, ...]


def leaked(probes: Sequence[Probe], texts: Iterable[str]) -> dict[str, str]:
    """Ids of the probes that leak, each with the first text that holds it; in order of probes."""
    windows: dict[int, dict[Window, list[str]]] = {}
    whole: dict[Window, list[str]] = {}
    for probe in probes:
        question = units(probe.prompt)
        if len(question) < MIN_UNITS:
            whole.setdefault(tuple(question), []).append(probe.probe_id)
            continue
        size = len(question) if probe.is_raw else min(len(question), _window_size(question))
        for window in _windows(question, size):
            windows.setdefault(size, {}).setdefault(window, []).append(probe.probe_id)
    found: dict[str, str] = {}
    for text in texts:
        text_units = units(text)
        holders = list(whole.get(tuple(text_units), []))
        for size, known in windows.items():
            for window in _windows(text_units, size):
                holders += known.get(window, [])
        for probe_id in holders:
            found.setdefault(probe_id, text)
    return {probe.probe_id: found[probe.probe_id] for probe in probes if probe.probe_id in found}


def find_leaks(
    probes: Sequence[Probe], texts: Iterable[str], rows: Iterable[TrainingRow] = ()
) -> list[str]:
    """One sentence for each probe that occurs in memory's texts or in training rows."""
    prompt_of = {probe.probe_id: probe.prompt for probe in probes}
    row_texts = (part for row in rows for part in row_parts(row))
    return [
        f"probe {probe_id} ({_short(prompt_of[probe_id])}) stands in {place}: {_short(text)}"
        for place, found in (
            ("memory", leaked(probes, texts)),
            ("a training row", leaked(probes, row_texts)),
        )
        for probe_id, text in found.items()
    ]


def row_parts(row: TrainingRow) -> tuple[str, str]:
    """Where a question could stand in a row: as its prompt, or in what is trained."""
    return row.prompt, row.completion


def _window_size(question: list[str]) -> int:
    return NUM_CHARACTERS if is_unspaced(question) else NUM_WORDS


def _windows(text_units: list[str], size: int) -> Iterable[Window]:
    return (tuple(text_units[i : i + size]) for i in range(len(text_units) - size + 1))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else text[:79] + "…")
