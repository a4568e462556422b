"""Markdown from outside, sanitized."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from registry.pages.markdown import in_short as _in_short
from registry.pages.markdown import render

register = template.Library()

LONG_CHARACTERS, LONG_LINES = 900, 14


@register.filter
def markdown(text: str) -> SafeString:
    return render(text, _("Table"))


@register.filter
def is_long(text: str) -> bool:
    """Whether a card is so long that a page shows its beginning first."""
    return len(text) > LONG_CHARACTERS or text.count("\n") > LONG_LINES


@register.filter
def in_short(text: str, most: int) -> str:
    """One line of plain text for a list."""
    return _in_short(text, most)
