"""How quickly versions answered lately, whichever endpoint they were asked at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from inference.monitoring.histogram import Counts, quantile

LATELY = timedelta(hours=24)
# The buckets are added up in the database: a day holds thousands of windows.
COUNTS = """
SELECT version_id, key::integer, sum(value::bigint)::bigint
FROM inference_metricwindow, jsonb_each_text(latency)
WHERE version_id = ANY(%(versions)s) AND ended_at > %(since)s
GROUP BY version_id, key
"""


class Speed(NamedTuple):
    """Answers that went well in the last day; p50 and p99 in seconds."""

    n: int
    p50: float | None
    p99: float | None


def speeds_of(version_ids: Iterable[int]) -> dict[int, Speed]:
    """Only those that answered anything."""
    counts: dict[int, Counts] = {}
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"versions": list(version_ids), "since": timezone.now() - LATELY})
        for version, bucket, n in cursor.fetchall():
            counts.setdefault(version, {})[bucket] = n
    return {
        version: Speed(sum(found.values()), quantile(found, 0.5), quantile(found, 0.99))
        for version, found in counts.items()
    }
