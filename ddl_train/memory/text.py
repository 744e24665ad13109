"""Texts as memory compares and counts them, in scripts with and without spaces between words."""

import hashlib
import re
import unicodedata

NO_SPACES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u109f"  # Tibetan, Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # kana and iteration marks
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Scripts that are written without spaces between words, as the inside of a regex class."""

_LONGEST_WORD = 24
"""A longer run without a space counts as several tokens, so that no piece is endless."""

_TOKEN = re.compile(rf"[{NO_SPACES}]|[^\s\x00{NO_SPACES}]{{1,{_LONGEST_WORD}}}")


def normalise(text: str) -> str:
    """NFKC, casefolded, spaces joined: two texts that differ only so are one concept."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def text_sha256(text: str) -> str:
    """Of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()


def count_tokens(text: str) -> int:
    """Words; single characters in scripts without spaces between words."""
    return sum(1 for _ in _TOKEN.finditer(text))
