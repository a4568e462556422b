from __future__ import annotations

import base64
import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inference.protocol.v1 import decode_predict, encode_predict
from inference.runtime.tensors import DTYPES
from portal.lib.errors import InvalidInput, Unprocessable
from registry.artifacts.signature import Signature, TensorSpec

ONE = Signature((TensorSpec("X", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", (-1,)),))
TWO = Signature(
    (TensorSpec("a", "INT64", (-1,)), TensorSpec("t", "BYTES", (-1, 1))),
    (TensorSpec("y", "INT64", (-1,)), TensorSpec("p", "FP32", (-1, 2))),
)
TEXT = Signature((TensorSpec("t", "BYTES", (-1,)),), (TensorSpec("y", "BYTES", (-1,)),))


def decode(document: Any, signature: Signature = ONE) -> dict[str, Any]:
    request = decode_predict(json.dumps(document).encode(), signature)
    return {name: array.tolist() for name, array in request.inputs.items()}


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [[1, 2], [3, 4.5]]},
        {"instances": [{"X": [1, 2]}, {"X": [3, 4.5]}]},
        {"inputs": [[1, 2], [3, 4.5]]},
        {"inputs": {"X": [[1, 2], [3, 4.5]]}},
        {"instances": [[1, 2], [3, 4.5]], "signature_name": "serving_default", "more": [{"a": ":"}]},
        {"signature_name": "", "inputs": [[1, 2], [3, 4.5]]},
    ],
)
def test_decode_predict__one_input_in_every_form__same_array(document: Any) -> None:
    request = decode_predict(json.dumps(document).encode(), ONE)
    assert request.inputs["X"].dtype == np.float32
    assert request.inputs["X"].tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert (request.columnar, request.outputs, request.timeout_seconds) == ("inputs" in document, None, None)


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [{"a": 1, "t": ["x"]}, {"t": ["é:"], "a": 2}]},
        {"inputs": {"a": [1, 2], "t": [["x"], ["é:"]]}},
        {"instances": [{"a": 1, "t": [{"b64": "eA=="}]}, {"a": 2, "t": [{"b64": "w6k6"}]}]},
    ],
)
def test_decode_predict__two_inputs__by_name(document: Any) -> None:
    assert decode(document, TWO) == {"a": [1, 2], "t": [["x"], ["é:"]]}


def test_decode_predict__base64_texts__decoded() -> None:
    packed = {"b64": base64.b64encode("ü".encode()).decode()}
    assert decode({"instances": [packed, "a"]}, TEXT) == {"t": ["ü", "a"]}
    assert decode({"instances": [{"t": packed}]}, TEXT) == {"t": ["ü"]}
    single = Signature((TensorSpec("t", "BYTES", ()),), TEXT.outputs)
    assert decode({"inputs": packed}, single) == {"t": "ü"}
    assert decode({"inputs": {"t": packed}}, single) == {"t": "ü"}


def test_decode_predict__an_input_named_b64__is_that_input() -> None:
    signature = Signature((TensorSpec("b64", "BYTES", (-1,)),), TEXT.outputs)
    assert decode({"instances": [{"b64": "eA=="}]}, signature) == {"b64": ["eA=="]}


@pytest.mark.parametrize("value", ["e", "eA=", "eA==\n", "e A=", "/w==", "_-==", "é"])
def test_decode_predict__b64_that_is_none__refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="'t'") as caught:
        decode({"instances": [{"b64": value}]}, TEXT)
    assert caught.value.code == "wrong_value"


@pytest.mark.parametrize("row", [{"b64": 1}, {"b64": "eA==", "more": 1}, {"B64": "eA=="}, 5, None, ["x"]])
def test_decode_predict__neither_text_nor_base64__refused(row: Any) -> None:
    with pytest.raises(InvalidInput):
        decode({"instances": ["a", row]}, TEXT)


def test_decode_predict__columns_of_different_lengths__left_to_the_model() -> None:
    assert decode({"inputs": {"a": [1], "t": [["x"], ["y"]]}}, TWO) == {"a": [1], "t": [["x"], ["y"]]}


def test_decode_predict__bf16__told_to_use_v2() -> None:
    signature = Signature((TensorSpec("x", "BF16", (-1,)),), ONE.outputs)
    with pytest.raises(InvalidInput, match="binary tensor"):
        decode({"instances": [1.0]}, signature)


def encode(document: Any, signature: Signature, *arrays: np.ndarray) -> bytes:
    request = decode_predict(json.dumps(document).encode(), signature)
    return encode_predict(request, signature.outputs, arrays)


ROWS = {"instances": [{"a": 1, "t": ["x"]}, {"a": 2, "t": ["y"]}]}
COLUMNS = {"inputs": {"a": [1, 2], "t": [["x"], ["y"]]}}


def test_encode_predict__one_output__bare_values() -> None:
    answer = np.array([0.1, np.nan], np.float32)
    assert encode({"instances": [[1, 2], [3, 4]]}, ONE, answer) == b'{"predictions":[0.1,null]}'
    assert encode({"inputs": [[1, 2], [3, 4]]}, ONE, answer) == b'{"outputs":[0.1,null]}'
    assert encode({"instances": ["a"]}, TEXT, np.array(["é"], object)) == '{"predictions":["é"]}'.encode()


def test_encode_predict__several_outputs__by_name() -> None:
    label, p = np.array([2, 0]), np.array([[0.1, 0.2], [1, 0]], np.float32)
    assert encode(ROWS, TWO, label, p) == b'{"predictions":[{"y":2,"p":[0.1,0.2]},{"y":0,"p":[1.0,0.0]}]}'
    assert encode(COLUMNS, TWO, label, p) == b'{"outputs":{"y":[2,0],"p":[[0.1,0.2],[1.0,0.0]]}}'


@pytest.mark.parametrize(("dtype", "most"), [(np.longlong, 2**63 - 1), (np.ulonglong, 2**64 - 1), (np.int8, 127)])
def test_encode_predict__integers_as_the_runtime_gives_them__exact(dtype: Any, most: int) -> None:
    label, p = np.array([most, 0], dtype), np.array([[1], [2]], dtype)
    assert encode(ROWS, TWO, label, p) == b'{"predictions":[{"y":%d,"p":[1]},{"y":0,"p":[2]}]}' % most
    single = Signature(ONE.inputs, (TensorSpec("y", "INT64", ()),))
    assert encode({"inputs": [[1, 2]]}, single, np.array(most, dtype)) == b'{"outputs":%d}' % most


@pytest.mark.parametrize("array", [np.array([1.0]), np.array(1.0), np.zeros((3, 2))])
def test_encode_predict__output_that_is_not_by_row__told_to_send_inputs(array: np.ndarray) -> None:
    with pytest.raises(Unprocessable, match='send "inputs"') as caught:
        encode({"instances": [[1, 2], [3, 4]]}, ONE, array)
    assert caught.value.code == "output_not_rows"
    assert (
        encode({"inputs": [[1, 2], [3, 4]]}, ONE, array)
        == b'{"outputs":%b}' % json.dumps(array.tolist(), separators=(",", ":")).encode()
    )


def test_encode_predict__bf16__told_to_use_v2() -> None:
    signature = Signature(ONE.inputs, (TensorSpec("y", "BF16", (-1,)),))
    with pytest.raises(Unprocessable, match="V2"):
        encode({"instances": [[1, 2]]}, signature, np.ones(1, ml_dtypes.bfloat16))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(set(DTYPES) - {"BF16"})).flatmap(
        lambda datatype: st.tuples(
            st.just(datatype),
            hnp.arrays(
                DTYPES[datatype],
                hnp.array_shapes(min_dims=1, max_dims=4, max_side=4),
                elements=st.text(max_size=5)
                if datatype == "BYTES"
                else {"allow_nan": False, "allow_infinity": False}
                if datatype.startswith("FP")
                else None,
            ),
        )
    ),
    st.booleans(),
)
def test_decode_then_encode__any_array__comes_back_exactly(case: tuple[str, np.ndarray], columnar: bool) -> None:
    datatype, array = case
    spec = TensorSpec("x", datatype, (-1,) * array.ndim)
    key, answered = ("inputs", "outputs") if columnar else ("instances", "predictions")
    request = decode_predict(json.dumps({key: array.tolist()}).encode(), Signature((spec,), (spec,)))
    assert np.array_equal(request.inputs["x"], array)
    answer = json.loads(encode_predict(request, [spec], [array]))[answered]
    assert np.array_equal(np.array(answer, DTYPES[datatype]), array)
