"""What a process counted, as rows in PostgreSQL: one per version and flush, each written exactly once.

Counts are taken as the difference to what the last row told. So nothing is lost while PostgreSQL is away: a row that
could not be written is kept and tried again under the same number, and once too many wait, the next one just spans a
longer time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from inference.models import Endpoint, MetricWindow
from inference.monitoring import histogram
from inference.monitoring.outcomes import outcome_of
from inference.monitoring.state import State
from inference.monitoring.tally import Served, Tally
from registry.models import ModelVersion

# Ten minutes at one flush every two seconds.
MOST_WAITING = 300


class WindowWriter:
    """The rows of one process. Not for several threads."""

    def __init__(self, process: UUID, state: State | None = None) -> None:
        self._process = process
        self._told = state.tallies if state else {}
        self._cut_at = time.time()
        self._seq = 0
        self._waiting: list[list[MetricWindow]] = []

    def cut(self, state: State) -> None:
        """Ends a window now; what was counted since the last one waits to be written."""
        if len(self._waiting) >= MOST_WAITING:
            return
        now = time.time()
        rows = [
            self._row(served, delta, now)
            for served, tally in state.tallies.items()
            if (delta := tally.since(self._told.get(served, Tally()))).n_ok or delta.n_failed
        ]
        if rows:
            self._seq += 1
            self._waiting.append(rows)
        self._told, self._cut_at = state.tallies, now

    def write(self) -> int:
        """Writes what waits and returns the number of rows. Raises DatabaseError, and then all of it still waits."""
        rows = [row for batch in self._waiting for row in batch]
        if rows:
            _insert(rows)
            self._waiting.clear()
        return len(rows)

    def _row(self, served: Served, delta: Tally, now: float) -> MetricWindow:
        failures = Counter[str]()
        for (status, code), count in delta.failures.items():
            failures[outcome_of(status, code)] += count
        return MetricWindow(
            process=self._process,
            seq=self._seq + 1,
            endpoint_id=served.endpoint_id,
            version_id=served.version_id,
            variant=served.variant,
            started_at=datetime.fromtimestamp(self._cut_at, UTC),
            ended_at=datetime.fromtimestamp(now, UTC),
            n_ok=delta.n_ok,
            n_caller_errors=failures["caller"],
            n_model_errors=failures["model"],
            n_rejected=failures["rejected"],
            n_rows=delta.n_rows,
            n_runs=delta.n_runs,
            seconds=max(0.0, delta.seconds),
            queue_seconds=max(0.0, delta.queue_seconds),
            run_seconds=max(0.0, delta.own_run_seconds),
            latency=histogram.to_json(delta.latency),
        )


def _insert(rows: Sequence[MetricWindow]) -> None:
    """Rows that are there already stay as they are; those of what was deleted meanwhile are left out."""
    try:
        _create(rows)
    except IntegrityError:
        _create(_of_what_exists(rows))


def _create(rows: Iterable[MetricWindow]) -> None:
    with transaction.atomic():
        MetricWindow.objects.bulk_create(rows, ignore_conflicts=True)


def _of_what_exists(rows: Sequence[MetricWindow]) -> list[MetricWindow]:
    endpoints = set(Endpoint.objects.filter(pk__in={row.endpoint_id for row in rows}).values_list("pk", flat=True))
    versions = set(ModelVersion.objects.filter(pk__in={row.version_id for row in rows}).values_list("pk", flat=True))
    return [row for row in rows if row.endpoint_id in endpoints and row.version_id in versions]
