"""Leaks: what a night was taught that no dream had earned.

A probe wording has no place in a training row. Nor has a pair of names that a truth probe asks
about, unless a document states a link of the two, or an admitted insight concludes one: then the
answer was handed to the model instead of being found. Rows that answer "there is no link" show
pairs of statements and teach no answer; their names are not looked at.
"""

from collections.abc import Iterable, Sequence
from itertools import permutations

from ddl_train.records import Probe, TrainingRow
from ddl_train.world.language import Fact, parse
from ddl_train.world.names import NAME_PATTERN
from ddl_train.world.questions import is_probe_wording

NO_LINK = "no_link"

Pair = tuple[str, str]


def find_leaks(
    rows: Iterable[TrainingRow],
    admitted: Iterable[str],
    *,
    stated: Iterable[Fact],
    probes: Sequence[Probe],
) -> list[str]:
    """One sentence for each row that leaks, in order.

    Args:
        rows: what a night trains on.
        admitted: conclusions of all insights admitted so far.
        stated: facts of the documents.
        probes: the truth probes; their `about` names what must be earned.
    """
    asked = {pair for probe in probes if probe.about for pair in _pair(parse(probe.about))}
    earned = {pair for text in admitted for pair in _pair(parse(text))}
    earned |= {pair for fact in stated for pair in _pair(fact)}
    leaks = []
    for number, row in enumerate(rows):
        where = f"row {number} ({row.origin}, {row.prompt!r} -> {row.completion!r})"
        if is_probe_wording(row.prompt) or is_probe_wording(row.completion):
            leaks.append(f"{where} uses a wording that is kept for probes")
        if row.origin == NO_LINK:
            continue
        leaks += (
            f"{where} joins {subject} and {object}, which no admitted insight concludes"
            for subject, object in sorted(_pairs_in(row) & asked - earned)
        )
    return leaks


def _pair(fact: Fact | None) -> list[Pair]:
    return [(fact.subject, fact.object)] if fact is not None and len(fact.names) == 2 else []


def _pairs_in(row: TrainingRow) -> set[Pair]:
    names = NAME_PATTERN.findall(f"{row.prompt} {row.completion}")
    return set(permutations(dict.fromkeys(names), 2))
