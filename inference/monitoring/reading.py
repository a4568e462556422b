"""Windows of one endpoint as they were flushed, read without making model objects: there may be thousands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast

from inference.models import Endpoint, MetricWindow
from inference.monitoring.histogram import Counts, from_json

COLUMNS = ("n_ok", "n_caller_errors", "n_model_errors", "n_rejected", "n_rows")
# A window is this long at most where PostgreSQL was away; one that ends later than that says little of the time asked.
LONGEST = timedelta(minutes=1)


class Window(NamedTuple):
    """One row; `started_at` and `ended_at` in seconds since the epoch, `variant` empty for calls that pinned it."""

    variant: str
    version: int
    started_at: float
    ended_at: float
    n_ok: int
    n_caller_errors: int
    n_model_errors: int
    n_rejected: int
    n_rows: int
    latency: Counts

    @property
    def n_answers(self) -> int:
        return self.n_ok + self.n_caller_errors + self.n_model_errors + self.n_rejected


def flushes_of(endpoint: Endpoint, begin: float, end: float) -> Iterator[Window]:
    """Those that touch [begin, end), in seconds since the epoch."""
    first, last = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
    rows = MetricWindow.objects.filter(
        endpoint=endpoint,
        resolution=MetricWindow.Resolution.FLUSH,
        ended_at__gt=first,
        ended_at__lt=last + LONGEST,
        started_at__lt=last,
    )
    wanted = rows.annotate(latency_text=Cast("latency", TextField())).values_list(
        "variant", "version__number", "started_at", "ended_at", *COLUMNS, "latency_text"
    )
    for variant, version, started_at, ended_at, ok, caller, model, rejected, n_rows, latency in wanted:
        times = started_at.timestamp(), ended_at.timestamp()
        counts = from_json(orjson.loads(latency))
        yield Window(variant, version, *times, ok, caller, model, rejected, n_rows, counts)
