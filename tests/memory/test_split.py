"""Texts are cut where a reader would cut them, in scripts with and without spaces."""

from collections.abc import Callable

import pytest

from ddl_train.config import MemoryConfig
from ddl_train.memory.markdown import markdown_blocks
from ddl_train.memory.plain import plain_blocks
from ddl_train.memory.split import Block, Splitter, split_sentences
from ddl_train.memory.text import count_tokens, normalise, text_sha256

CHINESE = "人工智能正在改变世界。它能够学习语言，也能够做梦！你相信吗？我们拭目以待。" * 6
JAPANESE = "「吾輩は猫である。」名前はまだ無い。どこで生れたか頓と見当がつかぬ。" * 4
THAI = "ประเทศไทยอยู่ในเอเชียตะวันออกเฉียงใต้ มีพรมแดนติดกับลาวและกัมพูชา " * 5


def splitter(unit: str, max_tokens: int = 60) -> Splitter:
    config = {"sources": ["x"], "unit": unit, "max_tokens": max_tokens}
    return Splitter(MemoryConfig.model_validate(config))


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI])
@pytest.mark.parametrize("unit", ["sentence", "chunk"])
def test_text_without_spaces_is_cut_to_size_and_loses_nothing(text: str, unit: str) -> None:
    pieces = splitter(unit).split(plain_blocks(text))
    assert len(pieces) > 1
    assert max(count_tokens(piece) for piece in pieces) <= 60
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("text", [CHINESE, JAPANESE])
def test_chunks_without_spaces_end_where_sentences_end(text: str) -> None:
    pieces = splitter("chunk").split(plain_blocks(text))
    assert all(piece[-1] in "。！？」" for piece in pieces)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One fact. Another fact.", ["One fact.", "Another fact."]),
        ("s lowers f. high f causes a.", ["s lowers f.", "high f causes a."]),
        ("Dr. Smith met A. B. Carter.", ["Dr. Smith met A. B. Carter."]),
        ("It rose by 3.5 points. Why?", ["It rose by 3.5 points.", "Why?"]),
        ("See Fig. 3. I said no. Then I left.", ["See Fig. 3.", "I said no.", "Then I left."]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("At 3 p.m. it rained. In the U.S. too.", ["At 3 p.m. it rained.", "In the U.S. too."]),
        ("猫である。名前は無い！本当？", ["猫である。", "名前は無い！", "本当？"]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
    ],
)
def test_sentences_end_at_their_terminators(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_lines_that_were_wrapped_are_joined() -> None:
    text = (
        "This paragraph was written in an editor which breaks lines at\n"
        "some sixty characters, as many people still do. It is one\n"
        "paragraph.\n\nAnd this is the other one, which has no more lines than one."
    )
    assert len(plain_blocks(text)) == 2


def test_a_list_of_facts_stays_a_list() -> None:
    text = (
        "a tree is a kind of plant\nleaves are green\na plant requires sunlight to live and grow\n"
    )
    assert [block.text for block in plain_blocks(text)] == text.splitlines()


def test_bullets_are_items_and_lose_their_marks() -> None:
    blocks = plain_blocks("- the first\n- the second\n1. the third")
    assert [block.text for block in blocks] == ["the first", "the second", "1. the third"]


MARKDOWN = """---
title: "My note"
tags: [a, b]
---
# Heading *one*

A paragraph with **bold**, [a link](http://x.y) and `code`,
wrapped. <!-- hidden -->

- item one
  - nested

| a | b |
|---|---|
| c | d |

```python
x = 1. # kept. whole.
```

![a picture](img.png)

<div>html text</div>
"""


def test_markdown_keeps_the_words_and_drops_the_marks() -> None:
    texts = [block.text for block in markdown_blocks(MARKDOWN)]
    assert texts == [
        "My note",
        "Heading one",
        "A paragraph with bold, a link and code, wrapped.",
        "item one",
        "nested",
        "a | b\nc | d",
        "x = 1. # kept. whole.",
        "a picture",
        "html text",
    ]


def test_as_sentences_headings_are_left_out_and_code_stays_whole() -> None:
    pieces = splitter("sentence").split(markdown_blocks(MARKDOWN))
    assert "Heading one" not in pieces
    assert "x = 1. # kept. whole." in pieces


TABLE = "| metal | melts at |\n|---|---|\n| tin | 232 |\n| lead | 327 |"
CODE = "```python\nx = 1\n\ny = 2\n```"


Read = Callable[[str], list[Block]]


@pytest.mark.parametrize("read", [markdown_blocks, plain_blocks])
def test_a_table_and_a_code_block_are_one_piece_each(read: Read) -> None:
    text = f"Metals melt.\n\n{TABLE}\n\nSo much for metals.\n\n{CODE}\n\nAnd the code."
    assert splitter("sentence").split(read(text)) == [
        "Metals melt.",
        "metal | melts at\ntin | 232\nlead | 327",
        "So much for metals.",
        "x = 1\n\ny = 2",
        "And the code.",
    ]


@pytest.mark.parametrize("read", [markdown_blocks, plain_blocks])
@pytest.mark.parametrize("unit", ["sentence", "chunk"])
def test_a_long_table_is_divided_between_rows_under_its_first(read: Read, unit: str) -> None:
    pieces = splitter(unit, 8).split(read(f"{TABLE}\n| iron | 1538 |"))
    head = "metal | melts at"
    assert pieces == [f"{head}\ntin | 232", f"{head}\nlead | 327", f"{head}\niron | 1538"]


def test_a_rule_in_a_plain_text_is_no_piece() -> None:
    text = "one thing\n-----\nanother thing\n* * *\n|---|---|\na last thing"
    assert splitter("sentence").split(plain_blocks(text)) == [
        "one thing",
        "another thing",
        "a last thing",
    ]


def test_a_stray_fence_does_not_swallow_the_rest_of_a_plain_text() -> None:
    pieces = splitter("sentence").split(plain_blocks("one thing\n```\nanother\nand more"))
    assert pieces == ["one thing", "another", "and more"]


def test_bars_without_a_rule_line_are_no_table() -> None:
    pieces = splitter("sentence").split(plain_blocks("either a | b\nor c | d"))
    assert pieces == ["either a | b", "or c | d"]


def test_as_chunks_headings_stay_with_their_text() -> None:
    pieces = splitter("chunk", 20).split(markdown_blocks("# Cats\n\nCats sleep all day."))
    assert pieces == ["Cats\n\nCats sleep all day."]


def test_a_heading_that_was_cut_off_is_put_back() -> None:
    pieces = splitter("chunk", 5).split(markdown_blocks("# Cats\n\nCats sleep all the day."))
    assert pieces == ["Cats\n\nCats sleep all the day."]


def test_a_heading_alone_is_kept() -> None:
    assert splitter("sentence").split([Block(text="Only this", kind="heading")]) == ["Only this"]


def test_wrapped_chinese_lines_are_joined_without_a_space() -> None:
    assert [block.text for block in markdown_blocks("人工智能\n改变世界")] == ["人工智能改变世界"]


def test_one_endless_word_is_cut() -> None:
    pieces = splitter("chunk").split([Block(text="x" * 20_000)])
    assert max(len(piece) for piece in pieces) <= 60 * 24
    assert sum(len(piece) for piece in pieces) == 20_000


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße  am\nMeer", "STRASSE AM MEER"), ("ﬁsh", "fish"), ("Ｃａｆé", "cafe\u0301")],
)
def test_texts_that_differ_only_in_form_are_one(one: str, other: str) -> None:
    assert text_sha256(one) == text_sha256(other)


def test_normalising_twice_changes_nothing() -> None:
    for text in ("İstanbul ΐ ŉ", "ﬀ ½", "名前　は"):
        assert normalise(normalise(text)) == normalise(text)
