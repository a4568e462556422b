"""Which answers become evidence, from the request to what this process has noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

from inference.models import Endpoint
from inference.monitoring.arms import Arm
from inference.monitoring.evidence import EVIDENCE
from inference.monitoring.warming import N_WARM_UP
from inference.routing.buckets import hash_of, unit_of
from inference.routing.snapshot import read_changes
from inference.serving import captures, mirror
from inference.serving.follower import Follower
from inference.serving.outputs import all_finite, promised
from inference.serving.sessions import session_pool
from registry.artifacts.signature import TensorSpec
from tests import factories, graphs
from tests.inference.serving.watched import V2_BODY, send, start_experiment, start_rollout

Follow = Callable[[], Follower]
ALL = 10_000


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    EVIDENCE.forget()
    yield
    EVIDENCE.forget()


@pytest.fixture
def token(serving: Follow) -> str:
    return factories.token_for(factories.make_user("alice", "operator"), "predict")[1]


def arms() -> dict[tuple[str, bool], tuple[int, int]]:
    """(answers, bad ones) by variant and whether a key decided; what was noted is forgotten."""
    taken = EVIDENCE.take().arms.items()
    return {(key.variant, key.is_keyed): (arm.n, arm.n_bad) for key, arm in taken if isinstance(arm, Arm)}


def rollout_of(data: bytes, **how: Any) -> Endpoint:
    """All traffic to a candidate with these bytes, as `canary`."""
    endpoint = factories.make_endpoint("shop", n_versions=1)
    candidate = factories.make_version(endpoint.model, data=data)
    return start_rollout(endpoint, ALL, candidate, **how)


def test_after__no_rollout__nothing_noted(serving: Follow, token: str) -> None:
    endpoint = factories.split(factories.make_endpoint("shop"), 5_000)
    serving()
    assert send(token, endpoint, x_routing_key="alice").status == 200
    assert arms() == {}


def test_after__rollout__keyed_and_drawn_answers_apart(serving: Follow, token: str) -> None:
    endpoint = start_rollout(factories.make_endpoint("shop"), ALL)
    serving()
    for n, headers in ((3, {"x_routing_key": "alice"}), (2, {})):
        for _ in range(n):
            send(token, endpoint, **headers)
    assert arms() == {("canary", True): (3, 0), ("canary", False): (2, 0)}


def test_after__chosen_by_a_rule_or_the_caller__no_evidence(serving: Follow, token: str) -> None:
    rules = [{"header": "X-Tenant", "equals": "acme", "variant": "stable"}]
    endpoint = start_rollout(factories.make_endpoint("shop"), rules=rules)
    serving()
    assert send(token, endpoint, x_tenant="acme").headers["x-route-reason"] == "rule"
    assert send(token, endpoint, path="/v2/models/%s/versions/2/infer").headers["x-route-reason"] == "pinned"
    assert arms() == {}


def test_after__error_of_the_caller__no_exposure(serving: Follow, token: str) -> None:
    endpoint = start_rollout(factories.make_endpoint("shop"), ALL)
    serving()
    assert send(token, endpoint, {"inputs": []}).status == 400
    assert arms() == {}


def two_rows_only() -> bytes:
    """Refuses any other number of rows, which its signature allows."""
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    shape = graphs.constant("shape", [2, 4], np.int64)
    return graphs.model([node], [graphs.value("x")], [graphs.value("y")], [shape]).SerializeToString()


def test_after__model_refuses__bad(serving: Follow, token: str) -> None:
    endpoint = rollout_of(two_rows_only())
    serving()
    assert send(token, endpoint).body["code"] == "model_refused"
    assert arms() == {("canary", False): (1, 1)}


def infinite() -> bytes:
    """y = x / 0: infinities, and NaN for 0."""
    node = helper.make_node("Div", ["x", "zero"], ["y"])
    made = graphs.model([node], [graphs.value("x")], [graphs.value("y")], [graphs.constant("zero", 0.0)])
    return made.SerializeToString()


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_after__nan_or_infinity_in_the_answer__bad_and_answered_all_the_same(
    serving: Follow, token: str, first: float
) -> None:
    endpoint = rollout_of(infinite())
    serving()
    reply = send(token, endpoint, {"inputs": [{**V2_BODY["inputs"][0], "data": [first, 2, 3, 4]}]})
    assert (reply.status, reply.body["outputs"][0]["data"][0]) == (200, None)
    assert arms() == {("canary", False): (1, 1)}


def test_after__shape_that_the_signature_does_not_promise__bad(serving: Follow, token: str) -> None:
    """y = [x, x]: 8 numbers a row, where the signature says 4."""
    node = helper.make_node("Concat", ["x", "x"], ["y"], axis=1)
    made = graphs.model([node], [graphs.value("x")], [graphs.value("y", ("N", 8))])
    endpoint = rollout_of(made.SerializeToString())
    serving()
    assert send(token, endpoint).status == 200
    ((_key, arm),) = EVIDENCE.take().arms.items()
    assert isinstance(arm, Arm)
    assert (arm.n, arm.n_bad, arm.contract) == (1, 1, 1)


def test_after__experiment__the_unit_is_the_documented_hash(serving: Follow, token: str) -> None:
    endpoint = start_experiment(factories.make_endpoint("shop"), salt="0123456789abcdef")
    serving()
    for key in ("alice", "bob", "bob", "zoë"):
        send(token, endpoint, x_routing_key=key)
    found = {int(unit): int(n) for arm in EVIDENCE.take().arms.values() for unit, n, *_ in arm.fields()["units"]}
    hashes = {key: hash_of("0123456789abcdef", key) for key in ("alice", "bob", "zoë")}
    assert found == {unit_of(hashes["alice"]): 1, unit_of(hashes["bob"]): 2, unit_of(hashes["zoë"]): 1}


def test_after__session_was_loaded_here__its_first_answers_do_not_count_as_times(serving: Follow, token: str) -> None:
    endpoint = factories.make_endpoint("shop", n_versions=1)
    # Bytes that no other test has loaded.
    candidate = factories.make_version(endpoint.model, 123.456)
    endpoint = start_rollout(endpoint, ALL, candidate)
    session_pool().drop([candidate.sha256])
    serving()
    for _ in range(N_WARM_UP + 3):
        send(token, endpoint)
    (arm,) = EVIDENCE.take().arms.values()
    assert (arm.n, sum(arm.latency.values())) == (N_WARM_UP + 3, 3)


# --- the others that are told -----------------------------------------------------------------------------------------


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the shadow and the captures were offered, with the outputs of the answer."""
    seen: list[tuple[str, Any]] = []

    def outputs(work: Any) -> Any:
        return work and [array.tolist() for array in work.arrays]

    monkeypatch.setattr(mirror, "offer", lambda _call, work, _id: seen.append(("mirror", outputs(work))))
    monkeypatch.setattr(captures, "offer", lambda _call, work, _id, _s: seen.append(("capture", outputs(work))))
    return seen


def test_after__shadow_and_captures__offered_with_the_outputs(
    serving: Follow, token: str, offered: list[tuple[str, Any]]
) -> None:
    endpoint = factories.make_endpoint("shop", n_versions=3)
    Endpoint.objects.filter(pk=endpoint.pk).update(capture_bp=1)
    shadow = factories.version_of(endpoint, 3)
    endpoint = start_rollout(endpoint, ALL, shadow_version=shadow, mirror_bp=5_000)
    serving()
    send(token, endpoint)
    assert offered == [("mirror", [[[21.0, 22.0, 23.0, 24.0]]]), ("capture", [[[21.0, 22.0, 23.0, 24.0]]])]
    offered.clear()
    send(token, endpoint, {"inputs": []})
    send(token, endpoint, path="/v2/models/%s/versions/1/infer")
    assert offered == [("capture", None), ("capture", [[[11.0, 12.0, 13.0, 14.0]]])]


def test_after__captures_without_a_rollout__offered_and_no_evidence(
    serving: Follow, token: str, offered: list[tuple[str, Any]]
) -> None:
    endpoint = factories.make_endpoint("shop")
    Endpoint.objects.filter(pk=endpoint.pk).update(capture_bp=ALL)
    serving()
    send(token, endpoint)
    assert (offered, arms()) == ([("capture", [[[11.0, 12.0, 13.0, 14.0]]])], {})


def test_route__of_a_rollout__knows_all_that_the_split_says(serving: Follow) -> None:
    endpoint = factories.make_endpoint("shop", n_versions=3)
    shadow = factories.version_of(endpoint, 3)
    how = {"salt": "0123456789abcdef", "shadow_version": shadow, "mirror_bp": 2_000}
    endpoint = start_rollout(endpoint, assignment={"by": "token"}, **how)
    (route,) = read_changes(-1).routes
    assert endpoint.live_split is not None
    assert (route.salt, route.split_id, route.revision) == ("0123456789abcdef", endpoint.live_split.pk, 2)
    assert (route.rollout_id, route.experiment_id) == (endpoint.live_split.rollout_id, None)
    assert (route.shadow and route.shadow.number, route.mirror_bp) == (3, 2_000)
    assert (route.assignment and route.assignment.by, route.is_watched) == ("token", True)


# --- outputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "finite"),
    [
        (np.float32([[1, 2]]), True),
        (np.float32([[1, np.nan]]), False),
        (np.float64([-np.inf]), False),
        (np.full(5, 3e38, np.float32), True),
        (np.float16([60_000, 60_000]), True),
        (np.float16([60_000, np.inf]), False),
        (np.float32(3.0), True),
        (np.empty((0, 3), np.float32), True),
        (np.int64([2**62]), True),
        (np.array(["nan"], object), True),
    ],
)
def test_all_finite__any_output__only_numbers_that_are_none(array: Any, finite: bool) -> None:
    array = np.asarray(array)
    assert all_finite([np.float32([1.0]), array]) is finite
    if array.dtype.kind == "f":
        assert all_finite([array.astype(ml_dtypes.bfloat16)]) is finite


@pytest.mark.parametrize(
    ("shape", "dtype", "fits"),
    [
        ((1, 4), np.float32, True),
        ((9, 4), np.float32, True),
        ((1, 5), np.float32, False),
        ((4,), np.float32, False),
        ((1, 4), np.float64, False),
    ],
)
def test_promised__type_rank_and_sizes__but_not_the_first(shape: tuple[int, ...], dtype: Any, fits: bool) -> None:
    (output,) = promised([TensorSpec("y", "FP32", (1, 4))]).values()
    assert output.holds(np.zeros(shape, dtype)) is fits


def test_promised__free_sizes__may_be_any() -> None:
    (output,) = promised([TensorSpec("y", "INT64", (-1, -1, 2))]).values()
    assert output.holds(np.zeros((3, 7, 2), np.int64))
    assert not output.holds(np.zeros((3, 2, 7), np.int64))
