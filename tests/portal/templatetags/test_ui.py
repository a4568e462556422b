from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template

from portal.templatetags.ui import BADGES, badge, relative, shape

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=50), "1 min ago"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=9), "9 days ago"),
        (timedelta(days=40), "20 Jan 2026"),
        (timedelta(days=-90), "in 90 days"),
    ],
)
def test_relative__any_gap__reads_as_people_say_it(gap: timedelta, text: str) -> None:
    assert relative(NOW - gap, NOW) == text


def test_shape__free_dimension__is_called_any() -> None:
    assert shape([-1, 4]) == "[any, 4]"


@pytest.mark.parametrize("status", sorted(BADGES))
def test_badge__every_state__has_an_icon_and_a_word(status: str) -> None:
    markup = badge(status)
    assert "<svg" in markup
    assert f">{BADGES[status][2]}</span>" in markup.replace("</svg>", ">")


def test_snippet__content_with_markup__is_escaped_once() -> None:
    template = Template('{% load ui %}{% snippet name="s" %}curl {{ body }}{% endsnippet %}')
    markup = template.render(Context({"body": "<b>'x'</b>"}))
    assert '<code id="s">curl &lt;b&gt;&#x27;x&#x27;&lt;/b&gt;</code>' in markup
