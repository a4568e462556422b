"""Markdown from outside as HTML that may stand in a page: no script, no picture from elsewhere, no markup of its own.

Two nets: the parser turns HTML in the text into text, and nh3 lets only the tags below through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

TAGS = frozenset(
    "p br hr h3 h4 h5 h6 strong em s code pre blockquote ul ol li a table thead tbody tr th td".split()  # noqa: SIM905
)
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"class"}, "th": {"class"}}
# Of another site, a letter, or a page of this portal. A browser reads "/\\" as "//", which is another host.
SAFE_LINK = re.compile(r"(?:https?://|mailto:|/(?![/\\])|#)", re.IGNORECASE)
# The page has its own h1 and h2.
HEADINGS_START_AT = 3
# Short rows of a table are filled up to its width: a small text could ask for millions of cells.
MOST_CELLS = 10_000

SIDES = {"text-align:right": "num", "text-align:center": "centre"}

# Lines that tell nothing in a list: headings, tables, fences, rules.
_BESIDE = re.compile(r"#{1,6}\s|\||```|~~~|[-*_]{3,}\s*\Z|=+\s*\Z")
_LINKS = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_MARKS = re.compile(r"\*\*|`|~~|\A[>*+-]\s+|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")


def render(text: str, table_label: str) -> SafeString:
    """`table_label` names each table and the region in which it scrolls. Any text has an answer."""
    return mark_safe(_rendered(text, table_label))  # noqa: S308 - sanitized


@lru_cache(maxsize=256)
def _rendered(text: str, table_label: str) -> str:
    parser = _parser if _cells(text) <= MOST_CELLS else _parser_without_tables
    clean = nh3.clean(
        parser.render(text),
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer ugc",
    )
    label = escapeHtml(table_label)
    region = f'<div class="card-table" role="region" tabindex="0" aria-label="{label}"><table>'
    caption = f'<caption class="sr">{label}</caption>'
    # Only the sanitizer writes "<table>": in a text the bracket is escaped.
    return clean.replace("<table>", region + caption).replace("</table>", "</table></div>")


def in_short(text: str, most: int) -> str:
    """The first line of running text without its marks, as plain text of at most `most` characters."""
    head = text[: 20 * most].splitlines()
    lines = [line.strip() for line in head if line.strip() and not _BESIDE.match(line.strip())]
    line = lines[0] if lines else text.strip().partition("\n")[0].lstrip("#> ")
    plain = _MARKS.sub("", _LINKS.sub(r"\1", line)).strip()
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if SAFE_LINK.match(value) else None
    if name == "class":
        return value if value in SIDES.values() else None
    return value


def _cells(text: str) -> int:
    """At least as many cells as its tables can have: each block of lines as wide as its widest."""
    total = 0
    for blank, lines in groupby(text.splitlines(), key=lambda line: not line.strip()):
        if not blank:
            pipes = [line.count("|") + 1 for line in lines]
            total += max(pipes) * len(pipes) if max(pipes) > 1 else 0
    return total


def _image(self: RendererHTML, tokens: Sequence[Token], number: int, options: Any, environment: Any) -> str:
    """A picture would tell its host who reads the page: a link with its words stands for it."""
    token = tokens[number]
    words = self.renderInlineAsText(token.children or [], options, environment).strip()
    address = str(token.attrs.get("src", ""))
    if not SAFE_LINK.match(address):
        return escapeHtml(words)
    return f'<a href="{escapeHtml(address)}">{escapeHtml(words or address)}</a>'


def _lower_heading(self: RendererHTML, tokens: Sequence[Token], number: int, options: Any, environment: Any) -> str:
    token = tokens[number]
    level = min(6, int(token.tag[1:]) + HEADINGS_START_AT - 1)
    return f"</h{level}>\n" if token.nesting < 0 else f"<h{level}>"


def _cell(self: RendererHTML, tokens: Sequence[Token], number: int, options: Any, environment: Any) -> str:
    """The side of a column as a class: the page allows no style."""
    token = tokens[number]
    side = SIDES.get(str(token.attrs.get("style", "")))
    return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"


def _made(*, tables: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    if tables:
        parser.enable("table")
        parser.add_render_rule("th_open", _cell)
        parser.add_render_rule("td_open", _cell)
    parser.disable(["html_block", "html_inline"])
    parser.add_render_rule("image", _image)
    parser.add_render_rule("heading_open", _lower_heading)
    parser.add_render_rule("heading_close", _lower_heading)
    return parser


_parser = _made(tables=True)
_parser_without_tables = _made(tables=False)
