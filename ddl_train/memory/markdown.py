"""Markdown as plain blocks: the words stay, the marks go.

Parsed by markdown-it. Headings, paragraphs, list items, quotes, whole tables and code become blocks;
links and emphasis keep their words, pictures their description, code its text. Of front matter
the values of `title`, `description`, `summary` and `abstract` are kept; comments and tags of HTML
go, the text between them stays.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ddl_train.memory.split import Block, BlockKind, join_lines, table_text

_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TELLING = re.compile(r"^(?:title|description|summary|abstract):[ \t]*(.+)$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def markdown_blocks(text: str) -> list[Block]:
    """Blocks of a Markdown document, in order."""
    blocks, text = _front_matter(text)
    kind: BlockKind = "text"
    rows: list[list[str]] | None = None
    for token in _PARSER.parse(text):
        match token.type:
            case "heading_open":
                kind = "heading"
            case "heading_close":
                kind = "text"
            case "table_open":
                rows = []
            case "tr_open" if rows is not None:
                rows.append([])
            case "table_close" if rows is not None:
                blocks.append(Block(text=table_text(rows), kind="table"))
                rows = None
            case "inline" if rows is not None:
                rows[-1].append(_words(token.children or []))
            case "inline":
                blocks.append(Block(text=_words(token.children or []), kind=kind))
            case "fence" | "code_block":
                blocks.append(Block(text=token.content.strip("\n"), kind="code"))
            case "html_block":
                blocks += [Block(text=part) for part in _without_tags(token.content).split("\n\n")]
    blocks = [Block(text=block.text.strip(), kind=block.kind) for block in blocks]
    return [block for block in blocks if block.text]


def _words(children: Sequence[Token]) -> str:
    lines = [""]
    for child in children:
        match child.type:
            case "softbreak":
                lines.append("")
            case "hardbreak":
                lines[-1] += "\n"
            case "image":
                lines[-1] += child.content
            case "html_inline":
                lines[-1] += _without_tags(child.content)
            case _:
                lines[-1] += child.content
    joined = lines[0]
    for line in lines[1:]:
        joined = join_lines(joined, line)
    return joined


def _without_tags(text: str) -> str:
    return _TAG.sub("", _COMMENT.sub("", text))


def _front_matter(text: str) -> tuple[list[Block], str]:
    found = _FRONT_MATTER.match(text)
    if not found:
        return [], text
    values = [value.strip().strip("\"'") for value in _TELLING.findall(found.group(1))]
    return [Block(text=value, kind="heading") for value in values], text[found.end() :]
