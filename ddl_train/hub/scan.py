"""Secrets and personal data in text that is about to leave the machine.

A small list of patterns of secrets that have a form of their own; telephone numbers by the library
`phonenumbers`, IBANs and card numbers by the checksums of `python-stdnum`. Names of people are not
looked for: no list of patterns finds them.

A finding never quotes what it found: it says where, what kind, and the first letters.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ddl_train.errors import ResourceError

SECRETS = {
    "Hugging Face token": r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})",
    "GitLab token": r"\bglpat-[\w-]{20,}",
    "API key": r"\bsk-(?:proj-|ant-|or-)?[\w-]{20,}",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "Google key": r"\bAIza[\w-]{35}",
    "Slack token": r"\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com/services/\w+/\w+/\w+",
    "Stripe key": r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}",
    "npm or PyPI token": r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{50,}",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "password in a URL": r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@[\w.-]+",
    "password": r"(?i)\b(?:pass(?:word|wd|phrase)|secret|api[_-]?key|(?:access|auth)[_-]?token)\b"
    r"[\"']?\s*[:=]\s*[\"']?(?=[^\s\"',;]*\d)(?=[^\s\"',;]*[A-Za-z])[^\s\"',;]{8,}",
}
"""Kind -> what it looks like."""

PERSONAL = {
    "e-mail address": r"\b[\w.+-]+@(?!example\.(?:com|org|net)\b)[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}\b",
    "home folder": r"(?:/home/|/Users/|\b[A-Za-z]:\\Users\\)[^/\\\s\"']+",
}
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"\b(?:\d{4}[ -]){3}\d{4}\b")
_CALL = re.compile(
    r"(?i)\b(?:tel(?:ephone)?|phone|mobile|cell|fax)\b\.?\s*:?\s*(\(?\d[\d ()/.-]{6,}\d)"
)
_MARKS = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
"""Invisible characters that would hide a match."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that should not be published without a look at it."""

    where: str
    """File and line, or table, row and column."""
    what: str
    hint: str
    """Its first letters."""
    finding_id: str
    """Names the text that was found, wherever it stands; `--accept` takes it."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} ({self.hint}), {self.finding_id}"


def scan(where: str, text: str) -> list[Finding]:
    """Every secret and every piece of personal data of a text.

    Args:
        where: names the text in findings; the line is appended.
        text: as it would be published.

    Raises:
        ResourceError: the extra `publish` is not installed.
    """
    text = _MARKS.sub("", unicodedata.normalize("NFKC", text))
    found = {
        (span, what): _finding(f"{where}:{text.count(chr(10), 0, span[0]) + 1}", what, piece)
        for span, what, piece in _matches(text)
    }
    return [found[key] for key in sorted(found)]


def finding_id(what: str, text: str) -> str:
    """Short and stable: the same text found again has the same name."""
    return hashlib.sha256(f"{what}\n{text}".encode()).hexdigest()[:8]


def _finding(where: str, what: str, piece: str) -> Finding:
    return Finding(
        where=where, what=what, hint=f"{piece[:3]}...", finding_id=finding_id(what, piece)
    )


def _matches(text: str) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Span, kind and text of each match."""
    phonenumbers, iban, luhn = _libraries()
    for what, pattern in (SECRETS | PERSONAL).items():
        for match in re.finditer(pattern, text):
            yield match.span(), what, match[0]
    for match in _IBAN.finditer(text):
        if iban.is_valid(match[0]):
            yield match.span(), "IBAN", match[0]
    for match in _CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match[0])):
            yield match.span(), "card number", match[0]
    for match in _CALL.finditer(text):
        yield match.span(1), "telephone number", match[1]
    for one in phonenumbers.PhoneNumberMatcher(text, None):
        yield (one.start, one.end), "telephone number", one.raw_string


def _libraries() -> tuple[Any, Any, Any]:
    try:
        import phonenumbers
        from stdnum import iban, luhn
    except ImportError:
        raise ResourceError(
            "publish looks for personal data with phonenumbers and python-stdnum, which are not "
            "installed; install `ddl-train[publish]`"
        ) from None
    return phonenumbers, iban, luhn
