"""Old windows become longer ones: flushes after an hour minutes, minutes after a week hours, which stay for 90 days.

Each step is one statement, which deletes the short rows and adds them to the long ones. It may run twice at once and be
killed at any moment: what it did not finish it did not begin.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from inference.models import MetricWindow

LOCK = 0x736C6970_726F6C6C  # "sliproll"
NOBODY = UUID(int=0)
HOURS_KEPT = timedelta(days=90)


class Step(NamedTuple):
    short: MetricWindow.Resolution
    long: MetricWindow.Resolution
    unit: str
    after: timedelta


STEPS = (
    Step(MetricWindow.Resolution.FLUSH, MetricWindow.Resolution.MINUTE, "minute", timedelta(hours=1)),
    Step(MetricWindow.Resolution.MINUTE, MetricWindow.Resolution.HOUR, "hour", timedelta(days=7)),
)
# A window belongs to the minute in which it ends; one that ends with the minute is still in it.
STATEMENT = """
WITH gone AS (
    DELETE FROM inference_metricwindow WHERE resolution = %(short)s AND ended_at <= %(before)s
    RETURNING *, date_trunc(%(unit)s, ended_at - interval '1 microsecond') AS start
), sums AS (
    SELECT endpoint_id, version_id, variant, start, sum(n_ok) AS n_ok, sum(n_caller_errors) AS n_caller_errors,
        sum(n_model_errors) AS n_model_errors, sum(n_rejected) AS n_rejected, sum(n_rows) AS n_rows,
        sum(n_runs) AS n_runs, sum(seconds) AS seconds, sum(queue_seconds) AS queue_seconds,
        sum(run_seconds) AS run_seconds
    FROM gone GROUP BY endpoint_id, version_id, variant, start
), buckets AS (
    SELECT endpoint_id, version_id, variant, start, key, sum(value::bigint) AS n
    FROM gone, jsonb_each_text(latency) GROUP BY endpoint_id, version_id, variant, start, key
), latencies AS (
    SELECT endpoint_id, version_id, variant, start, jsonb_object_agg(key, n) AS latency
    FROM buckets GROUP BY endpoint_id, version_id, variant, start
)
INSERT INTO inference_metricwindow AS kept (process, seq, resolution, endpoint_id, version_id, variant, started_at,
    ended_at, n_ok, n_caller_errors, n_model_errors, n_rejected, n_rows, n_runs, seconds, queue_seconds, run_seconds,
    latency)
SELECT %(nobody)s, extract(epoch FROM start)::bigint, %(long)s, endpoint_id, version_id, variant, start,
    start + %(length)s, n_ok, n_caller_errors, n_model_errors, n_rejected, n_rows, n_runs, seconds, queue_seconds,
    run_seconds, coalesce(latency, '{}'::jsonb)
FROM sums LEFT JOIN latencies USING (endpoint_id, version_id, variant, start)
ON CONFLICT (process, seq, resolution, endpoint_id, version_id, variant) DO UPDATE SET
    n_ok = kept.n_ok + excluded.n_ok,
    n_caller_errors = kept.n_caller_errors + excluded.n_caller_errors,
    n_model_errors = kept.n_model_errors + excluded.n_model_errors,
    n_rejected = kept.n_rejected + excluded.n_rejected,
    n_rows = kept.n_rows + excluded.n_rows,
    n_runs = kept.n_runs + excluded.n_runs,
    seconds = kept.seconds + excluded.seconds,
    queue_seconds = kept.queue_seconds + excluded.queue_seconds,
    run_seconds = kept.run_seconds + excluded.run_seconds,
    latency = (
        SELECT coalesce(jsonb_object_agg(key, n), '{}'::jsonb) FROM (
            SELECT key, sum(value::bigint) AS n FROM (
                SELECT * FROM jsonb_each_text(kept.latency) UNION ALL SELECT * FROM jsonb_each_text(excluded.latency)
            ) AS both_sides GROUP BY key
        ) AS together
    )
"""


def roll_up(now: datetime | None = None) -> None:
    """Whatever is due. A second one at the same time returns at once."""
    now = now or timezone.now()
    for step in STEPS:
        _take(step, now)
    MetricWindow.objects.filter(resolution=MetricWindow.Resolution.HOUR, ended_at__lt=now - HOURS_KEPT).delete()


def _take(step: Step, now: datetime) -> None:
    """Only whole minutes, or hours, so that each becomes one row at once."""
    before = (now - step.after).replace(second=0, microsecond=0)
    if step.unit == "hour":
        before = before.replace(minute=0)
    values: dict[str, Any] = {
        "short": step.short.value,
        "long": step.long.value,
        "unit": step.unit,
        "length": timedelta(seconds=step.long.value),
        "before": before,
        "nobody": NOBODY,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone()[0]:
            cursor.execute(STATEMENT, values)
