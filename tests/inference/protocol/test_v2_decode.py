from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.protocol.v2 import decode_infer
from portal.lib.errors import InvalidInput, PortalError
from registry.artifacts.signature import Signature, TensorSpec
from tests.hostile_bodies import GOOD, HOSTILE, TENSOR, body, nested, tensor

IRIS = Signature(
    (TensorSpec("X", "FP32", (-1, 4)),), (TensorSpec("label", "INT64", (-1,)), TensorSpec("p", "FP32", (-1, 3)))
)
MIXED = Signature(
    (TensorSpec("a", "INT64", (-1,)), TensorSpec("b", "BYTES", (-1, 2)), TensorSpec("c", "BOOL", ())),
    (TensorSpec("y", "FP32", (-1,)),),
)


@pytest.mark.parametrize(("hostile", "code"), HOSTILE, ids=range(len(HOSTILE)))
def test_decode_infer__hostile_body__400_with_its_code(hostile: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_infer(hostile, IRIS)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert 10 < len(caught.value.message) < 300
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"a": [1.0]}, "wrong_value"),
        ({"a": [2**63]}, "wrong_value"),
        ({"a": [-(2**63) - 1]}, "wrong_value"),
        ({"a": [10**30]}, "wrong_value"),
        ({"a": [True]}, "wrong_value"),
        ({"a": ["1"]}, "wrong_value"),
        ({"b": ["x", 1]}, "wrong_value"),
        ({"b": ["x", None]}, "wrong_value"),
        ({"b": ["x", True]}, "wrong_value"),
        ({"b": [["x", "y"], ["z", "w"]]}, "wrong_shape"),
        ({"b": ["xy"]}, "wrong_shape"),
        ({"b": "xy"}, "wrong_shape"),
        ({"c": [1]}, "wrong_value"),
        ({"c": ["true"]}, "wrong_value"),
        ({"c": [None]}, "wrong_value"),
        ({"c": True}, "wrong_shape"),
        ({"c": []}, "wrong_shape"),
        ({"c": [True, False]}, "wrong_shape"),
    ],
)
def test_decode_infer__wrong_value_in_one_of_three__names_that_tensor(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_infer(mixed(**changes), MIXED)
    assert caught.value.code == code
    assert f"'{next(iter(changes))}'" in caught.value.message


def mixed(**changes: Any) -> bytes:
    data = {"a": [-(2**63)], "b": [["x:", "ü"]], "c": [True], **changes}
    shapes = {"a": ([1], "INT64"), "b": ([1, 2], "BYTES"), "c": ([], "BOOL")}
    tensors = [{"name": n, "shape": s, "datatype": d, "data": data[n]} for n, (s, d) in shapes.items()]
    return json.dumps({"inputs": tensors[::-1]}, ensure_ascii=False).encode()


def test_decode_infer__three_tensors_in_another_order__exact_values() -> None:
    request = decode_infer(mixed(), MIXED)
    assert {name: array.tolist() for name, array in request.inputs.items()} == {
        "a": [-(2**63)],
        "b": [["x:", "ü"]],
        "c": True,
    }
    assert [request.inputs[name].dtype for name in "abc"] == [np.int64, object, bool]


def test_decode_infer__missing_tensors__named() -> None:
    one = {"name": "b", "shape": [1, 2], "datatype": "BYTES", "data": ["x", "y"]}
    with pytest.raises(InvalidInput, match=r"^The model also needs input 'a', 'c'\.$"):
        decode_infer(json.dumps({"inputs": [one]}).encode(), MIXED)


def test_decode_infer__smallest_request__all_outputs_and_no_id() -> None:
    request = decode_infer(GOOD, IRIS)
    assert (request.id, request.outputs, request.parameters) == (None, None, {})
    assert request.inputs["X"].dtype == np.float32
    assert request.inputs["X"].tolist() == np.array([[5.1, 3.5, 1.4, 0.2]], np.float32).tolist()


def test_decode_infer__everything_given__kept() -> None:
    request = decode_infer(
        body(id="r:1", outputs=[{"name": "p"}, {"name": "label"}], parameters={"priority": 1, "a": {"b": True}}), IRIS
    )
    assert request.id == "r:1"
    assert request.outputs == ("p", "label")
    assert request.parameters == {"priority": 1, "a": {"b": True}}


def test_decode_infer__unknown_keys_and_nulls__ignored() -> None:
    extras = {"model_name": "x:y", "id": None, "outputs": None, "parameters": None, "more": [{"a": {"b": ["c:", 1]}}]}
    request = decode_infer(body(**extras), IRIS)
    assert (request.id, request.outputs, request.parameters) == (None, None, {})
    assert decode_infer(tensor(extra={"a": ":"}, parameters={"content_type": "np"}), IRIS).inputs["X"].shape == (1, 4)
    assert decode_infer(body(outputs=[]), IRIS).outputs is None


def test_decode_infer__deepest_allowed__accepted() -> None:
    assert decode_infer(body(extra=json.loads(nested(63))), IRIS).inputs["X"].shape == (1, 4)


def test_decode_infer__white_space_and_escapes__the_same_request() -> None:
    spaced = json.dumps(json.loads(GOOD), indent=3).replace(":", " : ").replace('"X"', '"\\u0058"').encode()
    assert decode_infer(spaced, IRIS).inputs["X"].tolist() == decode_infer(GOOD, IRIS).inputs["X"].tolist()


def test_decode_infer__integers_into_floats__accepted() -> None:
    assert decode_infer(tensor(data=[[1, 2, 3, 4]]), IRIS).inputs["X"].tolist() == [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    ("parameters", "timeout_seconds", "priority"),
    [
        ({}, None, 0),
        ({"timeout": 1}, 1e-6, 0),
        ({"timeout": 2_500_000, "priority": 0}, 2.5, 0),
        ({"priority": 1}, None, 1),
        ({"priority": 2**31, "timeout": None}, None, 2**31),
        ({"sequence_id": 0, "sequence_start": False}, None, 0),
    ],
)
def test_decode_infer__timeout_and_priority__read(
    parameters: dict[str, Any], timeout_seconds: float | None, priority: int
) -> None:
    request = decode_infer(body(parameters=parameters), IRIS)
    assert (request.timeout_seconds, request.priority) == (timeout_seconds, priority)


@pytest.mark.parametrize("parameters", [{"sequence_id": 7}, {"sequence_id": "a"}, {"sequence_end": True}])
def test_decode_infer__part_of_a_sequence__refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"^Sequences are not supported") as caught:
        decode_infer(body(parameters=parameters), IRIS)
    assert caught.value.code == "sequence_not_supported"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_decode_infer__bytes_changed__a_request_or_400(at: int, inserted: bytes, cut: int) -> None:
    check_never_worse_than_400(GOOD[:at] + inserted + GOOD[at + cut :])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(width=32)
    | st.sampled_from(["X", "FP32", ":", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "parameters", "inputs"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters", "more"]), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(["id", "outputs", "parameters", "inputs", "more"]), VALUES, max_size=2),
)
def test_decode_infer__any_values_in_any_place__a_request_or_400(
    in_tensor: dict[str, Any], at_top: dict[str, Any]
) -> None:
    check_never_worse_than_400(json.dumps({"inputs": [{**TENSOR, **in_tensor}], **at_top}).encode())


def check_never_worse_than_400(sent: bytes) -> None:
    try:
        request = decode_infer(sent, IRIS)
    except PortalError as error:
        assert error.status == 400
    else:
        assert request.inputs["X"].dtype == np.float32
        assert np.isfinite(request.inputs["X"]).all()
