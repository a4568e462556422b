from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from inference.monitoring.exchange import Exchange
from inference.monitoring.observe import Observations
from inference.monitoring.prometheus import StateCollector, exposition
from inference.monitoring.state import LOADS, QUARANTINES, RESTARTS, Gauges, State
from inference.monitoring.statistics import Duration, statistics_of
from inference.monitoring.tally import Served

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
ARM = {"endpoint": "shop", "version": "3"}
TRITON = {"model": "shop", "version": "3"}


@pytest.fixture
def state(seen: Observations, stable: Served) -> State:
    seen.observe(stable, 200, "", 0.5, 4, 0.25, 0.125, 0.0625, 0.03125)
    seen.observe(stable._replace(variant=""), 200, "", 0.002, 4, 0.0, 0.001)
    for status, code in ((422, "model_refused"), (503, "overloaded"), (503, "overloaded"), (400, "wrong_shape")):
        seen.observe(stable, status, code, 0.5)
    seen.refuse("", 404, "endpoint_not_found")
    seen.refuse("shop", 429, "rate_limited")
    seen.count(LOADS, n=3)
    seen.count(LOADS, "failed")
    seen.count(RESTARTS, n=2)
    seen.count(QUARANTINES)
    made = seen.state()
    made.gauges[77] = Gauges(1, {("shop", 3): 5}, 2, 1_000, 1, 10_000)
    made.gauges[78] = Gauges(2, {("shop", 3): 2}, 2, 1_000, 1, 20_000)
    return made


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def samples(state: State) -> Samples:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StateCollector(state))
    return samples_of(generate_latest(registry).decode())


def get(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_metrics__predictions__by_arm_and_status(samples: Samples) -> None:
    name = "slipway_predictions_total"
    assert get(samples, name, **ARM, variant="stable", status="200") == 1
    assert get(samples, name, **ARM, variant="", status="200") == 1
    assert get(samples, name, **ARM, variant="stable", status="503") == 2
    assert get(samples, name, endpoint="", version="", variant="", status="404") == 1


def test_metrics__rejects__by_endpoint_and_code(samples: Samples) -> None:
    found = {labels: value for (name, labels), value in samples.items() if name == "slipway_rejected_total"}
    assert found == {
        frozenset({("endpoint", "shop"), ("code", "overloaded")}): 2,
        frozenset({("endpoint", "shop"), ("code", "rate_limited")}): 1,
    }


def test_metrics__latency__is_a_true_histogram(samples: Samples) -> None:
    name = "slipway_prediction_seconds"
    buckets = sorted(
        (float(dict(labels)["le"]), value) for (key, labels), value in samples.items() if key == f"{name}_bucket"
    )
    assert [value for edge, value in buckets if edge < 0.0019] == [0] * 7
    assert [value for edge, value in buckets if 0.0024 < edge < 0.4] == [1] * 7
    assert [value for edge, value in buckets if edge > 0.6] == [2] * 7
    assert (get(samples, f"{name}_count", **ARM), get(samples, f"{name}_sum", **ARM)) == (2, 0.502)
    assert get(samples, "slipway_queue_seconds_sum", **ARM) == 0.25
    assert get(samples, "slipway_run_seconds_sum", **ARM) == 0.126


def test_metrics__gauges_and_events__of_all_processes(samples: Samples) -> None:
    assert get(samples, "slipway_queue_length", **ARM) == 7
    assert get(samples, "slipway_in_flight") == 3
    assert get(samples, "slipway_sessions") == 4
    assert get(samples, "slipway_session_bytes") == 2_000
    assert get(samples, "slipway_quarantined") == 1
    assert get(samples, "slipway_process_memory_bytes", pid="78") == 20_000
    assert get(samples, "slipway_session_loads_total", result="ok") == 3
    assert get(samples, "slipway_session_loads_total", result="failed") == 1
    assert get(samples, "slipway_isolated_restarts_total") == 2
    assert get(samples, "slipway_quarantines_total") == 1


def test_metrics__triton_names__have_tritons_meaning(samples: Samples) -> None:
    def value(name: str, **labels: str) -> float:
        return get(samples, f"nv_inference_{name}", **TRITON, **labels)

    assert (value("request_success"), value("count"), value("exec_count")) == (2, 8, 2)
    assert (value("request_duration_us"), value("queue_duration_us")) == (502_000, 250_000)
    assert (value("compute_input_duration_us"), value("compute_infer_duration_us")) == (62_500, 126_000)
    assert (value("compute_output_duration_us"), value("pending_request_count")) == (31_250, 7)
    reasons = {
        reason: value("request_failure", reason=reason) for reason in ("REJECTED", "CANCELED", "BACKEND", "OTHER")
    }
    assert reasons == {"REJECTED": 2, "CANCELED": 0, "BACKEND": 1, "OTHER": 1}


def test_exposition__with_a_folder__is_of_all_processes(
    tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for _ in range(2):
        Exchange(tmp_path, uuid4()).publish(state)
    assert get(samples_of(exposition().decode()), "slipway_prediction_seconds_count", **ARM) == 4


def test_statistics_of__an_endpoint__are_plain_numbers_by_version(state: State) -> None:
    (found,) = statistics_of("shop", state=state)
    assert (found.version, found.inference_count, found.execution_count) == (3, 8, 2)
    assert (found.success, found.fail) == (Duration(2, 502_000_000), Duration(4, 2_000_000_000))
    assert (found.queue, found.compute_infer) == (Duration(2, 250_000_000), Duration(2, 126_000_000))
    assert [(batch.batch_size, batch.compute_infer) for batch in found.batches] == [(4, Duration(2, 126_000_000))]
    assert found.last_inference > 1_700_000_000_000
    assert statistics_of("shop", 4, state=state) == statistics_of("other", state=state) == []
