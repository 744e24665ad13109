"""Verbatim overlaps: where what a model wrote stands word for word in what it read.

Compared are words, or characters where no spaces stand between words, after NFKC, case and
punctuation are taken away. A run counts as a quotation from twelve words on, or from sixty letters;
two ideographs weigh as a word, and five letters of a script such as Thai. Common words of a report
or a form may run that long by chance: whoever publishes is shown them and decides.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MIN_WORDS = 12
MIN_LETTERS = 60
_IDEOGRAPHIC = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_ALPHABETIC = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNIT = re.compile(rf"[{_IDEOGRAPHIC}{_ALPHABETIC}]|(?:(?![{_IDEOGRAPHIC}{_ALPHABETIC}])\w)+")
_WEIGHTS = ((re.compile(f"[{_IDEOGRAPHIC}]"), 1 / 2), (re.compile(f"[{_ALPHABETIC}]"), 1 / 5))
_SEED = 3
"""Units in a row by which overlaps are looked up."""

Seeds = dict[tuple[str, ...], list[tuple[str, int]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A run of words that a text shares with a source."""

    where: str
    """Name of the text that quotes."""
    source: str
    text: str
    """The run, as units joined by spaces."""
    num_units: int


def find_quotes(
    texts: Mapping[str, str],
    sources: Iterable[tuple[str, str]],
    *,
    min_words: int = MIN_WORDS,
    min_letters: int = MIN_LETTERS,
) -> list[Quote]:
    """The longest quotation of each text from each source, longest first.

    Args:
        texts: name -> what would be published.
        sources: (name, text) of what was read; gone through once.
        min_words: from which a run is a quotation.
        min_letters: the same, counted in letters.
    """
    split = {name: units(text) for name, text in texts.items()}
    seeds: Seeds = defaultdict(list)
    for name, words in split.items():
        for place in range(len(words) - _SEED + 1):
            seeds[tuple(words[place : place + _SEED])].append((name, place))
    found: dict[tuple[str, str], Quote] = {}
    for source, text in sources:
        for name, run in _runs(units(text), split, seeds):
            known = found.get((name, source))
            if not _is_long(run, min_words, min_letters):
                continue
            if known is None or len(run) > known.num_units:
                quote = Quote(where=name, source=source, text=" ".join(run), num_units=len(run))
                found[name, source] = quote
    return sorted(found.values(), key=lambda one: (-one.num_units, one.where, one.source))


def units(text: str) -> list[str]:
    """Words, or single characters of scripts without spaces, in order."""
    return _UNIT.findall(unicodedata.normalize("NFKC", text).casefold())


def _runs(
    source: Sequence[str], split: Mapping[str, Sequence[str]], seeds: Seeds
) -> Iterable[tuple[str, Sequence[str]]]:
    """Longest common runs: each begins where it could not begin one unit earlier."""
    for at in range(len(source) - _SEED + 1):
        for name, place in seeds.get(tuple(source[at : at + _SEED]), ()):
            words = split[name]
            if at and place and source[at - 1] == words[place - 1]:
                continue
            length = _SEED
            limit = min(len(source) - at, len(words) - place)
            while length < limit and source[at + length] == words[place + length]:
                length += 1
            yield name, words[place : place + length]


def _is_long(run: Sequence[str], min_words: int, min_letters: int) -> bool:
    is_wordy = sum(map(_weight, run)) >= min_words - 1e-9
    return is_wordy or len("".join(run)) >= min_letters


def _weight(unit: str) -> float:
    return next((weight for pattern, weight in _WEIGHTS if pattern.match(unit)), 1.0)
