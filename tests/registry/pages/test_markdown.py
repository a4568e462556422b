from __future__ import annotations

import re

import pytest

from registry.pages.markdown import in_short, render

REL = 'rel="nofollow noopener noreferrer ugc"'


def html(text: str) -> str:
    return str(render(text, "Table")).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Head", "<h3>Head</h3>"),
        ("###### Low", "<h6>Low</h6>"),
        ("a **b** ~~c~~", "<p>a <strong>b</strong> <s>c</s></p>"),
        ("[x](https://a.b/?q=1&r=2)", f'<p><a href="https://a.b/?q=1&amp;r=2" {REL}>x</a></p>'),
        ("[x](/models/iris)", f'<p><a href="/models/iris" {REL}>x</a></p>'),
        ("[x](//evil.example)", f"<p><a {REL}>x</a></p>"),
        ("[x](data:text/html,y)", "<p>[x](data:text/html,y)</p>"),
        ("[x](vbscript:y)", "<p>[x](vbscript:y)</p>"),
        ("[x](models/iris)", f"<p><a {REL}>x</a></p>"),
    ],
)
def test_render__plain_markdown__becomes_these_tags_alone(text: str, expected: str) -> None:
    assert html(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x]: javascript:alert(1)\n\n[x]",
        "<javascript:alert(1)>",
        "![x](javascript:alert(1))",
        '[x](https://a.b "onmouseover=alert(1)")',
        "`<script>`",
        "```\n<script>alert(1)</script>\n```",
        "<!-- --><style>*{display:none}</style>",
        "<a href='x' style='position:fixed'>y</a>",
        "| <script> |\n|---|\n| <b onclick=x> |",
    ],
)
def test_render__hostile_markdown__leaves_no_active_content(text: str) -> None:
    tags = re.findall(r"<(/?)([a-z0-9]+)([^>]*)>", html(text))
    allowed = {"p", "a", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "div", "caption"}
    assert {name for _close, name, _rest in tags} <= allowed
    for _close, _name, rest in tags:
        assert not re.search(r'\s(on\w+|style|src)=|href="(?!https?:|mailto:|/|#)', rest)


def test_render__a_picture__becomes_a_link_so_that_no_other_host_is_asked() -> None:
    assert (
        html("![the logo](https://evil.example/p.png)")
        == f'<p><a href="https://evil.example/p.png" {REL}>the logo</a></p>'
    )
    assert html("![](https://evil.example/p.png)").count("https://evil.example/p.png") == 2
    assert html("![dot](data:image/png;base64,AA)") == "<p>dot</p>"


def test_render__a_table__scrolls_in_a_named_region() -> None:
    shown = html("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert shown.startswith('<div class="card-table" role="region" tabindex="0" aria-label="Table"><table><caption')
    assert shown.endswith("</table></div>")
    assert shown.count("<td>") == 1
    assert shown.count('<td class="num">2</td>') == 1


def test_render__the_word_table_as_text__opens_no_region() -> None:
    assert html("say <table> & </table>") == "<p>say &lt;table&gt; &amp; &lt;/table&gt;</p>"


def test_render__a_table_of_a_million_cells__stays_text() -> None:
    text = "|" + "a|" * 1000 + "\n|" + "-|" * 1000 + "\n" + "a\n" * 7000
    shown = html(text)
    assert "<table>" not in shown
    assert len(shown) < 2 * len(text)


@pytest.mark.parametrize("piece", ["[", "*a **b", "> ", "- ", "![", "`", "<http://a", "&#x41;", "\u202e", "\x0b"])
def test_render__twenty_thousand_signs_of_anything__has_an_answer(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    assert len(html(text)) < 30 * len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Head\n\n| a |\n|---|\n\nScores **one** [claim](https://x.y).", "Scores one claim."),
        ("plain", "plain"),
        ("# Only a head", "Only a head"),
        ("- a_name *stays*", "a_name stays"),
        ("", ""),
        ("w" * 50, "w" * 19 + "…"),
        ("<script>alert", "<script>alert"),
    ],
)
def test_in_short__a_card__is_its_first_line_of_text(text: str, expected: str) -> None:
    assert in_short(text, 20) == expected
