"""The live part of an endpoint's page: rates, errors and latencies by arm, and the last ten minutes as a chart."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from django.http import HttpResponse

from inference.models import Endpoint
from inference.monitoring.histogram import Counts, merge
from inference.pages import selectors_pages
from inference.pages.arms import Arm, arms_of
from inference.selectors.endpoints import get_endpoint
from inference.selectors.traffic import ArmTraffic, Traffic, latencies_of, traffic_of
from registry.models import ModelVersion
from registry.pages.access import PageRequest, page
from registry.pages.answers import show

# Steps of five seconds that make one point of the chart, and that a sparkline shows.
STEPS_PER_POINT = 2
SPARK_STEPS = 60
QUANTILES = ("p50", "p95", "p99")


class Point(NamedTuple):
    """What `portal/templatetags/lines.py` draws: when a step ended, how many answers it holds, and its quantiles."""

    at: Any
    n: int
    values: tuple[float | None, ...]


class Row(NamedTuple):
    """An arm of the live split, or one that has answered lately without being in it: then `weight_bp` is None."""

    key: str
    version: int
    weight_bp: int | None
    traffic: ArmTraffic
    spark: list[float]


@page(GET="endpoint.view")
def live(request: PageRequest, slug: str) -> HttpResponse:
    """What the page asks for every other second; 204 while it would see what it has seen."""
    context = live_context(get_endpoint(request.principal, slug))
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    return show(request, "inference/_endpoint_live.html", context)


def live_context(endpoint: Endpoint) -> dict[str, Any]:
    traffic, arms = traffic_of(endpoint), arms_of(endpoint.live_split)
    rows = _rows(arms, traffic)
    points = _points(traffic)
    return {
        "endpoint": endpoint,
        "model": endpoint.model,
        "traffic": traffic,
        "rows": rows,
        "points": points,
        "caller": main_version(selectors_pages.ready_versions(endpoint.model), arms) if traffic.is_empty else None,
        "quantiles": QUANTILES,
        "seen": _digest(rows, points),
    }


def _digest(rows: list[Row], points: list[Point]) -> str:
    """Of all that is shown: steps without answers are not."""
    shown = rows, [point for point in points if point.n]
    return blake2b(repr(shown).encode(), digest_size=8).hexdigest()


def _rows(arms: list[Arm], traffic: Traffic) -> list[Row]:
    found = {(arm.variant, arm.version): arm for arm in traffic.arms}
    rows = []
    for arm in arms:
        n_steps = len(traffic.steps)
        counted = found.pop((arm.key, arm.version), None) or ArmTraffic(arm.key, arm.version, n_steps)
        if arm.weight_bp or any(counted.rates):
            rows.append(_row(arm.key, arm.version, arm.weight_bp, counted))
    others = sorted((arm for arm in found.values() if any(arm.rates)), key=lambda arm: (arm.variant, arm.version))
    return rows + [_row(arm.variant, arm.version, None, arm) for arm in others]


def _row(key: str, version: int, weight_bp: int | None, traffic: ArmTraffic) -> Row:
    return Row(key, version, weight_bp, traffic, traffic.rates[-SPARK_STEPS:])


def _points(traffic: Traffic) -> list[Point]:
    points = []
    for first in range(0, len(traffic.steps), STEPS_PER_POINT):
        last = first + STEPS_PER_POINT
        counts: Counts = {}
        for part in traffic.counts[first:last]:
            merge(counts, part)
        points.append(Point(traffic.steps[last - 1], sum(counts.values()), tuple(latencies_of(counts))))
    return points


def main_version(ready: list[ModelVersion], arms: list[Arm]) -> ModelVersion | None:
    """The version with the most traffic, whose signature the snippets show; before any traffic, the newest."""
    if not arms:
        return ready[0] if ready else None
    number = max(arms, key=lambda arm: arm.weight_bp).version
    return next((version for version in ready if version.number == number), ready[0] if ready else None)
