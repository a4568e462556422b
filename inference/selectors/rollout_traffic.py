"""What the arms of a rollout answered: the last minute as numbers, ten minutes as a series.

From the windows of evidence, which are kept as long as the rollout is: those that ended can be looked at later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from inference.models import EvidenceWindow, Rollout
from inference.monitoring.histogram import Counts, from_json, merge, quantile

STEP = timedelta(seconds=10)
N_STEPS = 60
NOW = timedelta(seconds=60)
# Counts are written every two seconds; a step is shown when it is whole.
LATE = timedelta(seconds=3)


class Window(NamedTuple):
    variant: str
    started_at: datetime
    ended_at: datetime
    n: int
    n_bad: int
    latency: Counts


@dataclass
class ArmSeries:
    """`n`, `n_bad` and `latency` are of the last minute, which held windows of `seconds`. A step has its latencies."""

    n: int = 0
    n_bad: int = 0
    latency: Counts = field(default_factory=dict)
    seconds: float = 0.0
    steps: list[Counts] = field(default_factory=lambda: [{} for _ in range(N_STEPS)])

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.n / self.seconds if self.seconds else 0.0

    @property
    def error_share(self) -> float | None:
        return self.n_bad / self.n if self.n else None

    @property
    def p99(self) -> float | None:
        return quantile(self.latency, 0.99)


@dataclass
class ArmsTraffic:
    """`ends` are the ends of the steps, oldest first; `arms` by the key of the variant."""

    ends: list[datetime]
    arms: dict[str, ArmSeries]


def arms_traffic(rollout: Rollout, *, now: datetime | None = None) -> ArmsTraffic:
    """Up to now, or up to the end of a rollout that has ended."""
    end = _whole_step(min(now or timezone.now(), rollout.ended_at or timezone.now() - LATE))
    begin = end - N_STEPS * STEP
    arms: dict[str, ArmSeries] = {}
    firsts: dict[str, datetime] = {}
    for window in _windows(rollout, begin, end):
        arm = arms.setdefault(window.variant, ArmSeries())
        middle = window.started_at + (window.ended_at - window.started_at) / 2
        merge(arm.steps[min(N_STEPS - 1, max(0, int((middle - begin) / STEP)))], window.latency)
        if middle > end - NOW:
            firsts[window.variant] = min(window.started_at, firsts.get(window.variant, window.started_at))
            _count(arm, window)
    for key, first in firsts.items():
        arms[key].seconds = max(1.0, (end - max(first, end - NOW)).total_seconds())
    return ArmsTraffic([begin + (step + 1) * STEP for step in range(N_STEPS)], arms)


def _whole_step(moment: datetime) -> datetime:
    """The end of the step that holds it."""
    size = STEP.total_seconds()
    rest = moment.timestamp() % size
    return moment + timedelta(seconds=size - rest if rest else 0)


def _count(arm: ArmSeries, window: Window) -> None:
    arm.n += window.n
    arm.n_bad += window.n_bad
    merge(arm.latency, window.latency)


def _windows(rollout: Rollout, begin: datetime, end: datetime) -> Iterator[Window]:
    rows = EvidenceWindow.objects.filter(split__rollout=rollout, ended_at__gt=begin, ended_at__lte=end)
    text = rows.annotate(latency_text=Cast("latency", TextField()))
    columns = ("variant", "started_at", "ended_at", "n", "n_bad", "latency_text")
    for variant, started_at, ended_at, n, n_bad, latency in text.values_list(*columns):
        yield Window(variant, started_at, ended_at, n, n_bad, from_json(orjson.loads(latency)))
