"""Texts as units that can be counted: words, or characters where no spaces stand between words.

Nothing here knows a language. Chinese and Japanese are taken by character, as are Thai, Lao, Khmer
and Burmese; everything else by word.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

IDEOGRAPHIC = (
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0002fa1f"
)
"""Kana and Chinese characters: each is about a syllable or a word."""
ALPHABETIC = r"\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Scripts without spaces whose single characters are sounds, not words."""
_UNIT = re.compile(rf"[{IDEOGRAPHIC}{ALPHABETIC}]|(?:(?![{IDEOGRAPHIC}{ALPHABETIC}])[\w'’])+")
_RUN = re.compile(rf"[{IDEOGRAPHIC}]+|[{ALPHABETIC}]+|(?:(?![{IDEOGRAPHIC}{ALPHABETIC}])[\w'’])+")
_IS_IDEOGRAPHIC = re.compile(f"[{IDEOGRAPHIC}]")
_IS_ALPHABETIC = re.compile(f"[{ALPHABETIC}]")
_HIRAGANA = re.compile(r"^[\u3040-\u309f]+$")
_STEM = 6
_SHORT = 4


def normalise(text: str) -> str:
    """NFKC, casefolded, spaces joined."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def units(text: str) -> list[str]:
    """Words, or characters in scripts without spaces, in order."""
    return _UNIT.findall(normalise(text))


def ngrams(items: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Runs of `n` neighbours; of a shorter sequence the whole."""
    if not items:
        return []
    n = min(n, len(items))
    return [tuple(items[start : start + n]) for start in range(len(items) - n + 1)]


def content(text: str, common: frozenset[str] = frozenset()) -> frozenset[str]:
    """What a text is about, without what is in `common` and what says little.

    Such words count only where a text has nothing else.
    """
    telling, weak = _content_and_rest(text)
    return telling - common or weak - common or telling | weak


def mentions(text: str) -> frozenset[str]:
    """Everything that a text could touch."""
    telling, weak = _content_and_rest(text)
    return telling | weak


def _content_and_rest(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Beginnings of words, or characters' n-grams; then those that say little.

    Words are compared by their first six letters, so that endings do not matter. Short words in
    ASCII letters and pairs of hiragana say little.
    """
    telling: set[str] = set()
    weak: set[str] = set()
    for run in _RUN.findall(normalise(text)):
        if _IS_IDEOGRAPHIC.match(run):
            grams = {"".join(gram) for gram in ngrams(run, 2)}
            kana = {gram for gram in grams if _HIRAGANA.match(gram)}
            telling |= grams - kana
            weak |= kana
        elif _IS_ALPHABETIC.match(run):
            telling |= {"".join(gram) for gram in ngrams(run, 5)}
        elif len(run) >= _SHORT or not run.isascii() or any(map(str.isdigit, run)):
            telling.add(run[:_STEM])
        else:
            weak.add(run)
    return frozenset(telling), frozenset(weak)


def common_content(texts: Iterable[str], *, share: float = 0.3, least: int = 10) -> frozenset[str]:
    """Content that so many of these texts have that it tells none of them apart.

    Of fewer than `least` texts nothing can be said.
    """
    counts: Counter[str] = Counter()
    num_texts = 0
    for text in texts:
        counts.update(content(text))
        num_texts += 1
    if num_texts < least:
        return frozenset()
    return frozenset(item for item, count in counts.items() if count > share * num_texts)
