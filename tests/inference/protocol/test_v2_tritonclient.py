"""Bodies by a client that nobody here wrote, and our answers read by it. No server: see tests/flows for that."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import ml_dtypes
import numpy as np
import pytest

httpclient = pytest.importorskip("tritonclient.http")

from inference.protocol.compression import deflate, inflate  # noqa: E402
from inference.protocol.v2 import Encoded, decode_infer, encode_infer, encode_json, header_length  # noqa: E402
from inference.runtime.tensors import DTYPES  # noqa: E402
from portal.lib.errors import InvalidInput  # noqa: E402
from registry.artifacts.signature import Signature, TensorSpec  # noqa: E402

ARRAYS = {
    "BOOL": np.array([[True, False]]),
    "BYTES": np.array([["a:b", "é"]], object),
    **{name: np.array([[0, 1]], dtype) for name, dtype in DTYPES.items() if "INT" in name},
    **{name: np.array([[0.1, -2.5]], DTYPES[name]) for name in ("FP16", "FP32", "FP64")},
}
BF16 = np.array([[0.1, -2.5]], ml_dtypes.bfloat16)


def client_body(array: np.ndarray, datatype: str, *, binary: bool = False, **asked: Any) -> tuple[bytes, int | None]:
    """`asked` is how the output y is asked for; without it, no output is named."""
    tensor = httpclient.InferInput("x", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    outputs = [httpclient.InferRequestedOutput("y", **asked)] if asked else None
    body, length = httpclient.InferenceServerClient.generate_request_body([tensor], outputs=outputs, request_id="r:1")
    return bytes(body), length


def signature(datatype: str) -> Signature:
    return Signature((TensorSpec("x", datatype, (-1, 2)),), (TensorSpec("y", datatype, (-1, 2)),))


def echo(body: bytes, length: int | None, datatype: str) -> Encoded:
    """What a model answers that gives back its input."""
    request = decode_infer(body, signature(datatype), length)
    return encode_infer("m", "1", request, signature(datatype).outputs, [request.inputs["x"]])


def read_answer(answer: Encoded) -> np.ndarray:
    return httpclient.InferResult.from_response_body(answer.body, header_length=answer.header_length).as_numpy("y")


def texts(array: np.ndarray) -> np.ndarray:
    """The client reads texts as bytes from binary tensors, and as texts from JSON."""
    if array.dtype != object:
        return array
    values = [value.decode() if isinstance(value, bytes) else value for value in array.ravel()]
    return np.array([*values, None], object)[:-1].reshape(array.shape)


@pytest.mark.parametrize("binary_out", [False, True])
@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("datatype", ARRAYS)
def test_tritonclient__json_and_binary__same_array_back(datatype: str, binary_in: bool, binary_out: bool) -> None:
    sent = ARRAYS[datatype]
    body, length = client_body(sent, datatype, binary=binary_in, binary_data=binary_out)
    assert (length is None) is not binary_in
    request = decode_infer(body, signature(datatype), length)
    assert (request.id, request.outputs, request.inputs["x"].dtype) == ("r:1", ("y",), sent.dtype)
    assert np.array_equal(request.inputs["x"], sent)
    answer = echo(body, length, datatype)
    assert (answer.header_length is None) is not binary_out
    got = read_answer(answer)
    assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
    assert np.array_equal(texts(got), sent)


def test_tritonclient__bf16__binary_both_ways() -> None:
    answer = echo(*client_body(BF16, "BF16", binary=True, binary_data=True), "BF16")
    got = read_answer(answer)
    assert got.dtype == BF16.dtype
    assert got.tobytes() == BF16.tobytes()


@pytest.mark.parametrize("array", [np.zeros((0, 2), np.float32), np.zeros((0, 2), object)])
def test_tritonclient__no_rows_in_binary__no_rows_back(array: np.ndarray) -> None:
    datatype = "BYTES" if array.dtype == object else "FP32"
    answer = echo(*client_body(array, datatype, binary=True, binary_data=True), datatype)
    assert read_answer(answer).shape == (0, 2)


def test_tritonclient__asks_for_no_output_by_name__all_of_them_in_binary() -> None:
    body, length = client_body(ARRAYS["FP32"], "FP32", binary=True)
    request = decode_infer(body, signature("FP32"), length)
    assert (request.outputs, request.parameters, request.binary) == (None, {"binary_data_output": True}, True)
    assert np.array_equal(read_answer(echo(body, length, "FP32")), ARRAYS["FP32"])


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_tritonclient__compressed__the_length_counts_the_json_before_compression(encoding: str, compress: Any) -> None:
    body, length = client_body(ARRAYS["FP64"], "FP64", binary=True, binary_data=True)
    answer = echo(inflate(compress(body), encoding, 10_000), header_length(str(length)), "FP64")
    result = httpclient.InferResult.from_response_body(
        deflate(answer.body, encoding), header_length=answer.header_length, content_encoding=encoding
    )
    assert np.array_equal(result.as_numpy("y"), ARRAYS["FP64"])


@pytest.mark.parametrize("binary", [False, True])
def test_tritonclient__classification__texts(binary: bool) -> None:
    answer = echo(*client_body(ARRAYS["FP32"], "FP32", class_count=2, binary_data=binary), "FP32")
    assert texts(read_answer(answer)).tolist() == [["0.1:0", "-2.5:1"]]


def test_tritonclient__only_raw_bytes__binary_answer() -> None:
    answer = echo(ARRAYS["INT32"].tobytes(), 0, "INT32")
    assert np.array_equal(read_answer(answer), ARRAYS["INT32"])


def test_tritonclient__priority_and_timeout__read() -> None:
    tensor = httpclient.InferInput("x", [1, 2], "FP32").set_data_from_numpy(ARRAYS["FP32"])
    body, length = httpclient.InferenceServerClient.generate_request_body([tensor], priority=2, timeout=1500)
    request = decode_infer(body, signature("FP32"), length)
    assert (request.priority, request.timeout_seconds) == (2, 0.0015)


def test_tritonclient__sequence__refused() -> None:
    tensor = httpclient.InferInput("x", [1, 2], "FP32").set_data_from_numpy(ARRAYS["FP32"])
    body, length = httpclient.InferenceServerClient.generate_request_body([tensor], sequence_id=5, sequence_start=True)
    with pytest.raises(InvalidInput, match="Sequences are not supported"):
        decode_infer(body, signature("FP32"), length)


def test_tritonclient__shared_memory__refused() -> None:
    tensor = httpclient.InferInput("x", [1, 2], "FP32")
    tensor.set_shared_memory("region", 8)
    body, length = httpclient.InferenceServerClient.generate_request_body([tensor])
    with pytest.raises(InvalidInput, match="Shared memory is not supported"):
        decode_infer(body, signature("FP32"), length)


def test_tritonclient__nan_in_a_json_answer__reads_nan() -> None:
    answer = encode_json("m", "1", None, signature("FP32").outputs, [np.array([[np.nan, 1.0]], np.float32)])
    values = httpclient.InferResult.from_response_body(answer).as_numpy("y")
    assert np.isnan(values[0, 0])
    assert values[0, 1] == 1.0
