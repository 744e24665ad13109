"""How texts are compared: normalised, and cut into units that every script has.

A unit is a word, or a single character where words are not parted by spaces (Chinese, Japanese,
Thai and their kin).
"""

import re
import unicodedata

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
)
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def normalise(text: str) -> str:
    """NFKC, casefolded, without punctuation, spaces joined: what an answer is compared by.

    The minus of a number is not punctuation.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    signed = _MINUS.sub("\u2212", folded)
    kept = "".join(
        " " if unicodedata.category(character)[0] in "PZC" else character for character in signed
    )
    # without punctuation only: a text of nothing else is compared as it is
    return " ".join(kept.split()) or " ".join(folded.split())


def units(text: str) -> list[str]:
    """Words, and single characters of scripts without spaces, normalised."""
    return _UNIT.findall(unicodedata.normalize("NFKC", text).casefold())


def is_unspaced(text_units: list[str]) -> bool:
    """True when most units are single characters of a script without spaces."""
    single = sum(bool(re.match(rf"[{_UNSPACED}]", unit)) for unit in text_units)
    return 2 * single > len(text_units)
