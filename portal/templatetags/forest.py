"""Intervals beside each other as inline SVG, around the line of no difference. No script, no style attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.templatetags.charts import look_of

register = template.Library()

ROW_HIGH = 48
WORDS_HIGH = 22
AXIS_HIGH = 24
MARGIN = 0.06
LEAST_GAP = 12.0  # percent of the width that keep two numbers of the axis apart


class Row(Protocol):
    """One arm beside the control: its look's key, what is said of it, and its interval or None."""

    @property
    def key(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def interval(self) -> tuple[float, float, float] | None: ...


@register.simple_tag
def forest(rows: Sequence[Row], band: float, marks: Sequence[tuple[float, str]], title: str, pale: bool = False) -> Any:
    """`interval` is (estimate, low, high); `band` the difference either way that matters; `marks` the axis' numbers.

    `pale` greys out what is not to be trusted.
    """
    low, high = domain(rows, band)
    place = _Scale(low, high)
    height = ROW_HIGH * len(rows) + AXIS_HIGH
    parts = [_row(row, place, band, index * ROW_HIGH) for index, row in enumerate(rows)]
    return format_html(
        '<svg width="100%" height="{}" role="img" aria-label="{}"{}>{}{}</svg>',
        height,
        ". ".join([title, *(row.label for row in rows)]),
        mark_safe(' opacity="0.4"') if pale else "",
        format_html_join("", "{}", ((part,) for part in parts)),
        _axis(place, marks, height),
    )


def domain(rows: Sequence[Row], band: float) -> tuple[float, float]:
    """From the lowest to the highest of what is drawn, with a margin; no difference lies always within."""
    ends = [-band, band] + [end for row in rows if row.interval for end in row.interval[1:]]
    low, high = min(ends), max(ends)
    room = (high - low) * MARGIN
    return low - room, high + room


class _Scale:
    def __init__(self, low: float, high: float) -> None:
        self._low, self._span = low, high - low

    def __call__(self, value: float) -> str:
        return f"{self.percent(value):.2f}%"

    def percent(self, value: float) -> float:
        return 100 * (value - self._low) / self._span


def _ground(place: _Scale, band: float, top: int) -> SafeString:
    """Below the words of a row: the differences that do not matter, and in their middle none at all."""
    width = place.percent(band) - place.percent(-band)
    return format_html(
        '<rect x="{0}" y="{1}" width="{2}%" height="{3}" fill="currentColor" opacity="0.07"/>'
        '<line x1="{4}" x2="{4}" y1="{1}" y2="{5}" stroke="currentColor" stroke-dasharray="3 3" opacity="0.6"/>',
        place(-band),
        top + WORDS_HIGH,
        f"{width:.2f}",
        ROW_HIGH - WORDS_HIGH,
        place(0),
        top + ROW_HIGH,
    )


def _row(row: Row, place: _Scale, band: float, top: int) -> SafeString:
    text = format_html('<text x="0" y="{}" fill="currentColor" font-size="13">{}</text>', top + 16, row.label)
    drawn = _ground(place, band, top) + text
    if row.interval is None:
        return drawn
    estimate, low, high = row.interval
    y = top + 35
    return drawn + format_html(
        '<g class="interval"><line x1="{0}" x2="{1}" y1="{2}" y2="{2}" stroke="currentColor" stroke-width="2"/>'
        '<line x1="{0}" x2="{0}" y1="{3}" y2="{4}" stroke="currentColor" stroke-width="2"/>'
        '<line x1="{1}" x2="{1}" y1="{3}" y2="{4}" stroke="currentColor" stroke-width="2"/>'
        '<circle class="arm-fill-{5}" cx="{6}" cy="{2}" r="6"><title>{7}</title></circle></g>',
        place(low),
        place(high),
        y,
        y - 5,
        y + 5,
        look_of(row.key),
        place(estimate),
        row.label,
    )


def _axis(place: _Scale, marks: Sequence[tuple[float, str]], height: int) -> SafeString:
    """The numbers below, as far as there is room: no difference before the others."""
    shown: list[tuple[float, str]] = []
    for value, text in sorted(marks, key=lambda mark: abs(mark[0])):
        if all(abs(place.percent(value) - place.percent(other)) >= LEAST_GAP for other, _text in shown):
            shown.append((value, text))
    return format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle" fill="currentColor" font-size="11" opacity="0.75">{}</text>',
        ((place(value), height - 6, text) for value, text in sorted(shown)),
    )


@register.filter
def got_of(part: int, whole: int) -> str:
    """How much of what was planned is there, in percent; never more than all."""
    share = min(100, int(100 * part / whole)) if whole else 0
    return _("%(n)s %%") % {"n": share}
