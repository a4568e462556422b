"""What an endpoint answers now: rates, errors and latencies by arm, and the last minutes as series.

All from the windows that the serving processes write every two seconds. Windows do not end at round times, so counts
are spread over the steps that a window touches; its latencies belong to the step of its middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from django.utils import timezone

from inference.models import Endpoint
from inference.monitoring.histogram import Counts, merge, quantile
from inference.monitoring.reading import Window, flushes_of

STEP_SECONDS = 5
SERIES_SECONDS = 600
# Rows come two seconds late at most; a step is shown when it is whole.
LATE_SECONDS = 3
# How far back the present rate looks: two steps.
NOW_SECONDS = 10


class Latencies(NamedTuple):
    """In seconds; None where nothing was answered well."""

    p50: float | None
    p95: float | None
    p99: float | None


def latencies_of(counts: Counts) -> Latencies:
    return Latencies(*(quantile(counts, q) for q in (0.5, 0.95, 0.99)))


@dataclass
class ArmTraffic:
    """One version under one variant; `variant` is empty for calls that pinned it.

    Counts are of the last `seconds` asked for. `rate` is answers of any kind per second, over the last ten seconds, and
    `rates` the same in each step of the series.
    """

    variant: str
    version: int
    n_steps: int
    n_ok: int = 0
    n_caller_errors: int = 0
    n_model_errors: int = 0
    n_rejected: int = 0
    n_rows: int = 0
    latency: Counts = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rates = [0.0] * self.n_steps

    @property
    def n_answers(self) -> int:
        return self.n_ok + self.n_caller_errors + self.n_model_errors + self.n_rejected

    @property
    def rate(self) -> float:
        n = NOW_SECONDS // STEP_SECONDS
        return sum(self.rates[-n:]) / n

    @property
    def error_share(self) -> float | None:
        """Of what the version ran or failed to run; a caller's own mistakes and what was refused early do not count."""
        n = self.n_ok + self.n_model_errors
        return self.n_model_errors / n if n else None

    @property
    def latencies(self) -> Latencies:
        return latencies_of(self.latency)


@dataclass
class Traffic:
    """`steps` are the ends of the steps of the series, `latencies` the whole endpoint's in each of them."""

    seconds: int
    arms: list[ArmTraffic]
    steps: list[datetime]
    counts: list[Counts]
    n_answers: list[float]

    @property
    def is_empty(self) -> bool:
        return not any(self.n_answers)

    @property
    def latencies(self) -> list[Latencies]:
        return [latencies_of(counts) for counts in self.counts]

    @property
    def rate(self) -> float:
        return sum(arm.rate for arm in self.arms)

    def rows_per_second(self, arm: ArmTraffic) -> float:
        return arm.n_rows / self.seconds


def traffic_of(endpoint: Endpoint, seconds: int = 60, *, now: datetime | None = None) -> Traffic:
    """`seconds` is how far back counts and quantiles of the arms reach, at most ten minutes."""
    end = int(((now or timezone.now()).timestamp() - LATE_SECONDS) // STEP_SECONDS * STEP_SECONDS)
    begin, n_steps = end - SERIES_SECONDS, SERIES_SECONDS // STEP_SECONDS
    arms: dict[tuple[str, int], ArmTraffic] = {}
    counts: list[Counts] = [{} for _ in range(n_steps)]
    for window in flushes_of(endpoint, begin, end):
        key = window.variant, window.version
        arm = arms.setdefault(key, ArmTraffic(*key, n_steps))
        for step, n in _spread(window, begin, n_steps):
            arm.rates[step] += n / STEP_SECONDS
        middle = (window.started_at + window.ended_at) / 2
        merge(counts[min(n_steps - 1, max(0, int((middle - begin) // STEP_SECONDS)))], window.latency)
        if middle > end - seconds:
            _count(arm, window)
    steps = [datetime.fromtimestamp(begin + (step + 1) * STEP_SECONDS, UTC) for step in range(n_steps)]
    n_answers = [STEP_SECONDS * sum(arm.rates[step] for arm in arms.values()) for step in range(n_steps)]
    return Traffic(seconds, list(arms.values()), steps, counts, n_answers)


def _count(arm: ArmTraffic, window: Window) -> None:
    arm.n_ok += window.n_ok
    arm.n_caller_errors += window.n_caller_errors
    arm.n_model_errors += window.n_model_errors
    arm.n_rejected += window.n_rejected
    arm.n_rows += window.n_rows
    merge(arm.latency, window.latency)


def _spread(window: Window, begin: int, n_steps: int) -> Iterator[tuple[int, float]]:
    """(step, answers in it), as if the answers had come evenly."""
    length = max(window.ended_at - window.started_at, 1e-3)
    first = max(0, int((window.started_at - begin) // STEP_SECONDS))
    last = min(n_steps - 1, int((window.ended_at - begin) // STEP_SECONDS))
    for step in range(first, last + 1):
        left = begin + step * STEP_SECONDS
        inside = min(window.ended_at, left + STEP_SECONDS) - max(window.ended_at - length, left)
        if inside > 0:
            yield step, window.n_answers * inside / length
