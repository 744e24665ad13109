"""Guards: cheap rules that refuse a proposal before any critic is asked.

Pure: the same proposal and config give the same answer. Each rule returns a sentence that begins
with its stable name. They run cheap first, and the first refusal stands. They know no language:
words where there are spaces, characters where there are none.

A proposal is written by a model that learns from what is admitted, and its sources may be hostile:
text that speaks to the judge, hides characters or repeats itself is refused here whatever a critic
would say of it.
"""

import re
import unicodedata
import zlib
from collections.abc import Callable, Sequence

from ddl_train.config import DistanceConfig, GuardConfig
from ddl_train.records import Proposal
from ddl_train.roles.appeals import find_appeal
from ddl_train.roles.texts import content, mentions, ngrams, units

MIN_LETTERS = 0.5
MAX_RUN = 80
_NGRAM = 3
_MIN_UNITS_FOR_REPETITION = 8
_MIN_BYTES_FOR_COMPRESSION = 80
_TEMPLATE_MARKS = (
    "<|", "|>", "[INST]", "[/INST]", "<<SYS>>", "<start_of_turn>", "<end_of_turn>", "</s>", "<s>",
    "### Instruction", "### Response", "<think>", "</think>", "{{", "{%",
)  # fmt: skip
_JOINERS = "\u200c\u200d"
"""Zero-width joiners are spelling in some scripts and in emoji."""
_UNBROKEN = re.compile(rf"[!-~]{{{MAX_RUN},}}")

Rule = Callable[[Proposal, GuardConfig], str | None]


def check(
    proposal: Proposal,
    config: GuardConfig,
    *,
    special_tokens: Sequence[str],
    common: frozenset[str] = frozenset(),
) -> str | None:
    """The rule that refuses a proposal, as a sentence, or None.

    Args:
        proposal: what the generator said.
        config: limits; with `is_enabled` False only NONE, what was given up and what does not
            parse are refused.
        special_tokens: spellings of the tokenizer's control tokens.
        common: content that says nothing, from `texts.common_content` of many concepts.
    """
    if proposal.is_none:
        return "none: the generator saw no link"
    if proposal.given_up is not None:
        return proposal.given_up
    if not proposal.text.strip():
        return "empty: the generator wrote nothing"
    if not proposal.conclusion.strip():
        return "unparsed: the text has no reasoning and conclusion in the pack's form"
    if not config.is_enabled:
        return None
    for rule in _RULES:
        if reason := rule(proposal, config):
            return reason
    return _markup(proposal, special_tokens) or _touch(proposal, config, common)


def near_duplicate(in_memory: float, in_batch: float, limit: float) -> str | None:
    """Refuse what memory or an earlier proposal of the batch says already, by cosine."""
    if in_memory > limit:
        return f"duplicate: cosine {in_memory:.3f} to memory is above {limit:g}"
    if in_batch > limit:
        return f"duplicate: cosine {in_batch:.3f} to another of this batch is above {limit:g}"
    return None


def distance(to_memory: float, to_parents: float, bounds: DistanceConfig) -> str | None:
    """Refuse what lies too near to what is known, or too far from what it is about.

    Args:
        to_memory: 1 less the cosine to the nearest concept.
        to_parents: the same to the nearer of the pair's two.
        bounds: None is off.
    """
    if bounds.least is not None and to_memory < bounds.least:
        return f"restated: {to_memory:.3f} from the nearest concept is below {bounds.least:g}"
    if bounds.most is not None and to_parents > bounds.most:
        return f"strayed: {to_parents:.3f} from the nearer of the two is above {bounds.most:g}"
    return None


def repeated_share(text: str) -> float:
    """Share of 3-grams that occurred before in the text."""
    grams = ngrams(units(text), _NGRAM)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def compression(text: str) -> float:
    """Size after zlib over size before."""
    raw = text.encode("utf-8", "surrogatepass")
    return len(zlib.compress(raw, 9)) / max(len(raw), 1)


def overlap(text: str, source: str) -> float:
    """Share of the text's n-grams that the source holds."""
    mine = units(text)
    grams = ngrams(mine, _NGRAM)
    theirs = set(ngrams(units(source), min(_NGRAM, len(mine))))
    return sum(gram in theirs for gram in grams) / len(grams) if grams else 0.0


def _unfinished(proposal: Proposal, config: GuardConfig) -> str | None:
    return None if proposal.is_finished else "unfinished: cut off at wake.max_new_tokens"


def _control(proposal: Proposal, config: GuardConfig) -> str | None:
    for character in unicodedata.normalize("NFKC", proposal.text):
        kind = unicodedata.category(character)
        if kind[0] == "C" and character not in "\n\t" and character not in _JOINERS:
            return f"control: holds the character U+{ord(character):04X}"
        if character == "\ufffd":
            return "control: holds a replacement character, so it is broken text"
    return None


def _length(proposal: Proposal, config: GuardConfig) -> str | None:
    size = len(proposal.text.strip())
    if size < config.min_characters:
        return f"short: {size} characters, fewer than {config.min_characters}"
    if size > config.max_characters:
        return f"long: {size} characters, more than {config.max_characters}"
    return None


def _noise(proposal: Proposal, config: GuardConfig) -> str | None:
    """Mostly letters of some script, and no run of characters that no word is."""
    marks = [c for c in proposal.text if not c.isspace()]
    letters = sum(unicodedata.category(c)[0] in "LM" for c in marks)
    if letters < MIN_LETTERS * len(marks):
        return f"noise: {letters} letters among {len(marks)} characters"
    if not any(unicodedata.category(c)[0] == "L" for c in proposal.conclusion):
        return "noise: the conclusion holds no letter"
    if _UNBROKEN.search(proposal.text):
        return f"noise: {MAX_RUN} characters or more without a break"
    return None


def _appeal(proposal: Proposal, config: GuardConfig) -> str | None:
    found = find_appeal(proposal.text)
    return f"appeal: speaks to the judge ({found!r})" if found else None


def _repetition(proposal: Proposal, config: GuardConfig) -> str | None:
    if config.max_repetition is not None:
        for text in (proposal.text, proposal.conclusion):
            share = repeated_share(text)
            if share > config.max_repetition and len(units(text)) >= _MIN_UNITS_FOR_REPETITION:
                return f"repetition: {share:.0%} of 3-grams are repeated"
    if config.min_compression is not None:
        ratio = compression(proposal.text)
        if ratio < config.min_compression and len(proposal.text) >= _MIN_BYTES_FOR_COMPRESSION:
            return f"repetition: compresses to {ratio:.0%} of its size"
    return None


def _copied(proposal: Proposal, config: GuardConfig) -> str | None:
    """A conclusion that only says again what one concept says, or both."""
    if config.max_overlap is None:
        return None
    a, b = proposal.pair.a.text, proposal.pair.b.text
    for name, source in (("one concept", a), ("one concept", b), ("the concepts", f"{a}\n{b}")):
        share = overlap(proposal.conclusion, source)
        if share > config.max_overlap:
            return f"copied: {share:.0%} of the conclusion stands in {name}"
    return None


def _markup(proposal: Proposal, special_tokens: Sequence[str]) -> str | None:
    text = unicodedata.normalize("NFKC", proposal.text)
    for mark in (*_TEMPLATE_MARKS, *special_tokens):
        if len(mark) > 1 and mark in text:
            return f"markup: holds {mark!r}"
    return None


def _touch(proposal: Proposal, config: GuardConfig, common: frozenset[str]) -> str | None:
    """The idea must be about both concepts, not about one of them or about nothing."""
    if config.min_touch is None:
        return None
    said = mentions(proposal.text)
    for concept in (proposal.pair.a, proposal.pair.b):
        about = content(concept.text, common)
        share = len(about & said) / len(about) if about else 1.0
        if share <= config.min_touch:
            return f"touch: says nothing of {concept.text[:60]!r}"
    return None


_RULES: tuple[Rule, ...] = (_unfinished, _control, _length, _noise, _appeal, _repetition, _copied)
