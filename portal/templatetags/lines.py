"""Lines over time as inline SVG: sparklines, and a chart of several series with its table. No script, no style."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor, log10
from typing import Any, Protocol

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.lib.words import seconds as in_seconds

register = template.Library()

WIDE, HIGH = 1_000.0, 100.0
SPARK_HIGH = 24
N_TICKS = 4
N_TIMES = 6


class Point(Protocol):
    """One step of a chart: when it ended, how many answers it holds, and a value per series or None."""

    @property
    def at(self) -> datetime: ...
    @property
    def n(self) -> int: ...
    @property
    def values(self) -> tuple[float | None, ...]: ...


@register.simple_tag
def sparkline(values: Sequence[float], label: str) -> SafeString:
    """A small line with its area, from nought to its own largest value; `label` says in words what it shows."""
    if not values:
        return mark_safe("")
    most = max(values) or 1.0
    step = WIDE / max(1, len(values) - 1)
    places = [
        (position * step, SPARK_HIGH - 1 - (SPARK_HIGH - 2) * value / most) for position, value in enumerate(values)
    ]
    line = " ".join(f"{x:.0f},{y:.1f}" for x, y in places)
    return format_html(
        '<svg class="spark" viewBox="0 0 1000 {0}" preserveAspectRatio="none" role="img" aria-label="{1}">'
        '<polygon points="0,{0} {2} 1000,{0}"/><polyline points="{2}"/></svg>',
        SPARK_HIGH,
        label,
        line,
    )


# --- chart ----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/_line_chart.html")
def line_chart(points: Sequence[Point], names: Sequence[str], title: str) -> dict[str, Any]:
    """Durations in seconds over time. A step without a value breaks the line; hovering over a step says its values."""
    most = top_of(max((value for point in points for value in point.values if value is not None), default=0.0))
    last = [next((p.values[i] for p in reversed(points) if p.values[i] is not None), None) for i in range(len(names))]
    return {
        "title": title,
        "series": [(name, f"line-{number}", last[number]) for number, name in enumerate(names)],
        "lines": [(f"line-{number}", paths_of(points, number, most)) for number in range(len(names))],
        "steps": _steps(points, names),
        "ticks": [in_seconds(most * tick / N_TICKS) if tick else "0" for tick in range(N_TICKS, -1, -1)],
        "grid": [HIGH * tick / N_TICKS for tick in range(1, N_TICKS)],
        "times": _times(points),
        "rows": [(point, list(zip(names, point.values, strict=True))) for point in reversed(points) if point.n],
        "names": names,
    }


def top_of(most: float) -> float:
    """The smallest of 1, 2, 4 or 8 times a power of ten that holds it, so that a quarter of it is a round number."""
    if most <= 0:
        return 0.001
    unit = 10.0 ** floor(log10(most))
    return next(factor * unit for factor in (1, 2, 4, 8, 10) if factor * unit >= most * (1 - 1e-9))


def paths_of(points: Sequence[Point], number: int, most: float) -> list[str]:
    """The runs of neighbours that have a value, as points of a polyline; one alone becomes a short dash."""
    width = WIDE / max(1, len(points))
    runs: list[list[tuple[float, float]]] = [[]]
    for position, point in enumerate(points):
        value = point.values[number]
        if value is None:
            runs.append([])
        else:
            runs[-1].append(((position + 0.5) * width, HIGH * (1 - value / most)))
    longer = [
        run if len(run) > 1 else [(run[0][0] - width / 3, run[0][1]), (run[0][0] + width / 3, run[0][1])]
        for run in runs
        if run
    ]
    return [" ".join(f"{x:.1f},{y:.2f}" for x, y in run) for run in longer]


def _steps(points: Sequence[Point], names: Sequence[str]) -> SafeString:
    """An invisible column per step, which shows itself and its values under the pointer."""
    width = WIDE / max(1, len(points))
    return format_html_join(
        "",
        '<rect class="step" x="{}" width="{}" height="100"><title>{}</title></rect>',
        (
            (f"{position * width:.1f}", f"{width:.1f}", _in_words(point, names))
            for position, point in enumerate(points)
            if point.n
        ),
    )


def _in_words(point: Point, names: Sequence[str]) -> str:
    at = timezone.localtime(point.at).strftime("%H:%M:%S")
    return " · ".join([at, *(f"{name} {in_seconds(value)}" for name, value in zip(names, point.values, strict=True))])


def _times(points: Sequence[Point]) -> list[str]:
    if not points:
        return []
    first, last = points[0].at, points[-1].at
    spots = [first + (last - first) * position / (N_TIMES - 1) for position in range(N_TIMES)]
    return [timezone.localtime(spot).strftime("%H:%M") for spot in spots[:-1]] + [_("now")]
