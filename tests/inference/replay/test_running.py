"""Real versions side by side: alike, different, failing, crashing, hanging."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.utils import timezone
from onnx import TensorProto, helper

from inference.endpoints.switching import promote
from inference.models import Endpoint, ReplayRun, RuntimeDeath
from inference.replay import running
from inference.replay.running import carry_out, run_queued
from inference.replay.services import LOST_AFTER, reconcile_replays, start_replay
from portal.lib.errors import Conflict, InvalidInput, NotAllowed
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelVersion, VersionStatus
from tests import factories, graphs, hostile_graphs
from tests.inference.replay.conftest import ALIKE, capture, replay, request_of

pytestmark = pytest.mark.django_db
# By -1 it is no number of 64 bits, and the processor ends who asks.
SMALLEST = -(2**63)
DIVISION = {
    "inputs": [{"name": name, "datatype": "INT64", "shape": [-1]} for name in "ab"],
    "outputs": [{"name": "quotient", "datatype": "INT64", "shape": [-1]}],
}


def add_version(endpoint: Endpoint, data: bytes, signature: dict | None = None) -> ModelVersion:
    version = factories.make_version(endpoint.model, data=data)
    if signature:
        version.signature = signature
        version.save(update_fields=["signature"])
    return version


def divide(a: int, b: int) -> dict:
    tensors = (("a", a), ("b", b))
    return {"inputs": [{"name": name, "shape": [1], "datatype": "INT64", "data": [value]} for name, value in tensors]}


def make_pair(stable: bytes, candidate: bytes, signature: dict) -> Endpoint:
    endpoint = factories.make_endpoint("pair", n_versions=0, promoted=None)
    promote(SYSTEM, endpoint, add_version(endpoint, stable, signature), reason="a test")
    add_version(endpoint, candidate, signature)
    return Endpoint.objects.get(pk=endpoint.pk)


def careful_division() -> bytes:
    """a / max(b, 1), INT64: never ends its process."""
    a, b, quotient = (graphs.value(name, ("N",), TensorProto.INT64) for name in ("a", "b", "quotient"))
    nodes = [
        helper.make_node("Max", ["b", "one"], ["divisor"]),
        helper.make_node("Div", ["a", "divisor"], ["quotient"]),
    ]
    return graphs.model([*nodes], [a, b], [quotient], [graphs.constant("one", 1, np.int64)]).SerializeToString()


def test_replay__same_answers__passed(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    capture(
        endpoint,
        *(request_of(n, 0, 0, 0) for n in range(5)),
        '[{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]',
    )
    run = replay(endpoint)
    assert (run.state, run.n_requests, run.n_disagreed, run.n_failed) == ("passed", 6, 0, 0)
    assert run.sentence == "Both versions answered alike: all of 6 requests."
    assert not run.diffs.exists()
    assert run.ended_at is not None
    assert AuditEvent.objects.filter(action="replay.started").count() == 1


def test_replay__other_answers__failed_with_both_of_them(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(10.5))
    capture(endpoint, request_of(1, 2, 3, 4))
    run = replay(endpoint)
    assert (run.state, run.n_requests, run.n_disagreed, run.n_failed, run.max_abs) == ("failed", 1, 1, 0, 0.5)
    (diff,) = run.diffs.all()
    assert (diff.kind, diff.request_id, diff.max_abs) == ("numeric", "r0", 0.5)
    assert json.loads(diff.inputs) == request_of(1, 2, 3, 4)
    assert json.loads(diff.stable_outputs)["outputs"][0]["data"] == [11, 12, 13, 14]
    assert json.loads(diff.candidate_outputs)["outputs"][0]["data"] == [11.5, 12.5, 13.5, 14.5]


def test_replay__newest_of_many__only_as_many_as_wanted(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(10.5))
    capture(endpoint, *(request_of(n, 0, 0, 0) for n in range(5)))
    run = replay(endpoint, n_wanted=2, tolerated=1.0)
    assert (run.state, run.n_requests) == ("passed", 2)
    assert list(run.diffs.values_list("request_id", flat=True)) == ["r4", "r3"]


def test_replay__nothing_captured__empty(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    capture(endpoint, "")
    run = replay(endpoint)
    assert (run.state, run.n_requests) == ("empty", 0)
    assert "upload a file of requests" in run.sentence


def test_replay__captured_with_another_signature__left_out(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    capture(endpoint, request_of(1, 2, 3, 4), divide(1, 2), "{")
    assert (replay(endpoint).n_requests, replay(endpoint).state) == (1, "passed")


def test_replay__all_captured_with_another_signature__empty_and_says_so(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    capture(endpoint, divide(1, 2), "{")
    run = replay(endpoint)
    assert run.state == "empty"
    assert run.sentence.startswith("None of 2 requests could be compared")


def test_replay__nan_where_stable_has_none__failure(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(float("nan")))
    capture(endpoint, request_of(1, 2, 3, 4))
    run = replay(endpoint, tolerated=1.0)
    assert (run.state, run.n_failed) == ("failed", 1)
    assert run.diffs.get().kind == "error"


def test_replay__other_signature__failure_that_says_so(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.division(), DIVISION)
    capture(endpoint, request_of(1, 2, 3, 4))
    run = replay(endpoint)
    assert (run.state, run.n_failed) == ("failed", 1)
    assert run.diffs.get().candidate_outputs.startswith("unknown_tensor: The model has no input 'x'")


def test_replay__candidate_that_crashes__failed_and_the_rest_is_tried() -> None:
    endpoint = make_pair(careful_division(), graphs.division(), DIVISION)
    capture(endpoint, divide(6, 3), divide(SMALLEST, -1), divide(9, 3), divide(SMALLEST, -1), divide(8, 3))
    run = replay(endpoint)
    assert (run.state, run.n_requests, run.n_failed, run.n_disagreed) == ("failed", 5, 2, 2)
    assert [diff.candidate_outputs.split(":")[0] for diff in run.diffs.all()] == ["model_crashed"] * 2
    assert not RuntimeDeath.objects.exists()


def test_replay__candidate_that_hangs__its_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LONGEST_REQUEST", 0.5)
    spec = {"datatype": "FP32", "shape": [-1]}
    line = {"inputs": [{"name": "x", **spec}], "outputs": [{"name": "y", **spec}]}
    endpoint = make_pair(graphs.looping(1), hostile_graphs.endless_loop(), line)
    capture(endpoint, *({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [n]}]} for n in range(3)))
    run = replay(endpoint)
    assert (run.state, run.n_requests, run.n_failed) == ("failed", 3, 3)
    assert {diff.candidate_outputs.split(":")[0] for diff in run.diffs.all()} == {"deadline_exceeded"}


def test_replay__stable_without_an_answer__request_left_out() -> None:
    endpoint = make_pair(graphs.division(), careful_division(), DIVISION)
    capture(endpoint, divide(6, 3), divide(SMALLEST, -1), divide(9, 3))
    run = replay(endpoint)
    assert (run.state, run.n_requests, run.n_failed) == ("passed", 2, 0)


def test_replay__candidate_that_cannot_be_loaded__failed(endpoint: Endpoint) -> None:
    add_version(endpoint, b"no model")
    capture(endpoint, request_of(1, 2, 3, 4))
    run = replay(endpoint)
    assert (run.state, run.n_requests) == ("failed", 0)
    assert run.sentence.startswith("The candidate cannot be tried: ")


def test_replay__stable_that_cannot_be_loaded__error(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    capture(endpoint, request_of(1, 2, 3, 4))
    ModelVersion.objects.filter(number=1).update(sha256="0" * 64)
    assert replay(endpoint).state == "error"


def test_replay__time_is_over__judged_by_what_was_seen(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    capture(endpoint, request_of(1, 2, 3, 4))
    run = start_replay(SYSTEM, endpoint, 2)
    ReplayRun.objects.update(state="running")
    run = carry_out(ReplayRun.objects.get(pk=run.pk), 0.0)
    assert (run.state, run.n_requests) == ("empty", 0)


def test_replay__many_failures__ended_early(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(float("inf")))
    capture(endpoint, *(request_of(n, 0, 0, 0) for n in range(30)))
    run = replay(endpoint)
    assert (run.state, run.n_requests, run.n_failed) == ("failed", 10, 10)
    assert run.sentence.endswith("It was ended after 10 failures.")


def test_replay__file__each_line_a_request(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(11.0))
    lines = b"\n".join(json.dumps(request_of(n, 0, 0, 0)).encode() for n in range(120))
    run = replay(endpoint, data=lines + b"\n\n")
    assert (run.state, run.n_requests, run.n_disagreed, run.diffs.count()) == ("failed", 120, 120, 100)
    assert (run.source, run.file_name) == ("file", "requests.jsonl")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"not json", "Line 1 is no request that stable takes: The body is not valid JSON"),
        (b"\xff\xfe\x00", "Line 1 is no request"),
        (b'{"inputs": []}', "Line 1 is no request that stable takes: The model also needs input 'x'."),
        (b"[" * 5_000, "Line 1 is no request"),
        (json.dumps(request_of(1, 2, 3, 4)).encode() + b'\n{"inputs": 1e999}', "Line 2 is no request"),
    ],
)
def test_replay__bad_file__error_that_names_the_line(endpoint: Endpoint, data: bytes, sentence: str) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    run = replay(endpoint, data=data)
    assert run.state == "error"
    assert run.sentence.startswith(sentence)


def test_replay__file_too_long__error(endpoint: Endpoint, settings) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    line = json.dumps(request_of(1, 2, 3, 4)).encode() + b"\n"
    settings.PORTAL_MAX_BODY_BYTES = len(line)
    assert replay(endpoint, data=line * 3).state == "passed"
    settings.PORTAL_MAX_BODY_BYTES = len(line) - 2
    assert "Line 1 is longer than" in replay(endpoint, data=line * 3).sentence
    assert replay(endpoint, data=b"").state == "empty"


def test_run_queued__twice__carried_out_once(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    run = replay(endpoint)
    before = ReplayRun.objects.values().get()
    run_queued(run.pk)
    assert ReplayRun.objects.values().get() == before


def test_start__what_cannot_be_compared__refused(endpoint: Endpoint) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    broken = factories.make_version(endpoint.model, status=VersionStatus.REJECTED)
    with pytest.raises(InvalidInput) as same:
        start_replay(SYSTEM, endpoint, 1)
    with pytest.raises(InvalidInput) as unknown:
        start_replay(SYSTEM, endpoint, 99)
    with pytest.raises(Conflict) as unready:
        start_replay(SYSTEM, endpoint, broken.number)
    with pytest.raises(Conflict) as unserved:
        start_replay(SYSTEM, factories.make_endpoint("idle", promoted=None), 1)
    codes = [error.value.code for error in (same, unknown, unready, unserved)]
    assert codes == ["same_version", "unknown_version", "version_not_ready", "nothing_promoted"]
    for wrong in ({"n_wanted": 0}, {"n_wanted": 10_001}, {"tolerated": -0.1}, {"tolerated": float("nan")}):
        with pytest.raises(InvalidInput):
            start_replay(SYSTEM, endpoint, 2, **wrong)
    with pytest.raises(NotAllowed):
        start_replay(factories.principal("bob", "data_scientist"), endpoint, 2)
    assert not ReplayRun.objects.exists()


def test_reconcile__lost_and_waiting__ended_and_rung_for(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    add_version(endpoint, graphs.add_constant(ALIKE))
    rung: list[tuple] = []
    monkeypatch.setattr("inference.replay.services.ring", lambda *args, **_: rung.append(args))
    lost, waiting, _fresh = (start_replay(SYSTEM, endpoint, 2) for _ in range(3))
    long_ago = timezone.now() - LOST_AFTER
    ReplayRun.objects.filter(pk=lost.pk).update(state="running", started_at=long_ago)
    ReplayRun.objects.filter(pk=waiting.pk).update(created_at=long_ago)
    reconcile_replays()
    lost.refresh_from_db()
    assert (lost.state, rung) == ("error", [("inference.tasks.run_replay", waiting.pk)])
