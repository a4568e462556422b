"""What Prometheus reads at `/metrics`. With PROMETHEUS_MULTIPROC_DIR set, each process counts into files there."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import REGISTRY as PROCESS_REGISTRY
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

PREDICTIONS = Counter(
    "slipway_predictions", "Predictions answered, by HTTP status.", ["endpoint", "version", "variant", "status"]
)
SECONDS = Histogram(
    "slipway_prediction_seconds",
    "From the whole body read to the answer made.",
    ["endpoint", "version"],
    buckets=_BUCKETS,
)


@cache
def _children(endpoint: str, version: str, variant: str, status: int) -> tuple[Counter, Histogram]:
    return PREDICTIONS.labels(endpoint, version, variant, str(status)), SECONDS.labels(endpoint, version)


def count_prediction(endpoint: str, version: str, variant: str, status: int, seconds: float) -> None:
    """About two microseconds. `endpoint` is empty where none was found, so that strangers cannot make up labels."""
    counter, histogram = _children(endpoint, version, variant, status)
    counter.inc()
    if status == 200:
        histogram.observe(seconds)


def exposition() -> bytes:
    """The text format, summed over all processes."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(PROCESS_REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)
