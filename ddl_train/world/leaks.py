"""Leaks: what a night was taught that no dream had earned.

A probe wording has no place in a training row. Nor has a pair of names that a truth probe asks
about, or that any of its right answers joins, unless a document states a link of the two (an aside,
which names them in one sentence, states none), or an admitted insight concludes one: then the answer
was handed to the model instead of being found. Rows that answer "there is no link" show pairs of
statements and teach no answer; their names are not looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from ddl_train.records import Probe, TrainingRow
from ddl_train.world.language import ASIDE, Fact, parse
from ddl_train.world.names import NAME_PATTERN
from ddl_train.world.questions import is_kept_back

NO_LINK = "no_link"

Pair = tuple[str, str]
"""Two names in alphabetical order: who acts on whom does not matter."""


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
        probes: the truth probes; their `about`, and their right answers, must be earned.
    """
    asked = {pair for probe in probes for pair in _pairs_of(probe)}
    earned = {pair for text in admitted for pair in _pair(parse(text))}
    earned |= {pair for fact in stated for pair in _pair(fact)}
    leaks = []
    for number, row in enumerate(rows):
        where = f"row {number} ({row.origin}, {row.prompt!r} -> {row.completion!r})"
        if is_kept_back(row.prompt) or is_kept_back(row.completion):
            leaks.append(f"{where} uses a wording that is kept for probes")
        if row.origin == NO_LINK:
            continue
        leaks += (
            f"{where} joins {subject} and {object}, which no admitted insight concludes"
            for subject, object in sorted(_pairs_in(row) & asked - earned)
        )
    return leaks


def _pairs_of(probe: Probe) -> Iterator[Pair]:
    """What it is about, and each name it asks about with each of its right answers."""
    yield from _pair(parse(probe.about or ""))
    for name in NAME_PATTERN.findall(probe.prompt):
        for answer in NAME_PATTERN.findall(" ".join(probe.answers)):
            yield min(name, answer), max(name, answer)


def _pair(fact: Fact | None) -> list[Pair]:
    """The two that a statement links; none where it links no two."""
    if fact is None or fact.relation == ASIDE or len(fact.names) != 2:
        return []
    return [(min(fact.names), max(fact.names))]


def _pairs_in(row: TrainingRow) -> set[Pair]:
    names = NAME_PATTERN.findall(f"{row.prompt} {row.completion}")
    return set(combinations(sorted(set(names)), 2))
