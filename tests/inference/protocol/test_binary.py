from __future__ import annotations

import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from inference.protocol import v2
from inference.protocol.request import OutputForm
from inference.runtime.tensors import DTYPES
from portal.lib.errors import InvalidInput, Unprocessable
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs

NAN = float("nan")
# Two values of each datatype and the bytes that they are on the wire.
ON_THE_WIRE: dict[str, tuple[list[Any], bytes]] = {
    "BOOL": ([True, False], b"\x01\x00"),
    "UINT8": ([1, 255], b"\x01\xff"),
    "UINT16": ([1, 2**16 - 1], b"\x01\x00\xff\xff"),
    "UINT32": ([1, 2**32 - 1], b"\x01\0\0\0\xff\xff\xff\xff"),
    "UINT64": ([1, 2**64 - 1], b"\x01" + bytes(7) + b"\xff" * 8),
    "INT8": ([1, -2], b"\x01\xfe"),
    "INT16": ([1, -2], b"\x01\0\xfe\xff"),
    "INT32": ([1, -2], b"\x01\0\0\0\xfe\xff\xff\xff"),
    "INT64": ([1, -(2**63)], b"\x01" + bytes(7) + bytes(7) + b"\x80"),
    "FP16": ([1.0, -2.0], b"\x00\x3c\x00\xc0"),
    "FP32": ([1.0, -2.0], b"\0\0\x80\x3f\0\0\0\xc0"),
    "FP64": ([1.0, -2.0], bytes(6) + b"\xf0\x3f" + bytes(7) + b"\xc0"),
    "BF16": ([1.0, -2.0], b"\x80\x3f\x00\xc0"),
    "BYTES": (["", "é:"], b"\0\0\0\0\x03\0\0\0\xc3\xa9:"),
}


def signature(datatype: str, shape: tuple[int, ...] = (-1,)) -> Signature:
    return Signature((TensorSpec("x", datatype, shape),), (TensorSpec("y", datatype, shape),))


def decode(datatype: str, shape: list[int], raw: bytes, spec: tuple[int, ...] = (-1,), padding: int = 0) -> np.ndarray:
    tensor = {"name": "x", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [tensor]}).encode() + b" " * padding
    return v2.decode_infer(text + raw, signature(datatype, spec), len(text)).inputs["x"]


def refusal(datatype: str, shape: list[int], raw: bytes, spec: tuple[int, ...] = (-1,)) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        decode(datatype, shape, raw, spec)
    assert "'x'" in caught.value.message
    return caught.value


@pytest.mark.parametrize("datatype", ON_THE_WIRE)
@pytest.mark.parametrize("padding", range(8))
def test_decode_infer__raw_tensor_at_any_offset__exact_values_read_only_and_aligned(
    datatype: str, padding: int
) -> None:
    values, raw = ON_THE_WIRE[datatype]
    array = decode(datatype, [2], raw, padding=padding)
    assert (array.dtype, array.tolist()) == (DTYPES[datatype], values)
    assert array.flags.aligned
    assert not array.flags.writeable


@pytest.mark.parametrize("datatype", ON_THE_WIRE)
def test_encode_infer__binary_output__exact_bytes(datatype: str) -> None:
    values, raw = ON_THE_WIRE[datatype]
    request = v2.InferRequest("i", {}, None, {}, binary=True)
    array = np.empty(2, DTYPES[datatype])
    array[:] = values
    header = (
        f'{{"model_name":"m","model_version":"1","id":"i","outputs":[{{"name":"y","datatype":"{datatype}",'
        f'"shape":[2],"parameters":{{"binary_data_size":{len(raw)}}}}}]}}'
    ).encode()
    encoded = v2.encode_infer("m", "1", request, signature(datatype).outputs, [array])
    assert encoded == (header + raw, len(header))


def test_decode_infer__aligned_raw_tensor__a_view_of_the_body() -> None:
    arrays = [decode("FP32", [2], ON_THE_WIRE["FP32"][1], padding=padding) for padding in range(4)]
    assert [array.flags.owndata or array.base.flags.owndata for array in arrays].count(False) == 1


@pytest.mark.parametrize("position", [0, 1, 3])
@pytest.mark.parametrize("byte", [2, 255])
def test_decode_infer__bool_byte_that_is_neither__refused_with_its_position(position: int, byte: int) -> None:
    raw = bytes(byte if index == position else 1 for index in range(4))
    error = refusal("BOOL", [4], raw)
    assert (error.code, error.details) == ("wrong_value", {"position": position})


@pytest.mark.parametrize(
    ("shape", "raw"),
    [
        ([1], b""),
        ([1], b"\0\0\0"),
        ([1], b"\x01\0\0\0"),
        ([1], b"\x05\0\0\0abcd"),
        ([1], b"\xff\xff\xff\xffabcd"),
        ([1], b"\0\0\0\0x"),
        ([2], b"\x01\0\0\0x"),
        ([2], b"\x05\0\0\0x\0\0\0\0"),
        ([1], b"\0\0\0\0\0\0\0\0"),
        ([0], b"\0\0\0\0"),
        ([2**62], b"\0\0\0\0"),
    ],
)
def test_decode_infer__texts_that_do_not_fill_their_bytes__refused(shape: list[int], raw: bytes) -> None:
    assert refusal("BYTES", shape, raw).code == "wrong_size"


@pytest.mark.parametrize("raw", [b"\x01\0\0\0\xff", b"\x02\0\0\0\xc0\x80", b"\x03\0\0\0\xed\xa0\x80"])
def test_decode_infer__bytes_that_are_no_utf8__refused(raw: bytes) -> None:
    error = refusal("BYTES", [2], b"\0\0\0\0" + raw)
    assert (error.code, error.details) == ("wrong_value", {"position": 1})


@pytest.mark.parametrize("datatype", ON_THE_WIRE)
def test_decode_infer__raw_tensor_without_rows__empty(datatype: str) -> None:
    array = decode(datatype, [0, 3], b"", (-1, 3))
    assert (array.dtype, array.shape) == (DTYPES[datatype], (0, 3))
    assert refusal(datatype, [0, 2**31], b"", (-1, -1)).code == "wrong_shape"


def test_decode_infer__raw_nan_and_infinities__kept() -> None:
    raw = np.array([NAN, np.inf, -np.inf], np.float32).tobytes()
    assert np.array_equal(decode("FP32", [3], raw), [np.nan, np.inf, -np.inf], equal_nan=True)


def test_decode_infer__raw_texts__what_a_real_model_takes_for_texts() -> None:
    """ONNX Runtime would take Python's bytes as well, but as the text of their repr."""
    texts = graphs.value("x", ["N"], TensorProto.STRING), graphs.value("y", ["N"], TensorProto.STRING)
    model = graphs.model([helper.make_node("Identity", ["x"], ["y"])], texts[:1], texts[1:])
    session = InferenceSession(model.SerializeToString())
    array = decode("BYTES", [2], b"\x03\0\0\0a\0b\x02\0\0\0\xc3\xa9")
    assert session.run(None, {"x": array})[0].tolist() == ["a\0b", "é"]


def test_decode_infer__json_between_raw_tensors__each_its_own() -> None:
    specs = (TensorSpec("a", "INT16", (-1,)), TensorSpec("b", "FP32", (1,)), TensorSpec("c", "BYTES", ()))
    tensors = [
        {"name": "c", "datatype": "BYTES", "shape": [], "parameters": {"binary_data_size": 5}},
        {"name": "b", "datatype": "FP32", "shape": [1], "data": [2.5]},
        {"name": "a", "datatype": "INT16", "shape": [2], "parameters": {"binary_data_size": 4, "other": 1}},
    ]
    text = json.dumps({"inputs": tensors}).encode()
    body = text + b"\x01\0\0\0z" + b"\x01\0\x02\0"
    request = v2.decode_infer(body, Signature(specs, specs), len(text))
    assert {name: array.tolist() for name, array in request.inputs.items()} == {"a": [1, 2], "b": [2.5], "c": "z"}


def test_decode_infer__only_json_with_its_length__accepted() -> None:
    body = b'{"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[7]}]}'
    assert v2.decode_infer(body, signature("INT8"), len(body)).inputs["x"].tolist() == [7]


@pytest.mark.parametrize(
    ("datatype", "spec", "raw", "expected"),
    [
        ("INT16", (-1, 2), b"\x01\0\x02\0\x03\0\x04\0", [[1, 2], [3, 4]]),
        ("INT16", (-1, 2), b"", []),
        ("INT16", (2,), b"\x01\0\x02\0", [1, 2]),
        ("INT16", (), b"\x05\0", 5),
        ("BOOL", (1, -1), b"\x01\0", [[True, False]]),
        ("BYTES", (-1,), "é".encode(), ["é"]),
        ("BYTES", (-1, 1), b"", [[""]]),
        ("BF16", (-1,), b"\x80\x3f", [1.0]),
    ],
)
def test_decode_infer__only_bytes__the_count_decides_the_shape(
    datatype: str, spec: tuple[int, ...], raw: bytes, expected: Any
) -> None:
    request = v2.decode_infer(raw, signature(datatype, spec), 0)
    assert request.inputs["x"].tolist() == expected
    assert (request.inputs["x"].dtype, request.binary) == (DTYPES[datatype], True)
    assert not request.inputs["x"].flags.writeable


@pytest.mark.parametrize(
    ("datatype", "spec", "raw", "code"),
    [
        ("INT16", (-1, 2), b"\x01\0\x02", "wrong_size"),
        ("INT16", (2,), b"\x01\0", "wrong_size"),
        ("INT16", (-1, 0), b"\x01\0", "wrong_size"),
        ("INT16", (-1, -1), b"\x01\0", "raw_not_possible"),
        ("BYTES", (2,), b"a", "raw_not_possible"),
        ("BYTES", (-1,), b"\xff", "wrong_value"),
        ("BOOL", (-1,), b"\2", "wrong_value"),
    ],
)
def test_decode_infer__only_bytes_that_decide_nothing__refused(
    datatype: str, spec: tuple[int, ...], raw: bytes, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        v2.decode_infer(raw, signature(datatype, spec), 0)
    assert caught.value.code == code
    assert "'x'" in caught.value.message


def test_decode_infer__only_bytes_for_two_inputs__refused() -> None:
    specs = (TensorSpec("a", "INT8", (1,)), TensorSpec("b", "INT8", (1,)))
    with pytest.raises(InvalidInput) as caught:
        v2.decode_infer(b"\x01", Signature(specs, specs), 0)
    assert caught.value.code == "raw_not_possible"


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("0", 0), ("134", 134), ("007", 7)])
def test_header_length__digits__the_number(value: str | None, expected: int | None) -> None:
    assert v2.header_length(value) == expected


@pytest.mark.parametrize("value", ["", " 1", "1 ", "-1", "+1", "1.0", "1_0", "²", "0x1", "9" * 19])
def test_header_length__anything_else__refused(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        v2.header_length(value)
    assert caught.value.code == "invalid_header_length"


def forms(**document: Any) -> v2.InferRequest:
    specs = (TensorSpec("x", "INT8", (-1,)),), (TensorSpec("p", "FP32", (-1, 3)), TensorSpec("q", "BF16", (-1,)))
    tensor = {"name": "x", "datatype": "INT8", "shape": [1], "data": [1]}
    return v2.decode_infer(json.dumps({"inputs": [tensor], **document}).encode(), Signature(*specs))


def test_decode_infer__forms_of_outputs__the_outputs_own_wins() -> None:
    binary = {"parameters": {"binary_data_output": True}}
    plain_p = {"name": "p", "parameters": {"binary_data": False}}
    assert forms(**binary)[6:8] == (None, True)
    assert forms(**binary, outputs=[{"name": "q"}, plain_p])[6:8] == ((OutputForm(True), OutputForm()), False)
    assert forms(outputs=[{"name": "q", "parameters": {"binary_data": True}}])[6:8] == ((OutputForm(True),), False)
    assert forms(outputs=[plain_p, {"name": "q"}])[6:8] == (None, False)
    both = {"name": "p", "parameters": {"binary_data": True, "classification": 2}}
    assert forms(outputs=[both]).forms == (OutputForm(True, 2),)


def test_encode_infer__one_of_two_in_binary__raw_behind_the_json() -> None:
    request = forms(outputs=[{"name": "q", "parameters": {"binary_data": True}}, {"name": "p"}])
    specs = [TensorSpec("q", "BF16", (-1,)), TensorSpec("p", "FP32", (-1, 3))]
    arrays = [np.array([1.0], ml_dtypes.bfloat16), np.array([[NAN, 1.0, 2.0]], np.float32)]
    header = (
        b'{"model_name":"m","model_version":"1","outputs":['
        b'{"name":"q","datatype":"BF16","shape":[1],"parameters":{"binary_data_size":2}},'
        b'{"name":"p","datatype":"FP32","shape":[1,3],"data":[null,1.0,2.0]}]}'
    )
    assert v2.encode_infer("m", "1", request, specs, arrays) == (header + b"\x80\x3f", len(header))


def test_encode_infer__bf16_as_json__told_to_ask_for_binary() -> None:
    for request in (forms(outputs=[{"name": "q"}]), v2.InferRequest(None, {}, None, {})):
        with pytest.raises(Unprocessable, match="ask for it as a binary tensor") as caught:
            v2.encode_infer("m", "1", request, [TensorSpec("q", "BF16", (-1,))], [np.ones(1, ml_dtypes.bfloat16)])
        assert caught.value.code == "output_not_json"


def test_encode_infer__any_memory_layout_in_binary__row_major() -> None:
    array = np.arange(6, dtype=np.int8).reshape(2, 3).T
    request = v2.InferRequest(None, {}, None, {}, binary=True)
    body, length = v2.encode_infer("m", "1", request, [TensorSpec("y", "INT8", (3, 2))], [array])
    assert body[length:] == bytes([0, 3, 1, 4, 2, 5])
    body, length = v2.encode_infer("m", "1", request, [TensorSpec("y", "INT8", ())], [np.array(7, np.int8)])
    assert body[length:] == b"\x07"


def test_encode_infer__value_that_is_no_text_in_binary__unprocessable() -> None:
    for bad in ("\ud800", 5):
        array = np.empty(1, object)
        array[0] = bad
        request = v2.InferRequest(None, {}, None, {}, binary=True)
        with pytest.raises(Unprocessable) as caught:
            v2.encode_infer("m", "1", request, [TensorSpec("y", "BYTES", (-1,))], [array])
        assert caught.value.code == "output_not_text"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(set(DTYPES) - {"BF16"})).flatmap(
        lambda datatype: st.tuples(
            st.just(datatype),
            hnp.arrays(
                DTYPES[datatype],
                hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
                elements=st.text(max_size=5) if datatype == "BYTES" else None,
            ),
        )
    )
)
def test_encode_then_decode__any_array_in_binary__comes_back_bit_by_bit(case: tuple[str, np.ndarray]) -> None:
    datatype, array = case
    spec = TensorSpec("x", datatype, (-1,) * array.ndim)
    request = v2.InferRequest(None, {}, None, {}, binary=True)
    body, length = v2.encode_infer("m", "1", request, [spec], [array])
    (output,) = json.loads(body[:length])["outputs"]
    again = decode(datatype, output["shape"], body[length:], spec.shape)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tolist() == array.tolist() if datatype == "BYTES" else again.tobytes() == array.tobytes()
