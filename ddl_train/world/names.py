"""Invented names: pronounceable, recognisable by their ending, spelt from a fixed inventory.

A name is an opening, one or two middles and an ending: `ve-rad-ol`, `bro-tad-sem-itis`. The ending
tells the kind. Openings end in a vowel, middles are consonant-vowel-consonant, so a name can be cut
into its parts in one way only, and a tokenizer can spell every name with one token for each part.
"""

import random
import re

SUBSTANCE, FACTOR, AILMENT = "substance", "factor", "ailment"
KINDS = (SUBSTANCE, FACTOR, AILMENT)

ENDINGS: dict[str, tuple[str, ...]] = {
    SUBSTANCE: ("ol", "ide", "ate", "ium"),
    FACTOR: ("ase", "flux", "tone", "gen"),
    AILMENT: ("osis", "itis", "emia", "algia"),
}
OPENINGS: tuple[str, ...] = tuple(
    onset + vowel
    for onset in (*"bcdfghklmnprstvz", "br", "cr", "dr", "gl", "pl", "tr", "st")
    for vowel in "aeiou"
)
MIDDLES: tuple[str, ...] = tuple(
    onset + vowel + coda
    for onset, codas in (
        ("b", "lnr"), ("c", "lmr"), ("d", "lnrs"), ("f", "nrt"), ("k", "dmr"), ("l", "dmnt"),
        ("m", "dlnt"), ("n", "dlmt"), ("p", "lnrt"), ("r", "dmnt"), ("s", "dlmr"), ("t", "dlmr"),
        ("v", "lnrd"), ("z", "ln"),
    )
    for vowel, coda in zip("aeio", codas, strict=False)
)  # fmt: skip

_KIND_BY_ENDING = {ending: kind for kind, endings in ENDINGS.items() for ending in endings}
_NAME = (
    f"(?:{'|'.join(sorted(OPENINGS, key=len, reverse=True))})(?:{'|'.join(MIDDLES)}){{1,2}}"
    f"(?:{'|'.join(_KIND_BY_ENDING)})"
)
NAME_PATTERN = re.compile(rf"\b{_NAME}\b")
"""Matches a whole name in running text, and no word of the language."""
_ENDING = re.compile(rf"({'|'.join(sorted(_KIND_BY_ENDING, key=len, reverse=True))})$")


def kind_of(name: str) -> str | None:
    """Tell the kind by the ending; None when this is no name."""
    if not NAME_PATTERN.fullmatch(name):
        return None
    ending = _ENDING.search(name)
    assert ending is not None, name
    return _KIND_BY_ENDING[ending.group(1)]


def num_names(kind: str) -> int:
    """How many names of a kind there can be."""
    num_middles = len(MIDDLES) + len(MIDDLES) ** 2
    return len(OPENINGS) * num_middles * len(ENDINGS[kind])


def check_number(what: str, number: int, kind: str) -> None:
    """Refuse more names than can be drawn: half of those there can be.

    The last ones would be looked for ever longer, and those of other worlds may be taken.
    """
    if number > (most := num_names(kind) // 2):
        raise ValueError(
            f"{what}: got {number}, expected {most} or fewer, which is half of the names that there "
            f"can be of the kind {kind}; make the world smaller"
        )


def make_name(rng: random.Random, kind: str) -> str:
    """Draw one name; half of them short. Names can repeat: see `NameSource`."""
    middles = "".join(rng.choice(MIDDLES) for _ in range(rng.randint(1, 2)))
    return rng.choice(OPENINGS) + middles + rng.choice(ENDINGS[kind])


class NameSource:
    """Draws names that never repeat, nor occur in `taken`."""

    def __init__(self, rng: random.Random, taken: frozenset[str] = frozenset()) -> None:
        self._rng = rng
        self._used = set(taken)

    def draw(self, kind: str) -> str:
        while True:
            name = make_name(self._rng, kind)
            if name not in self._used:
                self._used.add(name)
                return name
