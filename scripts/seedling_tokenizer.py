"""The seedling's tokenizer: byte-level BPE whose merges are derived, not counted from a corpus.

Names are spelt with one token for each part (opening, middles, ending), the words of the language
with one token each. Anything else falls back to bytes, so any text can be encoded and decoded.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ddl_train.world import language, names, questions

USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}" + ASSISTANT + "{% generation %}"
    "{{ message['content'] | trim }}" + END + "{% endgeneration %}"
    "{% else %}" + USER + "{{ message['content'] | trim }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)
PROMPT_TEXT = (
    "link score why study probe given say plain restate forward reverse implication application "
    "novelty coherence utility unknown NONE yes no links and so also by both do not support it "
    "that 1 2 3 4 5 6 7 8 9 10 + | = more less give avoid raise lower raises lowers high low "
    "relieve worsen as"
)

Pair = tuple[str, str]


def vocabulary_words() -> list[str]:
    """Every word that a sentence, question or prompt can hold, names aside."""
    texts: list[str] = [*language.CANONICAL.values(), PROMPT_TEXT]
    for wordings in language.DOCUMENT.values():
        texts += wordings
    texts += sorted(questions.STUDY_SKELETONS | questions.PROBE_SKELETONS)
    words: dict[str, None] = {}
    for text in texts:
        for word in re.sub(r"\{[so]\}|_", " ", text).split():
            bare = word.rstrip("?,") if len(word) > 1 else word
            words.setdefault(bare)
    return [word for word in words if word and word not in "?,"]


def name_merges() -> list[Pair]:
    """Merges that spell a name by its parts, in an order that never crosses from part to part."""
    merges: dict[Pair, None] = {}
    for opening in names.OPENINGS:  # grown from the leading space, so nowhere else
        for cut in range(len(opening)):
            merges.setdefault(("Ġ" + opening[:cut], opening[cut]))
    tails = [middle[1:] for middle in names.MIDDLES]
    endings = [ending for kind in names.KINDS for ending in names.ENDINGS[kind]]
    for tail in (*tails, *(e[i : i + 2] for e in endings for i in (0, 1, 2))):
        if len(tail) == 2 and tail[0] in "aeiou" and tail[1] not in "aeiou":
            merges.setdefault((tail[0], tail[1]))
    for middle in names.MIDDLES:
        merges.setdefault((middle[0], middle[1:]))
    for ending in endings:
        parts = bpe(list(ending), list(merges))
        while len(parts) > 1:
            merges.setdefault((parts[-2], parts[-1]))
            parts[-2:] = [parts[-2] + parts[-1]]
    return list(merges)


def bpe(parts: list[str], merges: list[Pair]) -> list[str]:
    """Apply merges as BPE does: the earliest in the list first, wherever it occurs."""
    rank = {pair: place for place, pair in enumerate(merges)}
    while True:
        found = [(rank[p], i) for i, p in enumerate(pairwise(parts)) if p in rank]
        if not found:
            return parts
        _, i = min(found)
        parts = [*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :]]


def word_merges(words: Iterable[str], base: list[Pair]) -> list[Pair]:
    """Merges that, on top of the base, make each word one token; the commonest pair first."""
    spelt = [bpe(["Ġ", *word], base) for word in words]
    merges: list[Pair] = []
    while True:
        counts: Counter[Pair] = Counter()
        for parts in spelt:
            counts.update(pairwise(parts))
        if not counts:
            return merges
        best = max(sorted(counts), key=lambda pair: counts[pair])
        merges.append(best)
        spelt = [_merged(parts, best) for parts in spelt]


def _merged(parts: list[str], pair: Pair) -> list[str]:
    out: list[str] = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer. The same everywhere: nothing is drawn or counted."""
    base = name_merges()
    merges = base + word_merges(vocabulary_words(), base)
    specials = [PAD, END, USER, ASSISTANT]
    tokens = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += dict.fromkeys(left + right for left, right in merges)
    vocab = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    inner = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(specials)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        add_prefix_space=True,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
