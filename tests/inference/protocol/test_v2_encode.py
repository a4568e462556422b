from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inference.protocol.v2 import (
    InferRequest,
    decode_infer,
    encode_infer,
    encode_json,
    error_body,
    metadata,
    server_metadata,
)
from inference.runtime.tensors import DTYPES
from portal.lib.errors import Unprocessable
from registry.artifacts.signature import Signature, TensorSpec

LABEL = TensorSpec("label", "INT64", (-1,))
PROBABILITIES = TensorSpec("p", "FP32", (-1, 3))


def encode_one(array: np.ndarray, datatype: str) -> Any:
    body = encode_json("m", "1", None, [TensorSpec("y", datatype, (-1,) * array.ndim)], [array])
    return json.loads(body)["outputs"][0]


def test_encode_infer__two_outputs__exact_bytes() -> None:
    arrays = [np.array([2, 0]), np.array([[0.1, 0.2, 0.7], [1, 0, 0]], np.float32)]
    assert encode_json("iris", "3", None, [LABEL, PROBABILITIES], arrays) == (
        b'{"model_name":"iris","model_version":"3","outputs":['
        b'{"name":"label","datatype":"INT64","shape":[2],"data":[2,0]},'
        b'{"name":"p","datatype":"FP32","shape":[2,3],"data":[0.1,0.2,0.7,1.0,0.0,0.0]}]}'
    )


def test_encode_infer__id__echoed() -> None:
    body = encode_json("iris", "3", 'r"1', [LABEL], [np.array([1])])
    assert json.loads(body) == {
        "model_name": "iris",
        "model_version": "3",
        "id": 'r"1',
        "outputs": [{"name": "label", "datatype": "INT64", "shape": [1], "data": [1]}],
    }
    assert json.loads(encode_json("m", "1", "", [], [])) == {
        "model_name": "m",
        "model_version": "1",
        "id": "",
        "outputs": [],
    }


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_encode_infer__nan_and_infinities__null(datatype: str) -> None:
    array = np.array([np.nan, np.inf, -np.inf, 1.5], DTYPES[datatype])
    assert encode_one(array, datatype)["data"] == [None, None, None, 1.5]


def test_encode_infer__integer_limits__exact() -> None:
    limits = [-(2**63), 2**63 - 1]
    assert encode_one(np.array(limits, np.int64), "INT64")["data"] == limits
    assert encode_one(np.array([2**64 - 1], np.uint64), "UINT64")["data"] == [2**64 - 1]


def test_encode_infer__any_memory_layout__row_major() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert encode_one(array.T, "FP32") == {
        "name": "y",
        "datatype": "FP32",
        "shape": [3, 2],
        "data": [0.0, 3.0, 1.0, 4.0, 2.0, 5.0],
    }
    assert encode_one(array[:, ::2], "FP32")["data"] == [0.0, 2.0, 3.0, 5.0]


def test_encode_infer__no_dimensions_and_no_rows__a_flat_list() -> None:
    assert encode_one(np.array(2.5, np.float32), "FP32") == {
        "name": "y",
        "datatype": "FP32",
        "shape": [],
        "data": [2.5],
    }
    assert encode_one(np.zeros((0, 3), np.float32), "FP32")["data"] == []
    assert encode_one(np.zeros((2, 0), object), "BYTES")["data"] == []


def test_encode_infer__text__as_it_is() -> None:
    array = np.array([["a", 'é"\0'], ["", "<b>"]], object)
    assert encode_one(array, "BYTES") == {
        "name": "y",
        "datatype": "BYTES",
        "shape": [2, 2],
        "data": ["a", 'é"\0', "", "<b>"],
    }


@pytest.mark.parametrize("bad", ["\ud800", b"\xff\xfe", object(), 1 + 2j])
def test_encode_infer__text_that_is_none__unprocessable(bad: Any) -> None:
    array = np.empty(1, object)
    array[0] = bad
    with pytest.raises(Unprocessable) as caught:
        encode_one(array, "BYTES")
    assert (caught.value.status, caught.value.code) == (422, "output_not_json")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(set(DTYPES) - {"BF16"})).flatmap(
        lambda datatype: st.tuples(
            st.just(datatype),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4).flatmap(
                lambda shape: hnp.arrays(
                    DTYPES[datatype],
                    shape,
                    elements=st.text(max_size=5)
                    if datatype == "BYTES"
                    else {"allow_nan": False, "allow_infinity": False}
                    if datatype.startswith("FP")
                    else None,
                )
            ),
        )
    )
)
def test_encode_then_decode__any_array__comes_back_exactly(case: tuple[str, np.ndarray]) -> None:
    datatype, array = case
    spec = TensorSpec("t", datatype, (-1,) * array.ndim)
    answer = json.loads(encode_json("m", "1", "id", [spec], [array]))
    sent = json.dumps({"id": answer["id"], "inputs": answer["outputs"]}).encode()
    again = decode_infer(sent, Signature((spec,), (spec,))).inputs["t"]
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert np.array_equal(again, array)


def test_metadata__iris__names_datatypes_and_free_sizes() -> None:
    signature = Signature((TensorSpec("X", "FP32", (-1, 4)),), (LABEL, PROBABILITIES))
    assert metadata("iris", ["1", "2"], signature) == {
        "name": "iris",
        "versions": ["1", "2"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "p", "datatype": "FP32", "shape": [-1, 3]},
        ],
    }


def test_encode_infer__whole_request__same_bytes_as_its_id() -> None:
    arrays = [np.array([2])]
    request = InferRequest("r:1", {}, None, {})
    assert encode_infer("iris", "3", request, [LABEL], arrays) == (
        encode_json("iris", "3", "r:1", [LABEL], arrays),
        None,
    )


def test_server_metadata__extensions__named() -> None:
    assert server_metadata("0.1") == {
        "name": "slipway",
        "version": "0.1",
        "extensions": [
            "binary_tensor_data",
            "classification",
            "statistics",
            "model_repository",
            "model_configuration",
            "parameters",
            "schedule_policy",
        ],
    }
    assert server_metadata("0.1", extensions=["parameters"])["extensions"] == ["parameters"]


def test_error_body__sentence__three_keys() -> None:
    assert json.loads(error_body("No <b>.", "not_found", None)) == {
        "error": "No <b>.",
        "code": "not_found",
        "request_id": None,
    }
