"""What was live when, what happened, and how versions hang together: as inline SVG without script or style."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from inference.selectors.history import Served, Share, Stretch, served, span
from inference.selectors.version_latency import Speed, speeds_of
from portal.lib.words import number, percent
from portal.templatetags.charts import look_of
from registry.models import ModelVersion, RegisteredModel
from registry.pages.lineage_graph import Row
from registry.services.lineage import is_address

register = template.Library()

LANE_HIGH = 22
MOST_LANES = 12
N_TIMES = 4
# A stretch of seconds among months is still to be seen, in percent of the width.
NARROWEST = 0.4
GRAPH_STEP, GRAPH_EDGE, MOST_GRAPH_LANES = 14, 10, 12
# In the first line of a row's text, in pixels from its top.
GRAPH_DOT = 21
MOST_WORDS = 200


class Lane(NamedTuple):
    """One version at one endpoint: its bars, and in words whether and how much it answers now."""

    version: int
    bars: SafeString
    now_bp: int


class Timeline(NamedTuple):
    """`n_hidden` versions were live longest ago and are only in the table."""

    served: Served
    lanes: list[Lane]
    n_hidden: int


@register.simple_tag(takes_context=True)
def timelines(context: dict[str, Any], model: RegisteredModel) -> list[Timeline]:
    """One for each endpoint of the model, all on the same axis of time."""
    found = served(context["request"].principal, model)
    begin, end = span(found)
    return [timeline_of(each, begin, end) for each in found]


@register.simple_tag
def time_ticks(lines: Sequence[Timeline]) -> list[str]:
    return ticks(*span(line.served for line in lines))


def timeline_of(each: Served, begin: datetime, end: datetime) -> Timeline:
    versions: dict[int, list[tuple[Stretch, Share]]] = {}
    for stretch in each.stretches:
        for share in stretch.shares:
            versions.setdefault(share.version, []).append((stretch, share))
    # Insertion order is by when a version was live last.
    kept = sorted(list(versions)[:MOST_LANES], reverse=True)
    lanes = [_lane(version, versions[version], begin, end) for version in kept]
    return Timeline(each, lanes, len(versions) - len(kept))


def _lane(version: int, parts: Sequence[tuple[Stretch, Share]], begin: datetime, end: datetime) -> Lane:
    now_bp = sum(share.weight_bp for stretch, share in parts if stretch.until is None)
    label = _("v%(version)s: live %(n)s times, now %(share)s") % {
        "version": version,
        "n": len(parts),
        "share": percent(now_bp),
    }
    bars = format_html(
        '<svg class="lane" height="{}" role="img" aria-label="{}">{}</svg>',
        LANE_HIGH,
        label,
        format_html_join("", "{}", ((_bar(stretch, share, begin, end),) for stretch, share in reversed(parts))),
    )
    return Lane(version, bars, now_bp)


def _bar(stretch: Stretch, share: Share, begin: datetime, end: datetime) -> SafeString:
    """From when to when it was live, as high as its share."""
    whole = max((end - begin).total_seconds(), 1.0)
    width = max(NARROWEST, 100 * ((stretch.until or end) - stretch.since).total_seconds() / whole)
    x = min(100 * (stretch.since - begin).total_seconds() / whole, 100 - NARROWEST)
    high = max(3.0, LANE_HIGH * share.weight_bp / 10_000)
    sizes = f"{x:.3f}", f"{width:.3f}", f"{LANE_HIGH - high:.1f}", f"{high:.1f}"
    place = format_html('x="{}%" width="{}%" y="{}" height="{}"', *sizes)
    look, said = look_of(share.key), _said(stretch, share)
    fill = format_html('<rect class="arm-fill-{}" {}><title>{}</title></rect>', look, place, said)
    if share.key != "canary":
        return fill
    return fill + format_html('<rect class="lane-hatch" fill="url(#hatch)" {}/>', place)


def _said(stretch: Stretch, share: Share) -> str:
    until = moment(stretch.until) if stretch.until else _("now")
    return f"v{share.version} · {share.key} · {percent(share.weight_bp)} · {moment(stretch.since)} – {until}"


def moment(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


def ticks(begin: datetime, end: datetime) -> list[str]:
    """Times along the axis, as fine as its length asks for; the last is now."""
    length = end - begin
    shape = "H:i" if length.days < 1 else "j M H:i" if length.days < 4 else "j M" if length.days < 300 else "M Y"
    spots = (begin + length * number / N_TIMES for number in range(N_TIMES))
    return [*(date_format(timezone.localtime(spot), shape) for spot in spots), _("now")]


@register.filter
def lasted(stretch: Stretch) -> float:
    """Seconds."""
    return ((stretch.until or timezone.now()) - stretch.since).total_seconds()


# --- lineage --------------------------------------------------------------------------------------------------------


@register.simple_tag
def lineage_lines(row: Row, n_lanes: int) -> SafeString:
    """The row's piece of the graph: lanes that run by, lines that end in its dot, the line on to its parent."""
    x = _lane_x(row.lane)
    lines: list[tuple[Any, ...]] = [(_lane_x(lane), 0, _lane_x(lane), "100%") for lane in row.passing]
    lines += [(_lane_x(lane), 0, x, GRAPH_DOT) for lane in row.ending]
    if row.has_parent:
        lines.append((x, GRAPH_DOT, x, "100%"))
    return format_html(
        '<svg class="graph" width="{}" aria-hidden="true">{}<circle class="{}" cx="{}" cy="{}" r="5"/></svg>',
        2 * GRAPH_EDGE + GRAPH_STEP * (min(n_lanes, MOST_GRAPH_LANES) - 1),
        format_html_join("", '<line x1="{}" y1="{}" x2="{}" y2="{}"/>', lines),
        "tip" if not row.ending else "knot",
        x,
        GRAPH_DOT,
    )


def _lane_x(lane: int) -> int:
    return GRAPH_EDGE + GRAPH_STEP * min(lane, MOST_GRAPH_LANES - 1)


# --- metrics --------------------------------------------------------------------------------------------------------


@register.simple_tag
def metric_trend(
    history: Sequence[tuple[int, float]], before: int, after: int, label: str, numbers: Sequence[int] = ()
) -> SafeString:
    """A metric over the versions as a line, the two compared marked: a ring for the one before, a dot for the after.

    `numbers` are the versions of all charts, so that a version stands at the same place in each.
    """
    spots = _spots(history, numbers or [number for number, _value in history])
    looks = {before: ("trend-a", "4.5"), after: ("trend-b", "4.5")}
    dots = ((*looks.get(number, ("trend-dot", "1.8")), x, y) for number, x, y in spots)
    return format_html(
        '<svg class="trend" height="36" role="img" aria-label="{}">'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none"><polyline points="{}"/></svg>{}</svg>',
        label,
        " ".join(f"{x},{y}" for _number, x, y in spots),
        format_html_join("", '<circle class="{}" r="{}" cx="{}%" cy="{}%"/>', dots),
    )


def _spots(history: Sequence[tuple[int, float]], numbers: Sequence[int]) -> list[tuple[int, str, str]]:
    """(number, x, y) in percent of the picture, from the smallest value at the bottom to the largest at the top."""
    values = [value for _number, value in history]
    low, room = min(values), (max(values) - min(values)) or 0.0
    step = 92 / max(1, len(numbers) - 1)
    at = {number: place for place, number in enumerate(numbers)}
    heights = [86 - 72 * (value - low) / room if room else 50.0 for value in values]
    places = zip(history, heights, strict=True)
    return [(number, f"{4 + step * at[number]:.1f}", f"{y:.1f}") for (number, _value), y in places]


@register.simple_tag
def version_speeds(*versions: ModelVersion) -> list[Speed]:
    """What each answered lately, in the order given."""
    found = speeds_of(version.pk for version in versions)
    return [found.get(version.pk, Speed(0, None, None)) for version in versions]


@register.filter
def figure(value: float) -> str:
    """A metric of any size: 0.9614, 12 345, 1e+200, 2.1e-05."""
    if value and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.3g}"
    return number(round(value)) if abs(value) >= 1000 else f"{value:.4f}".rstrip("0").rstrip(".")


@register.filter
def signed(value: float) -> str:
    """+0.013, −2, +146 000: as `figure` writes it, four significant digits at most below a thousand."""
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
    return sign + figure(float(f"{abs(value):.4g}") if abs(value) < 1000 else abs(value))


@register.filter
def of_key(mapping: dict[Any, Any], key: Any) -> Any:
    return mapping.get(key)


@register.filter
def at_index(items: Sequence[Any], position: int) -> Any:
    return items[position]


# --- addresses ------------------------------------------------------------------------------------------------------


@register.simple_tag
def outside(text: str, label: str) -> SafeString:
    """A text from outside; a link where it is one whole http(s) address."""
    words = label if len(label) <= MOST_WORDS else label[:MOST_WORDS] + "…"
    if not is_address(text):
        return format_html("<bdi>{}</bdi>", words)
    return format_html('<a href="{}" rel="nofollow noopener noreferrer ugc"><bdi>{}</bdi></a>', text, words)


@register.filter
def run_title(run: dict[str, str]) -> str:
    """What a training run is called: its name, else its id, else its address."""
    return next((run[key] for key in ("name", "id", "url", "experiment") if run.get(key)), "")


@register.simple_tag
def tag_query(name: str, value: str) -> str:
    """The search for a tag, ready to stand in an address."""
    return quote(f'tag:"{name}"="{value}"' if value else f'tag:"{name}"')
