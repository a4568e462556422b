"""The portal's own metrics, `slipway_*`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from inference.monitoring.histogram import Counts, count_up_to, edge_of, nearest_edge
from inference.monitoring.outcomes import is_reject
from inference.monitoring.state import CAPTURED, DISAGREEMENTS, LOADS, QUARANTINES, RESTARTS, Gauges, State
from inference.monitoring.tally import Served, Tally

_SECONDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50),
)
# Round figures moved to the nearest edge of a bucket, by one percent at most: what lies below is counted, not guessed.
_EDGES = [nearest_edge(seconds) for seconds in _SECONDS]
_LABELS = [f"{edge_of(bucket):.6g}" for bucket in _EDGES]
Pair = tuple[str, str]


def families(state: State) -> Iterator[Metric]:
    yield _predictions(state)
    yield _rejected(state)
    yield from _histograms(state)
    yield from _events(state)
    yield from _gauges(state.gauges)


def _predictions(state: State) -> Metric:
    family = CounterMetricFamily(
        "slipway_predictions",
        "Predictions answered, by HTTP status.",
        labels=["endpoint", "version", "variant", "status"],
    )
    answers: Counter[tuple[str, str, str, str]] = Counter()
    for served, tally in state.tallies.items():
        who = (served.endpoint, str(served.version), served.variant)
        if tally.n_ok:
            answers[(*who, "200")] += tally.n_ok
        for (status, _code), count in tally.failures.items():
            answers[(*who, str(status))] += count
    for refusal, count in state.refusals.items():
        answers[(refusal.endpoint, "", "", str(refusal.status))] += count
    return _filled(family, answers)


def _rejected(state: State) -> Metric:
    family = CounterMetricFamily(
        "slipway_rejected",
        "Predictions refused for want of room or time (429, 503, 504), by error code.",
        labels=["endpoint", "code"],
    )
    rejects: Counter[Pair] = Counter()
    for served, tally in state.tallies.items():
        for (status, code), count in tally.failures.items():
            if is_reject(status):
                rejects[(served.endpoint, code)] += count
    for refusal, count in state.refusals.items():
        if is_reject(refusal.status):
            rejects[(refusal.endpoint, refusal.code)] += count
    return _filled(family, rejects)


def _filled(family: CounterMetricFamily, counts: Mapping[Any, int]) -> Metric:
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


# --- histograms -------------------------------------------------------------------------------------------------------


def _histograms(state: State) -> Iterator[Metric]:
    by_version: dict[Pair, Tally] = together(state.tallies.items())
    for name, documentation, counts, total in (
        ("slipway_prediction_seconds", "From the whole body read to the answer made.", "latency", "seconds"),
        ("slipway_queue_seconds", "What answered predictions waited for their run.", "queue", "queue_seconds"),
        ("slipway_run_seconds", "What the model itself took.", "runs", "run_seconds"),
    ):
        family = HistogramMetricFamily(name, documentation, labels=["endpoint", "version"])
        for labels, tally in by_version.items():
            family.add_metric(labels, _cumulative(getattr(tally, counts)), getattr(tally, total))
        yield family


def together(tallies: Iterable[tuple[Served, Tally]]) -> dict[Pair, Tally]:
    """By (endpoint's slug, version's number), sorted: variants, and endpoints that had the same slug one after the
    other, count as one."""
    found: dict[Pair, Tally] = {}
    for served, tally in sorted(tallies):
        found.setdefault((served.endpoint, str(served.version)), Tally()).add(tally)
    return found


def _cumulative(counts: Counts) -> list[tuple[str, float]]:
    buckets = [(label, count_up_to(counts, edge)) for label, edge in zip(_LABELS, _EDGES, strict=True)]
    return [*buckets, ("+Inf", sum(counts.values()))]


# --- what else happened, and how it stands ----------------------------------------------------------------------------


def _events(state: State) -> Iterator[Metric]:
    for name, what in (
        (LOADS, "Sessions loaded, and those that failed."),
        (CAPTURED, "Captured answers, and those that were dropped or could not be written."),
        (DISAGREEMENTS, "Answers kept in which a shadow disagreed, and those that were dropped."),
    ):
        family = CounterMetricFamily(f"slipway_{name}", what, labels=["result"])
        yield _filled(family, {(event.result,): n for event, n in state.events.items() if event.name == name})
    for name, what in (
        (RESTARTS, "Restarts of versions that run in a process of their own."),
        (QUARANTINES, "Versions locked away because they killed their process."),
    ):
        total = sum(count for event, count in state.events.items() if event.name == name)
        yield CounterMetricFamily(f"slipway_{name}", what, value=total)


def _gauges(by_process: Mapping[int, Gauges]) -> Iterator[Metric]:
    all_of = list(by_process.values())
    waiting: Counter[tuple[str, int]] = Counter()
    for gauges in all_of:
        waiting.update(gauges.queue)
    queue = GaugeMetricFamily("slipway_queue_length", "Predictions waiting to run.", labels=["endpoint", "version"])
    for (slug, version), length in sorted(waiting.items()):
        queue.add_metric((slug, str(version)), length)
    yield queue
    for name, what, value in (
        ("slipway_in_flight", "Predictions being answered.", sum(gauges.in_flight for gauges in all_of)),
        ("slipway_sessions", "Sessions loaded.", sum(gauges.n_sessions for gauges in all_of)),
        ("slipway_session_bytes", "Memory that they are taken to need.", sum(g.session_bytes for g in all_of)),
        ("slipway_quarantined", "Versions locked away now.", max((g.n_quarantined for g in all_of), default=0)),
    ):
        yield GaugeMetricFamily(name, what, value=value)
    memory = GaugeMetricFamily("slipway_process_memory_bytes", "Resident memory of a process.", labels=["pid"])
    for pid, gauges in sorted(by_process.items()):
        memory.add_metric((str(pid),), gauges.memory_bytes)
    yield memory
