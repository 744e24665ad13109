"""Plain text as blocks: paragraphs, list items, and the tables and code that notes hold too.

Where a fenced code block or a table with its rule line `|---|---|` stands is found by markdown-it;
each is one block, as in a Markdown file. All other marks are left as they are. A line without a
letter or a digit (a rule, a row of stars) states nothing and is left out.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt

from ddl_train.memory.split import LIST_ITEM, Block, join_lines, table_text, without_bullet

_PARSER = MarkdownIt("zero").enable(["fence", "table"])
_RULE = re.compile(r"[\s|:-]+")
_WIDEST_WRAP = 120
_NARROWEST_WRAP = 40


def plain_blocks(text: str) -> list[Block]:
    """Blocks of a plain text, in order.

    A text whose lines are all filled up to one width (no line could have taken the first word of
    the next) was wrapped, and its lines are joined; in any other text a line stands for itself.
    """
    parts = list(_parts(text))
    paragraphs = [
        [p.splitlines() for p in re.split(r"\n\s*\n", part) if p.strip()]
        if isinstance(part, str)
        else []
        for part in parts
    ]
    every = [lines for some in paragraphs for lines in some]
    width = max((len(line) for lines in every for line in lines), default=0)
    is_wrapped = _NARROWEST_WRAP <= width <= _WIDEST_WRAP and all(
        _is_filled(line, following, width) for lines in every for line, following in pairwise(lines)
    )
    blocks: list[Block] = []
    for part, some in zip(parts, paragraphs, strict=True):
        if isinstance(part, Block):
            blocks.append(part)
        for lines in some:
            items = _items(lines, is_wrapped=is_wrapped)
            blocks += [Block(text=without_bullet(item).strip()) for item in items]
    return [block for block in blocks if any(map(str.isalnum, block.text))]


def _parts(text: str) -> Iterator[str | Block]:
    """The text between tables and code, and these, in order."""
    lines = text.split("\n")
    done = 0
    for token in _PARSER.parse(text):
        if token.map is None or token.type not in ("fence", "table_open"):
            continue
        start, end = token.map
        if token.type == "fence":
            if not lines[end - 1].strip().startswith(token.markup) or end - start < 2:
                continue  # nothing closes it: a stray mark
            block = Block(text=token.content.strip("\n"), kind="code")
        else:
            rows = [line.strip().strip("|").split("|") for line in lines[start:end]]
            rows = [row for row, line in zip(rows, lines[start:end], strict=True) if _says(line)]
            block = Block(text=table_text(rows), kind="table")
        yield "\n".join(lines[done:start])
        yield block
        done = end
    yield "\n".join(lines[done:])


def _says(line: str) -> bool:
    return not _RULE.fullmatch(line)


def _items(lines: list[str], *, is_wrapped: bool) -> list[str]:
    items: list[str] = []
    for line in lines:
        if items and is_wrapped and not LIST_ITEM.match(line):
            items[-1] = join_lines(items[-1], line)
        else:
            items.append(line)
    return items


def _is_filled(line: str, following: str, width: int) -> bool:
    if LIST_ITEM.match(following):
        return True
    words = following.split(maxsplit=1)
    return not words or len(line.rstrip()) + 1 + len(words[0]) > width
