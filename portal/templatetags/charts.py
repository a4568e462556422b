"""Pictures of numbers as inline SVG, without script and without style attributes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.words import percent

register = template.Library()

KNOWN_ARMS = ("stable", "canary", "shadow", "a", "b", "c", "d")
FULL_LABEL_BP = 3_000
SHORT_LABEL_BP = 700
WIDE = 10_000


class Arm(Protocol):
    """One share of a split."""

    @property
    def key(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def weight_bp(self) -> int: ...


def look_of(key: str) -> str:
    """The class suffix of an arm's look; keys that are not known share one."""
    # The control of an experiment is what was stable before it.
    return "stable" if key == "control" else key if key in KNOWN_ARMS else "other"


@register.simple_tag
def swatch(key: str) -> SafeString:
    return format_html('<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">{}</svg>', _fill(key))


def _fill(key: str) -> SafeString:
    rect = format_html('<rect class="arm-fill-{}" width="100%" height="100%"/>', look_of(key))
    if key == "canary":
        rect += mark_safe('<rect fill="url(#hatch)" width="100%" height="100%"/>')
    return rect


@register.simple_tag
def traffic_bar(arms: Sequence[Arm], height: int = 32) -> SafeString:
    """The split as one bar. Its whole meaning stands in the label too, so the legend below is no must."""
    shown = [arm for arm in arms if arm.weight_bp]
    if not shown:
        return _empty_bar(height)
    parts, start = [], 0
    for position, arm in enumerate(shown):
        parts.append(_segment(arm, start, height, first=position == 0))
        start += arm.weight_bp
    return format_html(
        '<div class="traffic-box"><svg class="traffic{}" height="{}" role="img" aria-label="{}">{}</svg></div>',
        "" if height >= 24 else " traffic-mini",
        height,
        in_words(shown),
        format_html_join("", "{}", ((part,) for part in parts)),
    )


def in_words(arms: Iterable[Arm]) -> str:
    """stable version 1: 90 %, canary version 2: 10 %."""
    words = [
        _("%(key)s version %(version)s: %(share)s")
        % {"key": arm.key, "version": arm.version, "share": percent(arm.weight_bp)}
        for arm in arms
        if arm.weight_bp
    ]
    return ", ".join(words) or _("No traffic yet")


def _empty_bar(height: int) -> SafeString:
    size = "" if height >= 24 else " traffic-mini"
    return format_html(
        '<svg class="traffic traffic-empty{}" height="{}" role="img" aria-label="{}"></svg>',
        size,
        height,
        _("No traffic yet"),
    )


def _segment(arm: Arm, start: int, height: int, *, first: bool) -> str:
    gap = "" if first else format_html('<rect class="traffic-gap" width="2" height="{}"/>', height)
    return format_html(
        '<svg x="{}%" width="{}%" height="{}">{}{}{}</svg>',
        f"{start / 100:g}",
        f"{arm.weight_bp / 100:g}",
        height,
        _fill(arm.key),
        gap,
        _labels(arm, height) if height >= 24 else "",
    )


def _labels(arm: Arm, height: int) -> SafeString:
    css, middle = f"arm-text-{look_of(arm.key)}", height / 2
    share = percent(arm.weight_bp)
    if arm.weight_bp >= FULL_LABEL_BP:
        return format_html(
            '<text class="{0}" x="12" y="{1}" dominant-baseline="central">{2} · v{3}</text>'
            '<text class="{0}" x="100%" dx="-12" y="{1}" text-anchor="end" dominant-baseline="central">{4}</text>',
            css,
            middle,
            arm.key,
            arm.version,
            share,
        )
    if arm.weight_bp < SHORT_LABEL_BP:
        return mark_safe("")
    room = "room-more" if arm.weight_bp < 2 * SHORT_LABEL_BP else "room-some"
    return format_html(
        '<text class="{} {}" x="10" y="{}" dominant-baseline="central">v{} · {}</text>',
        css,
        room,
        middle,
        arm.version,
        share,
    )


# --- chunks ---------------------------------------------------------------------------------------------------------

CHUNK_WORDS = {
    "done": gettext_lazy("done"),
    "partial": gettext_lazy("done with failed rows"),
    "failed": gettext_lazy("all rows failed"),
    "running": gettext_lazy("running"),
    "waiting": gettext_lazy("waiting"),
    "cancelled": gettext_lazy("not scored"),
}
GAPS_BELOW = 100


@register.simple_tag
def heat_strip(cells: Sequence[str], height: int = 24) -> SafeString:
    """One cell a run of chunks, in row order; `cells` holds a key of `CHUNK_WORDS` each."""
    if not cells:
        return mark_safe("")
    step = WIDE / len(cells)
    width = step - (40 if len(cells) < GAPS_BELOW else 0)
    rects = format_html_join(
        "", "{}", ((_cell(state, position * step, width, height),) for position, state in enumerate(cells))
    )
    return format_html(
        '<svg class="heat" viewBox="0 0 {} {}" height="{}" preserveAspectRatio="none" role="img" aria-label="{}">'
        "{}</svg>",
        WIDE,
        height,
        height,
        ", ".join(f"{count} {word}" for _state, word, count in heat_counts(cells)),
        rects,
    )


def _cell(state: str, x: float, width: float, height: int) -> SafeString:
    """A cell whose rows failed in part is a done one with a foot in the warning colour."""
    if state != "partial":
        return _rect(state, x, 0, width, height)
    foot = height // 4
    return _rect("done", x, 0, width, height - foot) + _rect("flaw", x, height - foot, width, foot)


def _rect(look: str, x: float, y: int, width: float, height: int) -> SafeString:
    place = f"{x:.1f}", y, f"{width:.1f}", height
    return format_html('<rect class="heat-{}" x="{}" y="{}" width="{}" height="{}"/>', look, *place)


@register.filter
def heat_counts(cells: Sequence[str]) -> list[tuple[str, Any, int]]:
    """(state, word, how many) of those that occur."""
    return [(state, word, cells.count(state)) for state, word in CHUNK_WORDS.items() if state in cells]


@register.simple_tag
def meter(value: Any, most: Any) -> SafeString:
    """A plain horizontal bar for one row of a small comparison."""
    share = 0.0 if not most else max(0.0, min(1.0, float(value) / float(most)))
    return format_html(
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="{}" height="10"/></svg>',
        f"{share * 100:.2f}",
    )


@register.filter
def largest(bars: Sequence[tuple[str, float, bool]]) -> float:
    return max(value for _name, value, _top in bars)
