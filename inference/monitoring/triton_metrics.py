"""The same counts under the names of NVIDIA Triton's metrics, so that boards made for it work here.

`model` is the endpoint's slug. Durations are sums in microseconds; rows are what Triton calls inferences, and a run of
the model is an execution. They are untyped because Triton's counters do not end in `_total`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric, UntypedMetricFamily

from inference.monitoring.outcomes import outcome_of
from inference.monitoring.own_metrics import together
from inference.monitoring.state import State
from inference.monitoring.tally import Tally

LABELS = ["model", "version"]
REASONS = ("REJECTED", "CANCELED", "BACKEND", "OTHER")
REASON_OF = {"rejected": "REJECTED", "model": "BACKEND"}
# nginx's status for a caller that went away; nobody is sent it.
GONE = 499


def families(state: State) -> Iterator[Metric]:
    by_version = together(state.tallies.items())
    for name, what, value in (
        ("request_success", "Requests answered well.", lambda tally: tally.n_ok),
        ("count", "Rows answered.", lambda tally: tally.n_rows),
        ("exec_count", "Runs of the model.", lambda tally: tally.n_runs),
        ("request_duration_us", "Whole requests.", lambda tally: _microseconds(tally.seconds)),
        ("queue_duration_us", "Waiting for a run.", lambda tally: _microseconds(tally.queue_seconds)),
        ("compute_input_duration_us", "Decoding.", lambda tally: _microseconds(tally.decode_seconds)),
        ("compute_infer_duration_us", "Running.", lambda tally: _microseconds(tally.run_seconds)),
        ("compute_output_duration_us", "Encoding.", lambda tally: _microseconds(tally.encode_seconds)),
    ):
        family = UntypedMetricFamily(f"nv_inference_{name}", what, labels=LABELS)
        for labels, tally in by_version.items():
            family.add_metric(labels, value(tally))
        yield family
    yield _failures(by_version)
    yield _pending(state)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _failures(by_version: dict[tuple[str, str], Tally]) -> Metric:
    family = UntypedMetricFamily(
        "nv_inference_request_failure", "Requests that failed, by reason.", labels=[*LABELS, "reason"]
    )
    for labels, tally in by_version.items():
        reasons: Counter[str] = Counter()
        for (status, code), count in tally.failures.items():
            reasons[_reason(status, code)] += count
        for reason in REASONS:
            family.add_metric((*labels, reason), reasons[reason])
    return family


def _reason(status: int, code: str) -> str:
    return "CANCELED" if status == GONE else REASON_OF.get(outcome_of(status, code), "OTHER")


def _pending(state: State) -> Metric:
    waiting: Counter[tuple[str, str]] = Counter()
    for gauges in state.gauges.values():
        waiting.update({(slug, str(version)): length for (slug, version), length in gauges.queue.items()})
    family = GaugeMetricFamily("nv_inference_pending_request_count", "Requests waiting to run.", labels=LABELS)
    for labels in sorted({*waiting, *together(state.tallies.items())}):
        family.add_metric(labels, waiting[labels])
    return family
